// Plugin on a host that speaks TLS itself: its sockets go through HTTP, not the fast path.
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { FastifyServerOptions } from 'fastify'
import { paymentRooms } from '../../src/payment-rooms.js'
import { makeCertificates, withoutOpenssl } from '../certificates.js'
import { Peer } from '../peer.js'
import { createHost, listen, QUICK } from './host.js'

t.test('sockets of the plugin work over TLS', { skip: withoutOpenssl }, async (t) => {
  const { ca, cert, key } = makeCertificates(t, 'IP:127.0.0.1')
  const { app } = createHost(t, { https: { cert: readFileSync(cert), key: readFileSync(key) } } as FastifyServerOptions)
  app.register(paymentRooms, { ...QUICK, prefix: '/payments' })
  const address = await listen(app)
  const options = { ca: readFileSync(ca) }
  const [first, second] = [await Peer.connect(t, `wss://${address}/payments`, options), await Peer.connect(t, `wss://${address}/payments/`, options)]
  await first.join('r')
  await second.join('r')
  second.send('ENTERED_SUMMARY', { roomId: 'r' })
  t.match(await first.next('ENTERED_SUMMARY'), { seq: 1 })
  await t.rejects(Peer.connect(t, `ws://${address}/payments`), 'no socket without TLS')
})
