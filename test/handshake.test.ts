// Upgrades before they are sockets: which requests are one, and what becomes of those that never get anywhere.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import net from 'node:net'
import { PassThrough, type Duplex } from 'node:stream'
import type { Test } from 'tap'
import t from 'tap'
import { HANDSHAKE_TIMEOUT, handshakeFault, interceptUpgrades, isPlainHandshake, limitHandshakes, upgradeConstraint } from '../src/handshake.js'

const UPGRADE = 'GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
/** For those handshakes that are meant to run into it, ms. */
const SOON = 50

async function listening (t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as net.AddressInfo).port
}

/** Neither the limit's timer nor a socket without a network keeps the process waiting for it. */
function stayAwake (t: Test): void {
  const timer = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(timer))
}

/** A client that speaks first and keeps what it hears. */
async function dial (t: Test, port: number, text: string): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('error', () => { /* the close that follows says it */ })
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

t.test('an upgrade is a request with both headers, however they are written', async (t) => {
  for (const headers of [
    { upgrade: 'websocket', connection: 'Upgrade' }, { upgrade: 'WebSocket', connection: 'upgrade' }, { upgrade: 'WEBSOCKET', connection: 'keep-alive, Upgrade' },
    { upgrade: 'websocket', connection: 'UPGRADE,keep-alive' }
  ]) t.equal(upgradeConstraint.deriveConstraint({ headers }), 'websocket', JSON.stringify(headers))
  for (const headers of [
    {}, { upgrade: 'websocket' }, { connection: 'Upgrade' }, { upgrade: '', connection: 'Upgrade' }, { upgrade: 'websocket', connection: 'keep-alive' },
    { upgrade: 'websocket', connection: 'close' }, { upgrade: 'websocket', connection: 'upgraded' }, { upgrade: 'websocket', connection: '' }
  ]) t.equal(upgradeConstraint.deriveConstraint({ headers }), undefined, JSON.stringify(headers))
  t.equal(upgradeConstraint.deriveConstraint({ headers: { upgrade: 'h2c', connection: 'Upgrade' } }), 'h2c', 'another protocol is another upgrade')
})

t.test('a handshake that needs no router is one at the socket\'s route, with a head in order', async (t) => {
  const headers = { connection: 'Upgrade', upgrade: 'websocket' }
  const rawHeaders = ['Host', 'here', 'Connection', 'Upgrade', 'Upgrade', 'websocket']
  const plain = { method: 'GET', url: '/', httpVersion: '1.1', headers, rawHeaders }
  for (const url of ['/', '/?', '/?client=shop']) t.ok(isPlainHandshake({ ...plain, url } as IncomingMessage), url)
  for (const change of [
    { method: 'POST' }, { method: 'HEAD' }, { url: '/api' }, { url: '//' }, { url: '' }, { url: undefined }, { url: 'http://here/' }, { url: '/%2F' }, { headers: {} },
    { headers: { ...headers, upgrade: 'h2c' } }, { headers: { upgrade: 'websocket' } }, { rawHeaders: ['Host', 'here', 'host', 'there'] }, { rawHeaders: ['Connection', 'Upgrade'] },
    { rawHeaders: [...rawHeaders, ...Array.from({ length: 200 }, () => 'x')] }
  ]) t.notOk(isPlainHandshake({ ...plain, ...change } as IncomingMessage), JSON.stringify(change).slice(0, 100))
})

t.test('what is put before all that takes upgrades leaves them what it does not take', async (t) => {
  const server = createServer()
  const heard: string[] = []
  const upgrade = (url: string) => server.emit('upgrade', { url }, 'the network', 'the head')
  for (const name of ['first', 'second']) server.on('upgrade', (...args) => heard.push(`${name} ${JSON.stringify(args)}`))
  interceptUpgrades(server, ({ url }, network, head) => {
    heard.push(`asked ${url} ${String(network)} ${String(head)}`)
    return url === '/mine'
  })
  upgrade('/mine')
  t.strictSame(heard.splice(0), ['asked /mine the network the head'])
  upgrade('/theirs')
  const args = '[{"url":"/theirs"},"the network","the head"]'
  t.strictSame(heard, ['asked /theirs the network the head', `first ${args}`, `second ${args}`])
})

