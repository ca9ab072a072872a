// ws over several nodes, with pub/sub of Redis: a channel for each room, and no log. It parses nothing and checks nothing. The path of the URL is the room.
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { WebSocketServer } from 'ws'

const { REDIS_URL, REDIS_PREFIX, PORT } = process.env
const commands = new Redis(REDIS_URL)
const subscriber = new Redis(REDIS_URL)
/** Rooms with a socket on this node, by their channel. */
const rooms = new Map()
const NODE = randomUUID()
const server = new WebSocketServer({ port: Number(PORT), host: '127.0.0.1', perMessageDeflate: false, backlog: 4096 })

const sendToOthers = (room, sender, text) => { for (const socket of room) if (socket !== sender && socket.readyState === 1) socket.send(text) }

// A message begins with the name of its node, which has delivered it to its own sockets.
subscriber.on('message', (channel, message) => {
  const room = rooms.get(channel)
  if (room && !message.startsWith(NODE)) sendToOthers(room.sockets, undefined, message.slice(NODE.length))
})

function roomOf (channel) {
  const room = rooms.get(channel) ?? { sockets: new Set(), subscribed: subscriber.subscribe(channel) }
  rooms.set(channel, room)
  return room
}

server.on('connection', async (socket, { url }) => {
  const channel = REDIS_PREFIX + url
  const { sockets, subscribed } = roomOf(channel)
  sockets.add(socket)
  socket.on('message', (data) => {
    const text = String(data)
    sendToOthers(sockets, socket, text)
    void commands.publish(channel, NODE + text)
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    sockets.delete(socket)
    if (sockets.size > 0) return
    rooms.delete(channel)
    void subscriber.unsubscribe(channel)
  })
  await subscribed
  socket.send('{"type":"ROOM_JOINED"}')
})
