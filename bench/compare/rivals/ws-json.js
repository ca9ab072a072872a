// Minimal server for our protocol: ws, JSON in both directions, and a map of rooms. No payload checks, no log, no limits.
import { WebSocketServer } from 'ws'

const rooms = new Map()
const server = new WebSocketServer({ port: Number(process.env.PORT), host: '127.0.0.1', perMessageDeflate: false, backlog: 4096 })

server.on('connection', (socket) => {
  let room
  let name
  socket.send(JSON.stringify({ type: 'CONNECTION_ESTABLISHED', payload: {} }))
  socket.on('message', (data) => {
    const { type, payload } = JSON.parse(data)
    if (!room) {
      name = payload.roomId
      room = rooms.get(name) ?? new Set()
      rooms.set(name, room.add(socket))
    }
    if (type === 'JOIN_ROOM') return socket.send(JSON.stringify({ type: 'ROOM_JOINED', payload: { roomId: name } }))
    const text = JSON.stringify({ type, payload, timestamp: Date.now() })
    for (const other of room) if (other !== socket && other.readyState === 1) other.send(text)
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    room?.delete(socket)
    if (room?.size === 0) rooms.delete(name)
  })
})
