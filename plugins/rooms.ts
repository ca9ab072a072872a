// Decorates `rooms`: the rooms of this node.
import fp from 'fastify-plugin'
import { Rooms } from '../src/rooms/rooms.js'

declare module 'fastify' {
  interface FastifyInstance {
    rooms: Rooms
  }
}

export default fp(async (app) => {
  const { broker, changes, config, funnel, metrics, tokens, log, now, monotonic } = app
  const rooms = new Rooms({
    broker,
    metrics,
    log,
    now,
    monotonic,
    maxMembers: config.MAX_ROOM_MEMBERS,
    maxRoomsPerSocket: config.MAX_ROOMS_PER_SOCKET,
    maxPayers: config.PAYERS,
    isOpen: tokens === undefined,
    presenceGrace: config.PRESENCE_GRACE_SECONDS * 1000,
    resultsFrom: config.RESULTS_FROM,
    onChange: (change) => changes.emit(change),
    onAdvance: (advance) => funnel.advanced(advance)
  })
  app.decorate('rooms', rooms)
  app.addHook('onClose', async () => rooms.stop())
}, { name: 'rooms', dependencies: ['broker', 'changes', 'funnel', 'metrics', 'tokens'] })
