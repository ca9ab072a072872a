// Addresses of clients behind a proxy: the same for a request and for a handshake, with and without the fast path.
import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { FastifyServerOptions } from 'fastify'
import { WebSocket } from 'ws'
import { paymentRooms, type PaymentRoomsOptions } from '../../src/payment-rooms.js'
import { createHost, listen, QUICK } from './host.js'

const [CLIENT, OTHER] = ['192.0.2.1', '192.0.2.2']

/** Opens a socket for a client behind the proxy, and keeps it. @returns the status of the answer */
async function open (t: Test, address: string, forwardedFor: string): Promise<number> {
  const socket = new WebSocket(`ws://${address}/payments`, { headers: { 'x-forwarded-for': forwardedFor } })
  t.teardown(() => socket.terminate())
  return Promise.race([once(socket, 'open').then(() => 101), once(socket, 'unexpected-response').then(([, { statusCode }]) => statusCode as number)])
}

const CASES: ReadonlyArray<{ readonly name: string, readonly server: FastifyServerOptions, readonly plugin: PaymentRoomsOptions, readonly isClient: boolean }> = [
  { name: 'no proxy is trusted', server: {}, plugin: {}, isClient: false },
  { name: 'the server trusts the proxy', server: { trustProxy: true }, plugin: {}, isClient: true },
  { name: 'the server trusts the proxy by a function', server: { trustProxy: (address: string) => address === '127.0.0.1' }, plugin: {}, isClient: true },
  { name: 'the server trusts another proxy', server: { trustProxy: '10.0.0.1' }, plugin: {}, isClient: false },
  { name: 'the plugin trusts the proxy', server: {}, plugin: { trustProxy: ['127.0.0.1'] }, isClient: true },
  { name: 'the plugin trusts another proxy', server: {}, plugin: { trustProxy: '10.0.0.1' }, isClient: false },
  { name: 'both trust the proxy', server: { trustProxy: '127.0.0.1' }, plugin: { trustProxy: 'loopback' }, isClient: true }
]

for (const { name, server, plugin, isClient } of CASES) {
  for (const fastPath of ['auto', 'off'] as const) {
    t.test(`${name}, with the fast path ${fastPath}`, async (t) => {
      const { app } = createHost(t, server)
      app.register(paymentRooms, { ...QUICK, prefix: '/payments', maxConnectionsPerIp: 1, requestsPerSecond: 1, fastPath, ...plugin })
      const address = await listen(app)
      t.equal(await open(t, address, CLIENT), 101)
      t.equal(await open(t, address, CLIENT), 429, 'the same client')
      t.equal(await open(t, address, OTHER), isClient ? 101 : 429, 'another client')

      const ask = async (forwardedFor: string) => (await fetch(`http://${address}/payments/api/rooms`, { headers: { 'x-forwarded-for': forwardedFor } })).status
      t.equal(await ask(CLIENT), 200)
      t.equal(await ask(OTHER), isClient ? 200 : 429)
    })
  }
}
