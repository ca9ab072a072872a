// First bytes of a connection: a user claims the connection, or HTTP receives it unchanged; and no connection is held for long.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { BlockList, connect, createServer as createNetServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { interceptConnections, type TryClaim } from '../../../src/websocket/node/intercept.js'
import { acceptorOf } from '../../../src/websocket/node/internals.js'
import type { RawConnection } from '../../../src/websocket/node/raw-connection.js'
import { until } from '../../until.js'

const REQUEST = 'GET / HTTP/1.1\r\nHost: here\r\n\r\n'
const TAKEN = 'mine'

interface Served {
  readonly server: Server
  readonly give: () => void
  readonly dial: () => Promise<Socket>
  /** Reasons for which the interception stopped by itself. */
  readonly reasons: string[]
  readonly count: () => Promise<number>
}

/** Creates a server with interception, and an answer for the connections that are requests. */
async function serve (t: Test, tryClaim: TryClaim, options: ServerOptions = {}): Promise<Served> {
  const server = createServer(options, (request, response) => {
    let body = ''
    request.on('data', (chunk) => { body += String(chunk) }).on('end', () => response.end(`${request.method} ${body.length}`))
  })
  const reasons: string[] = []
  const give = interceptConnections(server, { tryClaim, headSize: 4_096, onOff: (reason) => reasons.push(reason) })
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
  return { server, give, dial, reasons, count: () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count))) }
}

/** Returns the answer to these bytes, up to the given end. */
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

