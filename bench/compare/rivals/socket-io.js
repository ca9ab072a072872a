// Socket.IO with its own rooms, over WebSocket only. ADAPTER takes it over several nodes: `redis` for pub/sub, `streams` for Redis Streams and connection state recovery.
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const { ADAPTER, REDIS_URL, REDIS_PREFIX, PORT } = process.env

/** Settings of an adapter, with its defaults besides names of its own in the Redis that contestants share. */
const ADAPTERS = {
  redis: async () => {
    const [{ createAdapter }, { Redis }] = await Promise.all([import('@socket.io/redis-adapter'), import('ioredis')])
    return { adapter: createAdapter(new Redis(REDIS_URL), new Redis(REDIS_URL), { key: REDIS_PREFIX }) }
  },
  streams: async () => {
    const [{ createAdapter }, { Redis }] = await Promise.all([import('@socket.io/redis-streams-adapter'), import('ioredis')])
    const names = { streamName: REDIS_PREFIX, channelPrefix: REDIS_PREFIX, sessionKeyPrefix: `${REDIS_PREFIX}:session:` }
    return { adapter: createAdapter(new Redis(REDIS_URL), names), connectionStateRecovery: {} }
  }
}

const http = createServer()
const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  serveClient: false,
  // Pings of Socket.IO are text messages of its own, which the devices of the benchmark do not answer; no run takes ten minutes.
  pingInterval: 600_000,
  ...await ADAPTERS[ADAPTER]?.()
})

io.on('connection', (socket) => {
  const enter = ({ roomId }) => { if (!socket.rooms.has(roomId)) socket.join(roomId) }
  socket.on('JOIN_ROOM', (payload) => {
    enter(payload)
    socket.emit('ROOM_JOINED', { roomId: payload.roomId })
  })
  socket.on('PAYMENT_SUCCESS', (payload) => {
    enter(payload)
    socket.to(payload.roomId).emit('PAYMENT_SUCCESS', payload)
  })
})
http.listen({ port: Number(PORT), host: '127.0.0.1', backlog: 4096 })
