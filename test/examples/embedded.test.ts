// The example of a server with the payment rooms as a plugin: its own route and socket work, and events go from one device to the other.
import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { Peer } from '../peer.js'
import { startExample } from './example.js'

t.test('The shop begins a payment, and both devices join its room', async (t) => {
  const { origin, output } = await startExample(t, 'examples/embedded/server.js', { KEY: 'k-1234', TOKEN_SECRET: 's'.repeat(32) })
  const { roomId, token, link } = await (await fetch(`${origin}/checkout`, { method: 'POST' })).json() as Record<string, string>
  const parts = new URLSearchParams(link!.split('#')[1])
  t.equal(parts.get('room'), roomId)

  const sockets = origin.replace('http', 'ws')
  const [shop, phone] = [await Peer.connect(t, `${sockets}/payments`), await Peer.connect(t, `${sockets}/payments`)]
  shop.send('JOIN_ROOM', { roomId, token })
  phone.send('JOIN_ROOM', { roomId, token: parts.get('token') })
  await Promise.all([shop.next('ROOM_JOINED'), phone.next('ROOM_JOINED')])
  phone.send('ENTERED_SUMMARY', { roomId })
  t.match(await shop.next('ENTERED_SUMMARY'), { seq: 1 })

  const support = new WebSocket(`${sockets}/support`)
  t.teardown(() => support.terminate())
  await once(support, 'open')
  support.send('hello')
  t.equal(String((await once(support, 'message'))[0]), 'You said: hello')

  t.equal((await fetch(`${origin}/payments/api/rooms`)).status, 401, 'the API requires its key')
  t.equal((await fetch(`${origin}/health`)).status, 404, 'outside the prefix there is no route')
  t.notMatch(output(), /warn|error/i)
})
