// HttpPost against receivers that are slow, die, answer too much, or have a wrong certificate.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { makeCertificates, withoutOpenssl } from '../certificates.js'
import { HttpPost, type HttpPostOptions } from '../../src/webhooks/http-post.js'
import { until } from '../until.js'

const RESPONSE = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

function postTo (t: Test, options: Partial<HttpPostOptions> = {}) {
  const post = new HttpPost({ allowPrivate: true, ...options })
  t.teardown(() => post.close())
  return post
}

/** Starts a server of bytes, which answers each request by itself. */
async function rawServer (t: Test, answer: (socket: net.Socket, count: number) => void) {
  const sockets = new Set<net.Socket>()
  let requests = 0
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => { if (bytes.includes('POST')) answer(socket, ++requests) })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`), sockets, requests: () => requests }
}

t.test('a receiver that never answers is given up after the time limit', async (t) => {
  const { url } = await rawServer(t, () => {})
  t.strictSame(await postTo(t, { timeout: 100 }).send(url, {}, '{}'), { error: 'timeout' })
})

t.test('the time limit includes the look-up of the name', async (t) => {
  const post = postTo(t, { timeout: 100, resolve: () => new Promise(() => {}) })
  t.strictSame(await post.send(new URL('http://slow.example/'), {}, '{}'), { error: 'timeout' })
})

t.test('a receiver that answers 200 and dies has taken the webhook', async (t) => {
  const { url } = await rawServer(t, (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of', () => socket.destroy()))
  t.strictSame(await postTo(t).send(url, {}, '{}'), { status: 200, retryAfter: undefined })
})

t.test('a receiver that dies before its answer has not', async (t) => {
  const { url } = await rawServer(t, (socket) => socket.destroy())
  t.strictSame(await postTo(t).send(url, {}, '{}'), { error: 'connection' })
})

t.test('an answer without end is cut off', async (t) => {
  const { url, sockets } = await rawServer(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n')
    const timer = setInterval(() => { if (!socket.write('x'.repeat(10_000))) clearInterval(timer) }, 1)
    socket.on('close', () => clearInterval(timer))
  })
  t.strictSame(await postTo(t).send(url, {}, '{}'), { status: 200, retryAfter: undefined })
  await until('the connection is closed', () => [...sockets].every(({ destroyed }) => destroyed))
})

t.test('connections are used again, and one that the receiver has just closed is replaced', async (t) => {
  const { url, sockets, requests } = await rawServer(t, (socket, count) => {
    if (count === 3) socket.resetAndDestroy()
    else socket.write(RESPONSE)
  })
  const post = postTo(t)
  for (let i = 0; i < 3; i++) {
    t.strictSame(await post.send(url, {}, '{}'), { status: 200, retryAfter: undefined })
    await until('the connection is free', async () => { await new Promise((resolve) => setTimeout(resolve, 20)); return true })
  }
  t.equal(sockets.size, 2)
  t.equal(requests(), 4)
})

t.test('the end cuts off requests that are under way', async (t) => {
  const { url, requests } = await rawServer(t, () => {})
  const post = postTo(t)
  const answer = post.send(url, {}, '{}')
  await until('it is sent', () => requests() === 1)
  post.close()
  t.strictSame(await answer, { error: 'connection' })
})

t.test('a name that does not exist', async (t) => {
  const missing = async () => { throw Object.assign(new Error('not found'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }) }
  t.strictSame(await postTo(t, { resolve: missing }).send(new URL('https://shop.example/'), {}, '{}'), { error: 'dns' })
  t.strictSame(await postTo(t).send(new URL('http://does-not-exist.invalid/'), {}, '{}'), { error: 'dns' }, 'with the resolver of the system')
})

t.test('the certificate of a receiver is verified for its name', { skip: withoutOpenssl }, async (t) => {
  const { ca, cert, key } = makeCertificates(t, 'DNS:localhost')
  const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_request, response) => response.end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
  t.strictSame(await postTo(t, { resolve }).send(new URL(`https://localhost:${port}/`), {}, '{}'), { error: 'tls' }, 'of an unknown authority')
  t.strictSame(await postTo(t, { resolve, ca: readFileSync(ca, 'utf8') }).send(new URL(`https://localhost:${port}/`), {}, '{}'), { status: 200, retryAfter: undefined })
  t.strictSame(await postTo(t, { resolve, ca: readFileSync(ca, 'utf8') }).send(new URL(`https://other.example:${port}/`), {}, '{}'), { error: 'tls' }, 'of another name')
})
