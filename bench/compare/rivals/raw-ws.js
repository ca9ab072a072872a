// Limit of the ws library: a relay that parses nothing, checks nothing and keeps nothing. The path of the URL is the room.
import { WebSocketServer } from 'ws'

const TEXT = { binary: false }
const rooms = new Map()
const server = new WebSocketServer({ port: Number(process.env.PORT), host: '127.0.0.1', perMessageDeflate: false, backlog: 4096 })

server.on('connection', (socket, { url }) => {
  const room = rooms.get(url) ?? new Set()
  rooms.set(url, room.add(socket))
  socket.on('message', (data) => { for (const other of room) if (other !== socket && other.readyState === 1) other.send(data, TEXT) })
  socket.on('error', () => {})
  socket.on('close', () => {
    room.delete(socket)
    if (room.size === 0) rooms.delete(url)
  })
  socket.send('{"type":"ROOM_JOINED"}')
})
