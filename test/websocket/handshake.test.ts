// Upgrades before they are sockets: valid requests, and the end of the requests that fail.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import net from 'node:net'
import { Duplex, PassThrough } from 'node:stream'
import fc from 'fast-check'
import type { Test } from 'tap'
import t from 'tap'
import {
  handshakePattern, handshakeResponse, afterResponses, HANDSHAKE_TIMEOUT, checkHandshake, limitHandshakes, readHandshake, shouldUpgradeCallback
} from '../../src/websocket/handshake.js'
import { webSocketUpgrades } from '../../src/websocket/upgrades.js'
import { until } from '../until.js'

const UPGRADE = 'GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
/** Limit for handshakes that are meant to exceed it, ms. */
const SOON = 50

async function listening (t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as net.AddressInfo).port
}

/** Lets the process end despite the limit's timer and sockets without a network. */
function stayAwake (t: Test): void {
  const timer = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(timer))
}

/** Client that speaks first and records the answers. */
async function dial (t: Test, port: number, text: string): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('error', () => { /* the close that follows says it */ })
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

t.test('a server upgrades a request to a WebSocket, and to no other protocol', async (t) => {
  const server = createServer()
  const request = (upgrade: string) => ({ httpVersion: '1.1', headers: { upgrade, connection: 'Upgrade' } }) as IncomingMessage
  t.equal(shouldUpgradeCallback.call(server, request('websocket')), false, 'without a listener there is no check: Node.js would cut the connection')
  server.on('upgrade', () => {})
  t.equal(shouldUpgradeCallback.call(server, request('websocket')), true)
  t.equal(shouldUpgradeCallback.call(server, request('h2c')), false)
})

/** Lines of a handshake as browsers send it. */
const LINES = [
  'GET / HTTP/1.1', 'Host: here', 'Connection: keep-alive, Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Origin: https://shop.example', 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits', 'User-Agent: Mozilla/5.0 (X11; Linux x86_64)'
]
const head = (lines: readonly string[]) => Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')
/** Replaces one line by others, or removes it for the empty text. */
const changed = (at: number, ...lines: string[]) => head(LINES.flatMap((line, i) => i === at ? lines : [line]))

