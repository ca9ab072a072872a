// Decorates `nodes`: all nodes of the server, with their connections. With Redis each node tells the others of itself.
import { hostname } from 'node:os'
import fp from 'fastify-plugin'
import { OnlyNode, type ServerNodes } from '../src/nodes/nodes.js'
import { NOTE_INTERVAL, RedisNodes } from '../src/nodes/redis-nodes.js'
import type { ServerNode } from '../src/protocol/rest-nodes.js'
import { shortId } from '../src/random-id.js'
import { VERSION } from '../src/root.js'

declare module 'fastify' {
  interface FastifyInstance {
    nodes: ServerNodes
    /** Id of this node. */
    nodeId: string
  }
}

export default fp(async (app) => {
  const { config, now, redis, rooms, sessions } = app
  const own = { id: shortId(), name: hostname(), startedAt: now(), version: VERSION }
  const describe = (): ServerNode => {
    const { socket, stream } = sessions.counts()
    return { ...own, status: sessions.draining ? 'draining' : 'running', sockets: socket, streams: stream, rooms: rooms.size }
  }
  app.decorate('nodeId', own.id)
  if (!redis) {
    app.decorate('nodes', new OnlyNode(describe))
    return
  }
  const nodes = new RedisNodes({ commands: redis.commands, key: `${config.REDIS_PREFIX}:{@node-notes}`, describe })
  app.decorate('nodes', nodes)
  const timer = setInterval(() => { void nodes.note() }, NOTE_INTERVAL).unref()
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await nodes.leave()
  })
}, { name: 'nodes', dependencies: ['redis', 'rooms', 'sessions'] })
