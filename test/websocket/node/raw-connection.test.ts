// Connection without a stream, and then with one: no bytes are lost or mixed up, and it pauses, resumes and ends as a stream does.
import { once } from 'node:events'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Handle } from '../../../src/websocket/node/internals.js'
import { RawConnection, type RawConnectionListener } from '../../../src/websocket/node/raw-connection.js'
import { HandleWriter } from '../../../src/websocket/node/handle-writer.js'
import { until } from '../../until.js'
import { accepted } from '../accepted.js'
import { setReadLength } from '../read-length.js'

/** Returns a connection and a record of its events. */
async function pair (t: Test): Promise<{ connection: RawConnection, handle: Handle, peer: Socket, received: () => string, closed: () => number }> {
  const { handle, peer } = await accepted(t)
  let received = ''
  let closed = 0
  const connection = new RawConnection(handle, { onData: (memory, length) => { received += memory.toString('utf8', 0, length) }, onClose: () => { closed++ } })
  return { connection, handle, peer, received: () => received, closed: () => closed }
}

/** Reports an error to a handle as its next read. */
function failRead (handle: Handle, error: number): void {
  setReadLength(-error)
  handle.onread!()
}

const ASIDE: ReadonlyArray<[name: string, prepare: (connection: RawConnection) => void]> = [['without a stream', () => {}], ['with one', (connection) => { connection.openStream() }]]

for (const [name, prepare] of ASIDE) {
  t.test(`${name}, concurrent bytes of two connections arrive complete and in order, each on its own connection`, async (t) => {
    const received = ['', '']
    const memories = new Set<Buffer>()
    const sent = ['a', 'b'].map((letter) => Array.from({ length: 40 }, (_, n) => `${letter}${n} `.repeat(n * 100 + 1)))
    const peers = await Promise.all(received.map(async (_, i) => {
      const { handle, peer } = await accepted(t)
      const listener: RawConnectionListener = {
        onData: (memory, length, of) => {
          t.equal(of, connection)
          memories.add(memory)
          received[i] += memory.toString('utf8', 0, length)
        },
        onClose: () => {}
      }
      const connection = new RawConnection(handle, listener)
      prepare(connection)
      return peer
    }))
    for (let n = 0; n < 40; n++) for (const [i, peer] of peers.entries()) peer.write(sent[i]![n]!)
    await until('all bytes arrived', () => received.every((text, i) => text.length === sent[i]!.join('').length))
    t.ok(received.every((text, i) => text === sent[i]!.join('')))
    t.equal(memories.size, 1, 'in one piece of memory')
  })

  t.test(`${name}, a peer that ends its side, cuts the connection or is unreachable closes the connection without an error`, async (t) => {
    const ends: ReadonlyArray<(peer: Socket, handle: Handle) => void> = [
      (peer) => peer.end(), (peer) => peer.resetAndDestroy(), (_peer, handle) => failRead(handle, constants.errno.EHOSTUNREACH)
    ]
    for (const go of ends) {
      const { connection, handle, peer, closed } = await pair(t)
      t.equal(connection.address, '127.0.0.1')
      prepare(connection)
      t.notOk(connection.destroyed)
      go(peer, handle)
      await until('the connection is closed', () => closed() > 0)
      t.ok(connection.destroyed)
      t.equal(connection.handle, undefined)
      t.equal(connection.address, undefined)
      await sleep(20)
      t.equal(closed(), 1, 'the close is reported once')
      t.ok(peer.destroyed || peer.readableEnded || (await once(peer.resume(), 'end')).length === 0, 'the peer receives the end')
    }
  })

  t.test(`${name}, an empty read is ignored`, async (t) => {
    const { connection, handle, peer, received } = await pair(t)
    prepare(connection)
    failRead(handle, 0)
    peer.write('x')
    await until('the bytes arrived', () => received() === 'x')
    t.notOk(connection.destroyed)
  })

  t.test(`${name}, a paused connection is not read, and a resumed one continues`, async (t) => {
    const { connection, peer, received, closed } = await pair(t)
    prepare(connection)
    peer.write('one')
    await until('the first bytes arrived', () => received() === 'one')
    connection.resume()
    t.notOk(connection.isPaused)
    connection.pause()
    t.ok(connection.isPaused)
    peer.end('two')
    await sleep(50)
    t.equal(received(), 'one')
    t.equal(closed(), 0)
    connection.resume()
    t.notOk(connection.isPaused)
    await until('the end arrived', () => closed() > 0)
    t.equal(received(), 'onetwo')
  })
}

t.test('the stream of a connection is a normal stream except for incoming bytes, and is made once', async (t) => {
  const { connection, handle, peer, received, closed } = await pair(t)
  t.equal(connection.handle, handle)
  t.equal(connection.writableLength, 0)
  const stream = connection.openStream()!
  stream.on('data', () => t.fail('reported as a stream'))
  t.equal(connection.openStream(), stream)
  t.equal(connection.handle, handle)
  stream.cork()
  stream.write('hello')
  t.equal(connection.writableLength, 5)
  stream.uncork()
  t.equal(String((await once(peer, 'data') as [Buffer])[0]), 'hello')
  peer.write('well')
  await until('the bytes arrived', () => received() === 'well')
  t.equal(stream.bytesRead, 4)
  stream.destroy()
  t.ok(connection.destroyed)
  await until('the connection is closed', () => closed() > 0)
  t.equal(connection.handle, undefined)
  t.equal(connection.openStream(), stream)
})