t.test('a valid handshake is read from its bytes', async (t) => {
  const rest = Buffer.from([0x81, 0x80, 0, 0, 0, 0])
  const whole = head(LINES)
  const read = readHandshake(Buffer.concat([whole, rest]))
  t.equal(read!.end, whole.length)
  t.equal(checkHandshake(read!), undefined)
  t.match(read!.headers, { origin: 'https://shop.example', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' })
  // Key and answer are those of RFC 6455 §1.3.
  t.match(String(handshakeResponse(read!)), /^HTTP\/1\.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n\r\n$/)
  t.ok(readHandshake(changed(8, '__proto__: a', 'constructor: b', 'Accept: a', 'Accept: b')), 'with unused headers')
  for (const url of ['/', '/?', '/?client=shop&x=%E0%A4%A']) t.ok(readHandshake(changed(0, `GET ${url} HTTP/1.1`)), url)
  t.equal(readHandshake(changed(6, 'ORIGIN:  \there \t '))!.headers.origin, 'here')
  t.ok(readHandshake(changed(8, ...Array.from({ length: 92 }, (_, i) => `X-${i}: y`))), 'with a hundred headers')
})

t.test('an ambiguous request, or one for another route, is left to HTTP', async (t) => {
  for (const [what, bytes] of [
    ['nothing', Buffer.alloc(0)],
    ['half', head(LINES).subarray(0, 60)],
    ['all but the last byte', head(LINES).subarray(0, -1)],
    ['all but the last line', head(LINES).subarray(0, -2)],
    ['POST', changed(0, 'POST / HTTP/1.1')],
    ['another route', changed(0, 'GET /api HTTP/1.1')],
    ['two slashes', changed(0, 'GET // HTTP/1.1')],
    ['an encoded one', changed(0, 'GET /%2F HTTP/1.1')],
    ['absolute form', changed(0, 'GET http://here/ HTTP/1.1')],
    ['HTTP/1.0', changed(0, 'GET / HTTP/1.0')],
    ['a byte that is no ASCII in the query', changed(0, 'GET /?\xe7 HTTP/1.1')],
    ['an empty line before it', Buffer.concat([Buffer.from('\r\n'), head(LINES)])],
    ['no Host', changed(1)],
    ['two Hosts', changed(1, 'Host: here', 'host: there')],
    ['no upgrade', changed(3)],
    ['another upgrade', changed(3, 'Upgrade: h2c')],
    ['two upgrades', changed(3, 'Upgrade: websocket', 'Upgrade: h2c')],
    ['a connection that is none', changed(2, 'Connection: close')],
    ['two keys', changed(5, LINES[5]!, LINES[5]!)],
    ['a length', changed(8, 'Content-Length: 0')],
    ['a body', changed(8, 'Transfer-Encoding: chunked')],
    ['an expectation', changed(8, 'Expect: 100-continue')],
    ['a subprotocol', changed(8, 'Sec-WebSocket-Protocol: a, b')],
    ['a folded header', changed(8, 'X: a', ' b')],
    ['a space before the colon', changed(8, 'X : a')],
    ['no name', changed(8, ': a')],
    ['no colon', changed(8, 'X')],
    ['a NUL', changed(8, 'X: a\0b')],
    ['a lone CR', changed(8, 'X: a\rb')],
    ['a lone LF', changed(8, 'X: a\nY: b')],
    ['a byte that is no ASCII', changed(8, 'X: \xe7')],
    ['a hundred headers and one', changed(8, ...Array.from({ length: 94 }, (_, i) => `X-${i}: y`))],
    ['a long header', changed(8, `X: ${'y'.repeat(5000)}`)]
  ] as const) t.equal(readHandshake(bytes), undefined, what)
})

t.test('every request accepted as a handshake is the same request for HTTP', async (t) => {
  const server = createServer((_request, response) => { response.end() })
  let received: { request: IncomingMessage, head: Buffer } | undefined
  server.on('upgrade', (request: IncomingMessage, network: Duplex, head: Buffer) => {
    received = { request, head }
    network.destroy()
  })
  server.on('clientError', (_error, network: Duplex) => { network.destroy() })
  const odd = fc.constantFrom('\r', '\n', '\r\n', '\r\n ', ' ', '\t', ':', ',', '\0', '\x7f', '\x80', '\xff', '"', 'a', 'Z', '-', '_', '%', '?', '#', 'Host: x\r\n', 'upgrade')
  const edits = fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(2), put: odd }), { maxLength: 3 })
  const behind = fc.uint8Array({ maxLength: 10 })
  let accepted = 0
  await fc.assert(fc.asyncProperty(fc.shuffledSubarray(LINES.slice(1), { minLength: 5 }), edits, behind, async (lines, edits, behind) => {
    let text = [LINES[0]!, ...lines, '', ''].join('\r\n')
    for (const { at, cut, put } of edits) {
      const place = Math.floor(at * text.length)
      text = text.slice(0, place) + put + text.slice(place + cut)
    }
    const bytes = Buffer.concat([Buffer.from(text, 'latin1'), behind])
    const read = readHandshake(bytes)
    if (!read) return
    accepted++
    received = undefined
    const network = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => { done() } })
    server.emit('connection', network)
    network.push(bytes)
    await once(network, 'close')
    const { request, head } = received!
    assert.ok(request.method === 'GET' && /^\/(\?.*)?$/.test(request.url!) && request.httpVersion === '1.1')
    for (const [name, value] of Object.entries(read.headers)) assert.equal(value, request.headers[name], name)
    assert.deepEqual(head, bytes.subarray(read.end))
  }), { numRuns: 3000 })
  t.ok(accepted > 300, `${accepted} were accepted`)
})

