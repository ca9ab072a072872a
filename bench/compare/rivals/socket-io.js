// Socket.IO with its own rooms, over WebSocket only.
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const http = createServer()
// Pings of Socket.IO are text messages of its own, which the devices of the benchmark do not answer; no run takes ten minutes.
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false, pingInterval: 600_000 })

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
http.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 })