t.test('the router finds a route under its own kind of upgrade and no other', async (t) => {
  const routes = upgradeConstraint.storage<string>()
  routes.set('websocket', 'the socket')
  t.equal(routes.get('websocket'), 'the socket')
  for (const kind of ['h2c', '', 'toString', '__proto__']) t.equal(routes.get(kind), null, kind)
  t.equal(upgradeConstraint.storage<string>().get('websocket'), null, 'each router has its own')
  t.match(upgradeConstraint, { name: 'upgrade', mustMatchWhenDerived: true })
  t.equal(upgradeConstraint.validate(), true)
})

t.test('a handshake is HTTP/1.1, version 13, and a key of 16 bytes; what is wrong with another one is named', async (t) => {
  const headers = { 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  t.equal(handshakeFault({ httpVersion: '1.1', headers }), undefined)
  t.match(handshakeFault({ httpVersion: '1.0', headers }), /HTTP\/1\.1/)
  for (const version of [undefined, '', '8', '013', '13.0', '13, 8']) {
    t.match(handshakeFault({ httpVersion: '1.1', headers: { ...headers, 'sec-websocket-version': version } }), /^Sec-WebSocket-Version /, String(version))
  }
  for (const key of [undefined, '', 'short', 'A'.repeat(24), `${'A'.repeat(22)}== `, `${'-'.repeat(22)}==`]) {
    t.match(handshakeFault({ httpVersion: '1.1', headers: { ...headers, 'sec-websocket-key': key } }), /^Sec-WebSocket-Key /, String(key))
  }
})

t.test('a handshake that hangs is cut; one that is done lives on', async (t) => {
  const server = createServer()
  const done = limitHandshakes(server, SOON)
  const upgraded: Duplex[] = []
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    upgraded.push(socket)
    if (upgraded.length > 1) return
    done(request)
    socket.on('data', (data) => socket.write(data))
    socket.write('open')
  })
  const port = await listening(t, server)
  const finished = await dial(t, port, UPGRADE)
  t.equal(String(await once(finished, 'data')), 'open')

  // It began later, so when it is cut the other one's time is over as well.
  const hung = await dial(t, port, UPGRADE)
  hung.resume()
  await once(hung, 'close')
  t.equal(upgraded[1]!.destroyed, true)
  t.equal(upgraded[0]!.destroyed, false)
  finished.write('still here')
  t.equal(String(await once(finished, 'data')), 'still here')
})

t.test('a plain request has no such limit', async (t) => {
  const server = createServer((_request, response) => { setTimeout(() => response.end('slow'), SOON * 3) })
  limitHandshakes(server, SOON)
  const answer = await fetch(`http://127.0.0.1:${await listening(t, server)}/`)
  t.equal(await answer.text(), 'slow')
})

t.test('the limit is there before any other listener, which may throw', async (t) => {
  stayAwake(t)
  const server = createServer()
  server.on('upgrade', () => { throw new Error('refused oddly') })
  limitHandshakes(server, SOON)
  const socket = new PassThrough()
  t.throws(() => server.emit('upgrade', {}, socket), { message: 'refused oddly' })
  t.equal(socket.destroyed, false)
  await once(socket, 'close')
  t.equal(socket.destroyed, true)
})

t.test('a socket that closes by itself leaves nothing to cut', async (t) => {
  stayAwake(t)
  const server = createServer()
  const done = limitHandshakes(server, SOON)
  const [early, later] = [new PassThrough(), new PassThrough()]
  const request = {} as IncomingMessage
  server.emit('upgrade', request, early)
  server.emit('upgrade', {}, later)
  let cuts = 0
  early.destroy()
  await once(early, 'close')
  early.destroy = () => { cuts++; return early }
  await once(later, 'close')
  t.equal(cuts, 0)
  t.doesNotThrow(() => done(request))
  t.doesNotThrow(() => done({} as IncomingMessage), 'a request that it has never seen')
})

t.test('on the real server a handshake has less than ten seconds', async (t) => {
  t.ok(HANDSHAKE_TIMEOUT > 0 && HANDSHAKE_TIMEOUT < 10_000)
})
