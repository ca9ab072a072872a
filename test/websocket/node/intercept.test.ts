// What a connection says first: it is taken, or HTTP never notices that somebody looked; and nobody is looked at for long.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { interceptConnections, type TryClaim } from '../../../src/websocket/node/intercept.js'
import { until } from '../../until.js'

const REQUEST = 'GET / HTTP/1.1\r\nHost: here\r\n\r\n'
const TAKEN = 'mine'

/** A server whose connections are looked at; with an answer for those that are requests. */
async function serve (t: Test, take: TryClaim, isVersionKnown?: boolean): Promise<{ server: Server, give: () => void, dial: () => Promise<Socket> }> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => { body += String(chunk) }).on('end', () => response.end(`${request.method} ${body.length}`))
  })
  const give = interceptConnections(server, take, isVersionKnown)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const dial = async () => {
    const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay().on('error', () => {})
    t.teardown(() => peer.destroy())
    await once(peer, 'connect')
    return peer
  }
  return { server, give, dial }
}

/** What comes back for these bytes, as far as it has to come. */
async function answer (peer: Socket, bytes: string, end: string): Promise<string> {
  let text = ''
  const hear = (chunk: Buffer) => { text += String(chunk) }
  peer.on('data', hear).write(bytes)
  await until(() => `an answer that ends with ${end}, after ${text}`, () => text.endsWith(end))
  peer.off('data', hear)
  return text
}

const never = (t: Test): TryClaim => () => {
  t.fail('asked')
  return false
}

t.test('who is taken is nobody else\'s; all others are HTTP\'s, with their first bytes', async (t) => {
  const seen: string[] = []
  const taken: Socket[] = []
  const { server, dial } = await serve(t, (connection, bytes) => {
    seen.push(String(bytes))
    if (String(bytes) !== TAKEN) return false
    const stream = connection.openStream()!
    taken.push(stream)
    connection.listener = { onData: (memory, length) => { stream.write(`back ${memory.toString('utf8', 0, length)}`) }, onClose: () => {} }
    stream.write('hello')
    return true
  })
  const mine = await dial()
  t.equal(await answer(mine, TAKEN, 'hello'), 'hello')
  t.equal(await answer(mine, 'more', 'more'), 'back more', 'what comes then is theirs')
  t.strictSame(taken[0]!.listenerCount('timeout'), 0, 'HTTP does not listen to it')

  const request = await dial()
  t.match(await answer(request, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.match(await answer(request, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /, 'and the next one on the same connection')
  const body = 'x'.repeat(300_000)
  const upload = await dial()
  t.match(await answer(upload, `POST / HTTP/1.1\r\nHost: here\r\nContent-Length: ${body.length}\r\n\r\n${body}`, `POST ${body.length}`), /^HTTP\/1\.1 200 /, 'a body in many chunks')
  const inParts = await dial()
  inParts.write(REQUEST.slice(0, 10))
  await sleep(20)
  t.match(await answer(inParts, REQUEST.slice(10), 'GET 0'), /^HTTP\/1\.1 200 /)
  t.strictSame(seen.map((text) => text.slice(0, 10)), [TAKEN, 'GET / HTTP', 'POST / HTT', 'GET / HTTP'], 'only the first chunk of each was shown')
  t.equal(server.listenerCount('connection'), 1)
})

t.test('one that HTTP upgrades is a stream as ever', async (t) => {
  const { server, dial } = await serve(t, () => false)
  const rest = 'x'.repeat(100_000)
  let heard = ''
  server.on('upgrade', (_request, socket: Socket, head: Buffer) => {
    heard += String(head)
    socket.on('data', (chunk: Buffer) => {
      heard += String(chunk)
      // As one that has enough for now.
      socket.pause()
      setTimeout(() => socket.resume(), 5)
    }).on('end', () => socket.end('ended')).write('go')
  })
  const peer = await dial()
  await answer(peer, 'GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nfirst ', 'go')
  const [one, other] = [await dial(), await dial()]
  for (const letter of 'abc') {
    peer.write(letter + rest)
    t.match(await answer(one, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /, 'others are read meanwhile')
    t.match(await answer(other, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  }
  const goodbye = once(peer.end(), 'data')
  t.equal(String((await goodbye)[0]), 'ended')
  t.ok(heard === `first a${rest}b${rest}c${rest}`, 'all of it came, in order')
})

t.test('a connection that ends or is cut before it said anything leaves nothing behind', async (t) => {
  const { server, dial } = await serve(t, never(t))
  server.on('connection', () => t.fail('HTTP heard of it'))
  const [ended, cut] = [await dial(), await dial()]
  ended.end()
  cut.resetAndDestroy()
  await once(ended.resume(), 'close')
  await sleep(1_000)
})

t.test('one that says nothing is HTTP\'s soon, whose limits are for it, and what it says late is a request', async (t) => {
  const { dial } = await serve(t, never(t))
  const late = await dial()
  // HTTP reads it past net.Socket, so its first bytes are not shown any more.
  await sleep(1_500)
  t.match(await answer(late, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
})

t.test('once they are given away, nobody is looked at any more', async (t) => {
  const { give, dial } = await serve(t, never(t))
  const before = await dial()
  await sleep(20)
  give()
  t.match(await answer(before, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.match(await answer(await dial(), REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
})

t.test('a server that takes no more connections takes none of these either', async (t) => {
  const { server, dial } = await serve(t, () => false)
  server.maxConnections = 1
  await answer(await dial(), REQUEST, 'GET 0')
  const refused = await dial()
  refused.write(REQUEST)
  await once(refused.resume(), 'close')
})

t.test('connections of another kind are HTTP\'s at once', async (t) => {
  const { server } = await serve(t, never(t))
  server.close()
  // not t.testdir(): sun_path holds 107 bytes, and the folder's name alone is longer where the project lies deep (unix(7))
  const folder = mkdtempSync(join(tmpdir(), 'first-read-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'socket')
  server.listen(path)
  await once(server, 'listening')
  const peer = connect(path)
  t.teardown(() => peer.destroy())
  t.match(await answer(peer, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
})

t.test('on a version of Node.js that nobody has tried, all is HTTP\'s at once', async (t) => {
  const { dial } = await serve(t, never(t), false)
  t.match(await answer(await dial(), REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
})
