// Minimal server for our protocol on µWebSockets.js: JSON in both directions, and a map of rooms. The same as ws-json.js otherwise.
import uWS from 'uWebSockets.js'

const rooms = new Map()
const send = (socket, message) => socket.send(JSON.stringify(message))

uWS.App().ws('/*', {
  compression: uWS.DISABLED,
  idleTimeout: 0,
  open: (socket) => send(socket, { type: 'CONNECTION_ESTABLISHED', payload: {} }),
  message: (socket, data) => {
    const { type, payload } = JSON.parse(Buffer.from(data))
    const own = socket.getUserData()
    if (!own.room) {
      own.name = payload.roomId
      own.room = rooms.get(own.name) ?? new Set()
      rooms.set(own.name, own.room.add(socket))
    }
    if (type === 'JOIN_ROOM') return send(socket, { type: 'ROOM_JOINED', payload: { roomId: own.name } })
    const text = JSON.stringify({ type, payload, timestamp: Date.now() })
    for (const other of own.room) if (other !== socket) other.send(text)
  },
  close: (socket) => {
    const { room, name } = socket.getUserData()
    room?.delete(socket)
    if (room?.size === 0) rooms.delete(name)
  }
}).listen('127.0.0.1', Number(process.env.PORT), () => {})