t.test('a connection that closed without a stream has none', async (t) => {
  const { connection, peer, closed } = await pair(t)
  peer.resetAndDestroy()
  await until('the connection is closed', () => closed() > 0)
  t.equal(connection.openStream(), undefined)
  connection.pause()
  connection.resume()
  t.notOk(connection.isPaused)
  connection.handOff(() => t.fail('given'))
})

t.test('FIN follows the last bytes, and later bytes of the peer are discarded until it ends its side too', async (t) => {
  const { connection, peer, received, closed } = await pair(t)
  const ended = once(peer, 'end')
  let answer = ''
  peer.on('data', (chunk) => { answer += String(chunk) })
  peer.allowHalfOpen = true
  t.ok(connection.writeAndClose(Buffer.from('the last')))
  t.ok(connection.destroyed)
  t.notOk(connection.writeAndClose(Buffer.from('and another')), 'the end is reported once')
  await ended
  t.equal(answer, 'the last')
  peer.write('too late')
  await sleep(50)
  t.equal(closed(), 0)
  peer.end()
  await until('the connection is closed', () => closed() === 1)
  connection.destroy()
  t.equal(received(), '')
})

t.test('a peer that does not end its side is dropped, and the kernel keeps the sent bytes', async (t) => {
  const { connection, peer, closed } = await pair(t)
  peer.pause()
  connection.writeAndClose(Buffer.alloc(100_000, '*'))
  connection.destroy()
  await until('the connection is closed', () => closed() === 1)
  let bytes = 0
  peer.on('data', (chunk: Buffer) => { bytes += chunk.length }).resume()
  await once(peer, 'end')
  t.equal(bytes, 100_000)
})

t.test('the last bytes wait until a peer that is behind reads them', async (t) => {
  const { connection, handle, peer } = await pair(t)
  peer.pause()
  const before = Buffer.alloc(20_000_000)
  t.equal(new HandleWriter().write(handle, before, { onWritten: () => {}, onFailed: () => t.fail('failed') }), 'pending')
  connection.writeAndClose(Buffer.from('the last'))
  t.equal(connection.writableLength, 8)
  let bytes = 0
  peer.on('data', (chunk: Buffer) => { bytes += chunk.length }).resume()
  await once(peer, 'end')
  t.equal(bytes, before.length + 8)
  t.equal(connection.writableLength, 0)
})

t.test('a connection that is no longer writable, or breaks meanwhile, is closed at once', async (t) => {
  const refusing = await pair(t)
  Object.assign(refusing.handle, { shutdown: () => -constants.errno.ENOTCONN })
  t.ok(refusing.connection.writeAndClose(Buffer.from('the last')))
  await until('the connection is closed', () => refusing.closed() === 1)
  const breaking = await pair(t)
  breaking.peer.pause()
  new HandleWriter().write(breaking.handle, Buffer.alloc(20_000_000), { onWritten: () => {}, onFailed: () => {} })
  breaking.connection.writeAndClose(Buffer.from('the last'))
  breaking.peer.resetAndDestroy()
  await until('the connection is closed', () => breaking.closed() === 1)
})

t.test('a connection that cannot be read is closed', async (t) => {
  const { handle } = await accepted(t)
  await new Promise<void>((resolve) => {
    const connection = new RawConnection(Object.assign(handle, { readStart: () => -constants.errno.EINVAL }), { onData: () => t.fail('received'), onClose: resolve })
    t.ok(connection.destroyed)
  })
})

t.test('a connection that is handed over is a stream for its receiver, from the first unread chunk', async (t) => {
  for (const first of ['one ', undefined]) {
    const { handle, peer } = await accepted(t)
    let received = ''
    let stream: Socket | undefined
    const take = (given: Handle) => { stream = new Socket({ handle: given, allowHalfOpen: true } as object).on('data', (chunk: Buffer) => { received += String(chunk) }) }
    const onClose = () => t.fail('the connection no longer owns its handle')
    const connection = new RawConnection(handle, { onData: (_memory, length, connection) => connection.handOff(take, length), onClose })
    if (first) {
      peer.write(first)
      await until('the first bytes arrived', () => received.endsWith(first))
    } else {
      connection.handOff(take)
    }
    t.ok(connection.destroyed)
    connection.handOff(() => t.fail('handed over twice'))
    for (const text of ['two ', 'three']) {
      peer.write(text)
      await until('the bytes arrived', () => received.endsWith(text))
    }
    t.equal(received, `${first ?? ''}two three`)
    stream!.pause()
    peer.end(' and four')
    await sleep(20)
    const ended = once(stream!, 'end')
    stream!.resume()
    await ended
    t.ok(received.endsWith('three and four'))
    stream!.destroy()
  }
})

t.test('a connection that no receiver claims is released', async (t) => {
  const { handle, peer } = await accepted(t)
  const connection = new RawConnection(handle, { onData: (_memory, length) => connection.handOff((given) => given.close(() => {}), length), onClose: () => t.fail('closed twice') })
  peer.write('x')
  await once(peer.resume(), 'close')
  t.ok(connection.destroyed)
})
