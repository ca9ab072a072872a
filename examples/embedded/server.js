// A shop with routes and a socket of its own, and the payment rooms in the same process, under /payments.
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import { paymentRooms, serverOptions } from 'ws-payment-server'

const { PORT = 3002, KEY, TOKEN_SECRET } = process.env
if (!KEY || !TOKEN_SECRET) throw new Error('KEY and TOKEN_SECRET are needed')

const app = Fastify({ ...serverOptions(), logger: { level: 'warn' } })

await app.register(paymentRooms, {
  prefix: '/payments',
  apiKeys: [KEY],
  tokenSecret: TOKEN_SECRET,
  resultsFrom: 'backend',
  maxRoomMembers: 4
})

// The shop's own socket and routes: nothing of the payment rooms applies to them.
await app.register(websocket)
app.get('/support', { websocket: true }, (socket) => {
  socket.on('message', (message) => socket.send(`You said: ${message}`))
})

/** Creates the room of a payment, through the REST API of the payment rooms and without the network. */
app.post('/checkout', async (_request, reply) => {
  const created = await app.inject({ method: 'POST', url: '/payments/api/rooms', headers: { authorization: `Bearer ${KEY}` } })
  if (created.statusCode !== 201) return reply.code(503).send({ error: 'No payment can begin now.' })
  const { roomId, tokens } = created.json().data
  return { roomId, token: tokens.device1, link: `/pay#room=${roomId}&token=${tokens.device2}` }
})

await app.listen({ port: Number(PORT) })
console.log(`the shop listens at http://localhost:${app.server.address().port}`)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())
