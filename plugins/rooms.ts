// The rooms of this node: decorates `rooms`.
import fp from 'fastify-plugin'
import { Rooms } from '../src/rooms/rooms.js'

declare module 'fastify' {
  interface FastifyInstance {
    rooms: Rooms
  }
}

export default fp(async (app) => {
  const { broker, config, log, now } = app
  app.decorate('rooms', new Rooms({
    broker, log, now, maxMembers: config.MAX_ROOM_MEMBERS, maxRoomsPerSocket: config.MAX_ROOMS_PER_SOCKET
  }))
}, { name: 'rooms', dependencies: ['broker'] })
