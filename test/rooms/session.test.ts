// A session's last defence: bytes that its reader cannot take, which would be a bug, cost one answer and neither the socket nor the process.
import t from 'tap'
import type { WebSocket } from 'ws'
import { MemoryBroker } from '../../src/broker/memory.js'
import { Metrics } from '../../src/metrics.js'
import { Rooms } from '../../src/rooms/rooms.js'
import { Session } from '../../src/rooms/session.js'

t.test('a bug while bytes are read becomes INTERNAL, is logged once, and the next frame is taken', async (t) => {
  const clocks = { now: () => 1000, monotonic: () => 1000 }
  const failed: unknown[] = []
  const log = { level: 'info', debug: () => {}, info: () => {}, warn: () => {}, error: (fields: object) => { failed.push(fields) } }
  const metrics = new Metrics()
  const broker = new MemoryBroker({ logSize: 10, retention: 1000, ...clocks, newEpoch: () => 'e' })
  const rooms = new Rooms({ broker, metrics, log, ...clocks, maxMembers: 5, maxRoomsPerSocket: 5, isOpen: true, presenceGrace: 0, resultsFrom: 'any' })
  const sent: string[] = []
  const socket = { readyState: 1, bufferedAmount: 0, isPaused: false, send: (text: string) => { sent.push(String(text)) }, close: () => t.fail('closed') }
  const session = new Session('client_1', socket as unknown as WebSocket, undefined, {
    rooms, metrics, log, ...clocks, maxOutboxBytes: 1_000_000, messageRates: undefined, verify: undefined, joinTimeout: 0
  })
  const broken = new Proxy(Buffer.alloc(1), { get () { throw new Error('a bug') } })
  session.receive(broken, 0, 1)
  session.receive(Buffer.from('{"type":"PING","payload":{}}'))
  t.match(sent.map((text) => JSON.parse(text)), [{ type: 'ERROR', payload: { code: 'INTERNAL' } }, { type: 'PONG' }])
  t.match(failed, [{ err: { message: 'a bug' }, clientId: 'client_1' }])
  t.equal(failed.length, 1)
})