t.test('a claimed connection is only its user\'s; all others go to HTTP with their first bytes', async (t) => {
  const seen: string[] = []
  const claimedStreams: Socket[] = []
  const { server, dial } = await serve(t, (connection, bytes) => {
    seen.push(String(bytes))
    if (String(bytes) !== TAKEN) return false
    const stream = connection.openStream()!
    claimedStreams.push(stream)
    connection.listener = { onData: (memory, length) => { stream.write(`back ${memory.toString('utf8', 0, length)}`) }, onClose: () => {} }
    stream.write('hello')
    return true
  })
  const mine = await dial()
  t.equal(await answer(mine, TAKEN, 'hello'), 'hello')
  t.equal(await answer(mine, 'more', 'more'), 'back more', 'later bytes go to the user')
  t.strictSame(claimedStreams[0]!.listenerCount('timeout'), 0, 'HTTP does not listen on it')

  const request = await dial()
  t.match(await answer(request, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.match(await answer(request, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /, 'the next request on the same connection')
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

t.test('a connection that HTTP upgrades is a normal stream', async (t) => {
  const { server, dial } = await serve(t, () => false)
  const rest = 'x'.repeat(100_000)
  let received = ''
  server.on('upgrade', (_request, socket: Socket, head: Buffer) => {
    received += String(head)
    socket.on('data', (chunk: Buffer) => {
      received += String(chunk)
      // Paused, as a reader that has enough for now.
      socket.pause()
      setTimeout(() => socket.resume(), 5)
    }).on('end', () => socket.end('ended')).write('go')
  })
  const peer = await dial()
  await answer(peer, 'GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nfirst ', 'go')
  const [one, other] = [await dial(), await dial()]
  for (const letter of 'abc') {
    peer.write(letter + rest)
    t.match(await answer(one, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /, 'other connections are read meanwhile')
    t.match(await answer(other, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  }
  const goodbye = once(peer.end(), 'data')
  t.equal(String((await goodbye)[0]), 'ended')
  t.ok(received === `first a${rest}b${rest}c${rest}`, 'all bytes arrived, in order')
})

t.test('a connection that ends or is cut before its first byte leaves nothing behind', async (t) => {
  const { server, dial, count } = await serve(t, never(t))
  const { emit } = server
  const events: string[] = []
  Object.assign(server, {
    emit: (event: string, ...values: unknown[]): boolean => {
      events.push(event)
      return Reflect.apply(emit, server, [event, ...values])
    }
  })
  const [ended, cut] = [await dial(), await dial()]
  ended.end()
  cut.resetAndDestroy()
  await once(ended.resume(), 'close')
  await sleep(1_000)
  t.equal(await count(), 0)
  t.notOk(events.includes('connection'), 'HTTP received no connection')
})

t.test('a silent connection soon goes to HTTP with its limits, and its late bytes are a request', async (t) => {
  const { dial } = await serve(t, never(t))
  const late = await dial()
  // Read by HTTP past net.Socket, so its first bytes are no longer shown.
  await sleep(1_500)
  t.match(await answer(late, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
})

t.test('after the connections are handed over, no later connection is intercepted', async (t) => {
  const { give, dial } = await serve(t, never(t))
  const before = await dial()
  await sleep(20)
  give()
  t.match(await answer(before, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.match(await answer(await dial(), REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
})

t.test('a server that stops accepting connections stops intercepting them', async (t) => {
  const { server, dial } = await serve(t, () => false)
  server.maxConnections = 1
  await answer(await dial(), REQUEST, 'GET 0')
  const refused = await dial()
  refused.write(REQUEST)
  await once(refused.resume(), 'close')
})

t.test('connections of another kind go to HTTP at once', async (t) => {
  const { server, reasons } = await serve(t, never(t))
  server.close()
  // Outside t.testdir(): sun_path holds 107 bytes, and the folder's name alone is longer if the project lies deep (unix(7)).
  const folder = mkdtempSync(join(tmpdir(), 'first-read-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'socket')
  server.listen(path)
  await once(server, 'listening')
  const peer = connect(path)
  t.teardown(() => peer.destroy())
  t.match(await answer(peer, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.strictSame(reasons, ['the server listens on a Unix domain socket'])
})

/** Claims every connection. */
const claim: TryClaim = (connection) => {
  connection.listener = { onData: () => {}, onClose: () => {} }
  return true
}

t.test('claimed and idle connections are counted until they close, with or without a stream', async (t) => {
  const claimed: RawConnection[] = []
  const { dial, count } = await serve(t, (connection, bytes) => claim(connection, bytes) && claimed.push(connection) > 0)
  const peers = [await dial(), await dial(), await dial()]
  await until('the idle connections are counted', async () => await count() === 3)
  for (const peer of peers.slice(0, 2)) peer.write(TAKEN)
  await until('two connections are claimed', () => claimed.length === 2)
  claimed[0]!.openStream()
  t.equal(await count(), 3)
  for (const [n, peer] of peers.entries()) {
    peer.destroy()
    await until(`${2 - n} are left`, async () => await count() === 2 - n)
  }
})

t.test('a connection that is handed to the server is counted once', async (t) => {
  const { dial, count } = await serve(t, () => false)
  const peer = await dial()
  await answer(peer, REQUEST, 'GET 0')
  t.equal(await count(), 1)
  peer.destroy()
  await until('the connection is gone', async () => await count() === 0)
})

t.test('a closed server emits \'close\' after its last claimed connection', async (t) => {
  for (const hasStream of [false, true]) {
    let claimed: RawConnection | undefined
    const { server, dial } = await serve(t, (connection, bytes) => {
      if (hasStream) connection.openStream()
      claimed = connection
      return claim(connection, bytes)
    })
    const peer = await dial()
    peer.write(TAKEN)
    await until('the connection is claimed', () => claimed !== undefined)
    let isClosed = false
    const closed = once(server.close(), 'close').then(() => { isClosed = true })
    await sleep(50)
    t.notOk(isClosed)
    peer.destroy()
    await closed
  }
})

t.test('claimed connections count for maxConnections, and a connection above it is dropped', async (t) => {
  const { server, dial, count } = await serve(t, claim)
  const drops: unknown[] = []
  server.maxConnections = 2
  server.on('drop', (drop) => drops.push(drop))
  const [one] = [await dial(), await dial()]
  await until('both connections are counted', async () => await count() === 2)
  const refused = await dial()
  await once(refused.resume(), 'close')
  t.match(drops, [{ remotePort: refused.localPort ?? Number }])
  one.destroy()
  await until('a place is free', async () => await count() === 1)
  await dial()
  await until('the next connection is accepted', async () => await count() === 2)
  t.equal(drops.length, 1)
})

t.test('closeAllConnections() closes idle connections and leaves claimed ones open', async (t) => {
  let claims = 0
  const { server, give, dial, count } = await serve(t, (connection, bytes) => claim(connection, bytes) && ++claims > 0)
  const [claimed, idle] = [await dial(), await dial()]
  claimed.write(TAKEN)
  await until('both connections are counted', async () => claims === 1 && await count() === 2)
  server.closeAllConnections()
  await once(idle.resume(), 'close')
  t.equal(await count(), 1)
  t.notOk(claimed.closed)
  give()
  t.notOk(Object.hasOwn(server, 'closeAllConnections'), 'the server is restored')
  claimed.destroy()
})

t.test('a server that has listened twice is restored when the interception ends', async (t) => {
  const { server, give, dial } = await serve(t, () => false)
  server.close()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.match(await answer(await dial(), REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.ok(Object.hasOwn(server, 'closeAllConnections'))
  give()
  for (const method of ['closeAllConnections', 'closeIdleConnections']) t.notOk(Object.hasOwn(server, method), method)
  t.equal(server.listenerCount('newListener'), 0)
})

t.test('a foreign replacement of closeAllConnections() stays', async (t) => {
  const { server, give } = await serve(t, claim)
  const { closeAllConnections } = server
  let calls = 0
  const theirs = () => {
    calls++
    closeAllConnections.call(server)
  }
  server.closeAllConnections = theirs
  give()
  t.equal(server.closeAllConnections, theirs)
  const other = await serve(t, claim)
  other.server.close()
  other.server.closeAllConnections = theirs
  other.server.listen(0, '127.0.0.1')
  await once(other.server, 'listening')
  t.not(other.server.closeAllConnections, theirs)
  other.give()
  t.equal(other.server.closeAllConnections, theirs)
  server.closeAllConnections()
  t.equal(calls, 1)
})

t.test('two users of one server see the same first bytes, and either of them may claim the connection', async (t) => {
  const seen: string[] = []
  const { server, give, dial } = await serve(t, (connection, bytes) => {
    seen.push(`one ${bytes}`)
    return String(bytes) === 'one' && claim(connection, bytes)
  })
  const giveOther = interceptConnections(server, {
    tryClaim: (connection, bytes) => {
      seen.push(`other ${bytes}`)
      return String(bytes) === 'other' && claim(connection, bytes)
    },
    headSize: 0,
    onOff: (reason) => t.fail(reason)
  })
  const [one, other] = [await dial(), await dial()]
  one.write('one')
  await until('the first user has claimed it', () => seen.includes('one one'))
  other.write('other')
  await until('the second user has claimed it', () => seen.includes('other other'))
  t.match(await answer(await dial(), REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /, 'neither claims a request')
  give()
  const late = await dial()
  late.write('other')
  await until('the second user goes on alone', () => seen.filter((text) => text === 'other other').length === 2)
  giveOther()
  giveOther()
  t.match(await answer(await dial(), REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.strictSame(seen.map((text) => text.slice(0, 11)), ['one one', 'one other', 'other other', 'one GET / H', 'other GET /', 'other other'])
  for (const peer of [one, other, late]) peer.destroy()
})

t.test('a listener for \'connection\' receives every later connection: the interception stops, and reports its reason once', async (t) => {
  const { server, dial, reasons, count } = await serve(t, claim)
  const before = await dial()
  await until('the connection is accepted', async () => await count() === 1)
  const ports: unknown[] = []
  const onConnection = ({ remotePort }: Socket) => ports.push(remotePort)
  server.on('connection', onConnection)
  t.match(await answer(before, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /, 'an idle connection is handed to the server')
  const after = await dial()
  t.match(await answer(after, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.strictSame(ports, [after.localPort])
  t.strictSame(reasons, ['the server has a listener for `connection`'])
  server.off('connection', onConnection).on('connection', onConnection)
  t.equal(reasons.length, 1)
})

t.test('a subscriber of the channel net.server.socket receives every later connection', async (t) => {
  const { dial, reasons } = await serve(t, claim)
  const ports: unknown[] = []
  const onSocket = (message: unknown) => ports.push((message as { socket: Socket }).socket.remotePort)
  subscribe('net.server.socket', onSocket)
  t.teardown(() => unsubscribe('net.server.socket', onSocket))
  const peer = await dial()
  t.match(await answer(peer, REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.strictSame(ports, [peer.localPort])
  t.strictSame(reasons, ['the diagnostics channel `net.server.socket` has a subscriber'])
  t.strictSame((await serve(t, never(t))).reasons, reasons, 'also if the subscriber was there before')
})

t.test('a server that prepares or refuses its connections as it accepts them is not intercepted', async (t) => {
  const listening = await serve(t, never(t), { keepAlive: true })
  t.strictSame(listening.reasons, ['the server has the option `keepAlive`'])
  t.match(await answer(await listening.dial(), REQUEST, 'GET 0'), /^HTTP\/1\.1 200 /)
  t.strictSame((await serve(t, never(t), { maxHeaderSize: 1_000 })).reasons, ['the server accepts less than 4096 bytes of headers'])
  const blockList = new BlockList()
  const blocking = await serve(t, never(t), { blockList } as ServerOptions)
  // An option since Node.js 22; older versions ignore it.
  t.strictSame(blocking.reasons, 'blockList' in blocking.server ? ['the server has the option `blockList`'] : [])
})

t.test('a server with a listener for \'connection\' from the start, and a server other than HTTP, are not intercepted', async (t) => {
  for (const [server, reason] of [
    [createServer().on('connection', () => {}), 'the server has a listener for `connection`'],
    [createNetServer(), 'the server is not an HTTP server without TLS'],
    [createHttpsServer(), 'the server is not an HTTP server without TLS']
  ] as const) {
    const reasons: string[] = []
    interceptConnections(server, { tryClaim: never(t), headSize: 0, onOff: (reason) => reasons.push(reason) })
    const onconnection = once(server.listen(0, '127.0.0.1'), 'listening').then(() => acceptorOf(server)!.onconnection)
    const untouched = createServer().listen(0, '127.0.0.1')
    await once(untouched, 'listening')
    t.equal(await onconnection, acceptorOf(untouched)!.onconnection)
    t.strictSame(reasons, [reason])
    server.close()
    untouched.close()
  }
})