t.test('a handshake at a path is accepted there, with and without a slash at its end, and nowhere else', async (t) => {
  const headers = 'Host: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  const isRead = (path: string, url: string) => readHandshake(Buffer.from(`GET ${url} HTTP/1.1\r\n${headers}`), handshakePattern(path)) !== undefined
  for (const url of ['/a.b/c', '/a.b/c/', '/a.b/c?x=1', '/a.b/c/?x=/']) t.ok(isRead('/a.b/c', url), url)
  for (const url of ['/', '/a.b', '/a.b/cd', '/a.b/c/d', '/axb/c', '/a.b/c//', '//a.b/c', '/A.b/c', '/a.b/%63', 'http://here/a.b/c']) t.notOk(isRead('/a.b/c', url), url)
  t.notOk(isRead('', '/a.b/c'))
})

t.test('a handshake needs HTTP/1.1, version 13 and a key of 16 bytes; the error names a wrong one', async (t) => {
  const headers = { 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  t.equal(checkHandshake({ httpVersion: '1.1', headers }), undefined)
  t.match(checkHandshake({ httpVersion: '1.0', headers }), /HTTP\/1\.1/)
  for (const version of [undefined, '', '8', '013', '13.0', '13, 8']) {
    t.match(checkHandshake({ httpVersion: '1.1', headers: { ...headers, 'sec-websocket-version': version } }), /^Sec-WebSocket-Version /, String(version))
  }
  for (const key of [undefined, '', 'short', 'A'.repeat(24), `${'A'.repeat(22)}== `, `${'-'.repeat(22)}==`]) {
    t.match(checkHandshake({ httpVersion: '1.1', headers: { ...headers, 'sec-websocket-key': key } }), /^Sec-WebSocket-Key /, String(key))
  }
})

t.test('an unfinished handshake is cut off after its limit; a finished one stays open', async (t) => {
  const server = createServer()
  const { done } = limitHandshakes(server, SOON)
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

  // The other request began earlier, so its limit has passed too when this one is cut off.
  const hung = await dial(t, port, UPGRADE)
  hung.resume()
  await once(hung, 'close')
  t.equal(upgraded[1]!.destroyed, true)
  t.equal(upgraded[0]!.destroyed, false)
  finished.write('still here')
  t.equal(String(await once(finished, 'data')), 'still here')
})

t.test('a plain request has no handshake limit', async (t) => {
  const server = createServer((_request, response) => { setTimeout(() => response.end('slow'), SOON * 3) })
  limitHandshakes(server, SOON)
  const answer = await fetch(`http://127.0.0.1:${await listening(t, server)}/`)
  t.equal(await answer.text(), 'slow')
})

t.test('the limit starts before any other listener, which may throw', async (t) => {
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

t.test('a socket that closes by itself has its limit removed', async (t) => {
  stayAwake(t)
  const server = createServer()
  const { done } = limitHandshakes(server, SOON)
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

t.test('an upgrade waits for the earlier responses, and is dropped if one of them ends the connection', async (t) => {
  const server = createServer((request, response) => {
    setTimeout(() => response.writeHead(200, { 'Content-Length': 0, Connection: request.url === '/last' ? 'close' : 'keep-alive' }).end(), SOON)
  })
  let upgrades = 0
  server.on('upgrade', (_request, socket) => afterResponses(socket, () => {
    upgrades++
    socket.end('upgraded')
  }))
  const port = await listening(t, server)
  const answer = async (text: string) => {
    const peer = net.connect(port, '127.0.0.1')
    peer.write(text)
    let answers = ''
    for await (const chunk of peer) answers += String(chunk)
    return answers.match(/HTTP\/1\.1 200|upgraded/g)
  }
  const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: here\r\n\r\n`
  t.strictSame(await answer(UPGRADE), ['upgraded'])
  t.strictSame(await answer(request('/') + request('/') + UPGRADE), ['HTTP/1.1 200', 'HTTP/1.1 200', 'upgraded'])
  t.strictSame(await answer(request('/') + request('/last') + UPGRADE), ['HTTP/1.1 200', 'HTTP/1.1 200'])
  t.equal(upgrades, 2)
})

t.test('on the real server a handshake has less than ten seconds', async (t) => {
  t.ok(HANDSHAKE_TIMEOUT > 0 && HANDSHAKE_TIMEOUT < 10_000)
})

const H2C = 'Host: here\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n'

t.test('without shouldUpgradeCallback, an upgrade to another protocol becomes a plain request again', async (t) => {
  const requests: IncomingMessage[] = []
  const answers: Array<() => void> = []
  // Own server without shouldUpgradeCallback, so each upgrade is handed back.
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    requests.push(request)
    if (request.url === '/last') response.setHeader('connection', 'close')
    answers.push(() => { response.end(request.url) })
  })
  const { upgrades } = webSocketUpgrades(server, { timeout: HANDSHAKE_TIMEOUT })
  const upgraded: IncomingMessage[] = []
  upgrades.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    upgraded.push(request)
    socket.destroy()
  })
  const port = await listening(t, server)
  t.teardown(() => server.closeAllConnections())

  t.test('pipelined upgrades wait for the answers before their own', async (t) => {
    const socket = await dial(t, port, `GET /1 HTTP/1.1\r\nHost: here\r\n\r\nGET /2 HTTP/1.1\r\nHost: here\r\n\r\nGET /3 HTTP/1.1\r\n${H2C}GET /4 HTTP/1.1\r\n${H2C}GET /5 HTTP/1.1\r\nHost: here\r\n\r\n`)
    let received = ''
    socket.on('data', (bytes) => { received += String(bytes) })
    const urls = () => requests.map(({ url }) => url)
    await until('the first two requests arrived', () => answers.length === 2)
    answers[1]!()
    answers[0]!()
    await until('the third request arrived', () => answers.length === 3)
    t.strictSame(urls(), ['/1', '/2', '/3'])
    answers[2]!()
    await until('all requests arrived', () => answers.length === 5)
    t.strictSame(urls(), ['/1', '/2', '/3', '/4', '/5'])
    t.match(requests[2]!.headers, { upgrade: undefined, connection: 'Upgrade, HTTP2-Settings', 'http2-settings': /./ })
    answers[3]!()
    answers[4]!()
    await until('all requests are answered', () => received.includes('/5'))
    t.strictSame(received.match(/\/\d$|\/\d(?=HTTP)/gm), ['/1', '/2', '/3', '/4', '/5'])
    t.equal(socket.readyState, 'open')
  })

  t.test('after the connection\'s last answer no request is answered', async (t) => {
    const before = requests.length
    const waits = once(server, 'upgrade')
    const socket = await dial(t, port, `GET /last HTTP/1.1\r\nHost: here\r\n\r\nGET /late HTTP/1.1\r\n${H2C}`)
    await waits
    answers.at(-1)!()
    socket.resume()
    await once(socket, 'close')
    t.equal(requests.length, before + 1)
  })

  t.test('a request with incomplete headers is refused', async (t) => {
    const before = requests.length
    server.maxHeadersCount = 101
    server.once('clientError', ({ code }: NodeJS.ErrnoException, socket: Duplex) => socket.end(code))
    const many = Array.from({ length: 101 }, (_, i) => `X-${i}: y\r\n`).join('')
    const socket = await dial(t, port, `POST / HTTP/1.1\r\n${many}Content-Length: 29\r\n${H2C}GET /smuggled HTTP/1.1\r\n\r\n`)
    t.equal(String(await once(socket, 'data')), 'HPE_HEADER_OVERFLOW')
    socket.resetAndDestroy()
    t.equal(requests.length, before)
  })

  t.test('a peer that leaves while its request waits causes no error', async (t) => {
    const before = requests.length
    const socket = await dial(t, port, `GET /first HTTP/1.1\r\nHost: here\r\n\r\nGET /second HTTP/1.1\r\n${H2C}`)
    await until('the first request arrived', () => answers.length > before)
    socket.resetAndDestroy()
    await until('the peer is gone', () => requests.at(-1)!.socket.destroyed)
    answers.at(-1)!()
    t.equal(requests.length, before + 1)
  })

  t.test('a WebSocket is upgraded, and ws receives no other protocol in the header', async (t) => {
    const socket = await dial(t, port, UPGRADE.replace('websocket', 'h2c, WebSocket'))
    await once(socket, 'close')
    t.equal(upgraded[0]!.headers.upgrade, 'websocket')
  })
})
