// Origins of browsers: the socket and the API follow one list.
import t from 'tap'
import { WebSocket } from 'ws'
import { listen } from '../build.js'
import { Peer } from '../peer.js'

const refused = (url: string, origin: string) => new Promise<number | undefined>((resolve) => {
  const socket = new WebSocket(url, { origin })
  socket.on('unexpected-response', (request, answer) => {
    request.destroy()
    resolve(answer.statusCode)
  })
  socket.on('error', () => { /* the handler above has the answer */ })
  socket.on('open', () => {
    socket.terminate()
    resolve(undefined)
  })
})

t.test('by default a page of any origin may connect and call the API', async (t) => {
  const { app, url } = await listen(t)
  await Peer.connect(t, url, { origin: 'https://anything.example' })
  const answer = await app.inject({ url: '/health', headers: { origin: 'https://anything.example' } })
  t.equal(answer.headers['access-control-allow-origin'], '*')
})

t.test('with ALLOWED_ORIGINS set, only exact origins and clients without an origin may connect', async (t) => {
  const { app, url } = await listen(t, { env: { ALLOWED_ORIGINS: 'https://shop.example, http://localhost:5173' } })
  await Peer.connect(t, url, { origin: 'https://shop.example' })
  await Peer.connect(t, url, { origin: 'http://localhost:5173' })
  await Peer.connect(t, url)
  for (const origin of ['https://evil.example', 'http://shop.example', 'https://shop.example.evil.example', 'https://shop.example:8443', 'null']) {
    t.equal(await refused(url, origin), 403, origin)
  }
  const preflight = (origin: string) => app.inject({
    method: 'OPTIONS', url: '/api/rooms/r/events', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
  })
  const allowed = await preflight('https://shop.example')
  t.equal(allowed.statusCode, 204)
  t.match(allowed.headers, { 'access-control-allow-origin': 'https://shop.example', 'access-control-allow-methods': 'GET, POST, DELETE', 'access-control-max-age': '7200' })
  t.notOk((await preflight('https://evil.example')).headers['access-control-allow-origin'])
  t.equal(app.sessions.size, 3)
})
