// Two nodes as they ship, on the Redis of the settings: one listens to a room, the other one publishes into it. Says `heard` when it has arrived, and
// every error of the connection. Plain JavaScript on what was built, since NODE_EXTRA_CA_CERTS is read by a process at its start alone.
import { setTimeout as sleep } from 'node:timers/promises'
import { buildApp } from '../../dist/src/app.js'
import { loadConfig } from '../../dist/src/config.js'
import { createLogger } from '../../dist/src/logger.js'
import { draftEvent } from '../../dist/src/broker/event-draft.js'

const config = loadConfig(process.env)
const nodes = [buildApp({ config, logger: createLogger(config) }), buildApp({ config, logger: createLogger(config) })]
for (const node of nodes) {
  await node.ready()
  for (const client of node.redis.clients) for (const event of ['error', 'node error']) client.on(event, ({ message }) => console.log('error:', message))
}
while (!nodes.every(({ broker }) => broker.ready())) await sleep(10)

const [listening, publishing] = nodes
const heard = new Promise((resolve) => { listening.broker.listen({ entry: resolve, closed () {}, lost () {}, remoteMembers () {} }) })
await listening.broker.subscribe('r', true)
await publishing.broker.publish('r', draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r' } }, { source: 'device', timestamp: Date.now() }), true)
await heard
console.log('heard')
await Promise.all(nodes.map((node) => node.close()))
