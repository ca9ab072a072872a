// A connection without a stream, and then with one: nothing is lost or mixed up, and it pauses, resumes and ends as a stream does.
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

/** A connection, and all that is heard of it. */
async function pair (t: Test): Promise<{ connection: RawConnection, handle: Handle, peer: Socket, heard: () => string, closed: () => number }> {
  const { handle, peer } = await accepted(t)
  let heard = ''
  let closed = 0
  const connection = new RawConnection(handle, { onData: (memory, length) => { heard += memory.toString('utf8', 0, length) }, onClose: () => { closed++ } })
  return { connection, handle, peer, heard: () => heard, closed: () => closed }
}

/** Reports an error to a handle as its next read. */
function failRead (handle: Handle, error: number): void {
  setReadLength(-error)
  handle.onread!()
}

const ASIDE: ReadonlyArray<[name: string, prepare: (connection: RawConnection) => void]> = [['without a stream', () => {}], ['with one', (connection) => { connection.openStream() }]]

for (const [name, prepare] of ASIDE) {
  t.test(`${name}, what two connections send at once comes whole, in order, each to its own`, async (t) => {
    const heard = ['', '']
    const memories = new Set<Buffer>()
    const sent = ['a', 'b'].map((letter) => Array.from({ length: 40 }, (_, n) => `${letter}${n} `.repeat(n * 100 + 1)))
    const peers = await Promise.all(heard.map(async (_, i) => {
      const { handle, peer } = await accepted(t)
      const listener: RawConnectionListener = {
        onData: (memory, length, of) => {
          t.equal(of, connection)
          memories.add(memory)
          heard[i] += memory.toString('utf8', 0, length)
        },
        onClose: () => {}
      }
      const connection = new RawConnection(handle, listener)
      prepare(connection)
      return peer
    }))
    for (let n = 0; n < 40; n++) for (const [i, peer] of peers.entries()) peer.write(sent[i]![n]!)
    await until('all has come', () => heard.every((text, i) => text.length === sent[i]!.join('').length))
    t.ok(heard.every((text, i) => text === sent[i]!.join('')))
    t.equal(memories.size, 1, 'in one piece of memory')
  })

  t.test(`${name}, a peer that ends its side, cuts the connection or cannot be reached is gone, and that is no error`, async (t) => {
    const ends: ReadonlyArray<(peer: Socket, handle: Handle) => void> = [
      (peer) => peer.end(), (peer) => peer.resetAndDestroy(), (_peer, handle) => failRead(handle, constants.errno.EHOSTUNREACH)
    ]
    for (const go of ends) {
      const { connection, handle, peer, closed } = await pair(t)
      t.equal(connection.address, '127.0.0.1')
      prepare(connection)
      t.notOk(connection.destroyed)
      go(peer, handle)
      await until('it is closed', () => closed() > 0)
      t.ok(connection.destroyed)
      t.equal(connection.handle, undefined)
      t.equal(connection.address, undefined)
      await sleep(20)
      t.equal(closed(), 1, 'which is told once')
      t.ok(peer.destroyed || peer.readableEnded || (await once(peer.resume(), 'end')).length === 0, 'the peer hears of it')
    }
  })

  t.test(`${name}, a read that brings nothing is nothing`, async (t) => {
    const { connection, handle, peer, heard } = await pair(t)
    prepare(connection)
    failRead(handle, 0)
    peer.write('x')
    await until('it has come', () => heard() === 'x')
    t.notOk(connection.destroyed)
  })

  t.test(`${name}, paused it is not read, and resumed it goes on`, async (t) => {
    const { connection, peer, heard, closed } = await pair(t)
    prepare(connection)
    peer.write('one')
    await until('the first has come', () => heard() === 'one')
    connection.resume()
    t.notOk(connection.isPaused)
    connection.pause()
    t.ok(connection.isPaused)
    peer.end('two')
    await sleep(50)
    t.equal(heard(), 'one')
    t.equal(closed(), 0)
    connection.resume()
    t.notOk(connection.isPaused)
    await until('the end has come', () => closed() > 0)
    t.equal(heard(), 'onetwo')
  })
}

t.test('its stream is one as ever, but for the bytes that come, and is made once', async (t) => {
  const { connection, handle, peer, heard, closed } = await pair(t)
  t.equal(connection.handle, handle)
  t.equal(connection.writableLength, 0)
  const stream = connection.openStream()!
  stream.on('data', () => t.fail('told as a stream'))
  t.equal(connection.openStream(), stream)
  t.equal(connection.handle, handle)
  stream.cork()
  stream.write('hello')
  t.equal(connection.writableLength, 5)
  stream.uncork()
  t.equal(String((await once(peer, 'data') as [Buffer])[0]), 'hello')
  peer.write('well')
  await until('it has come', () => heard() === 'well')
  t.equal(stream.bytesRead, 4)
  stream.destroy()
  t.ok(connection.destroyed)
  await until('it is closed', () => closed() > 0)
  t.equal(connection.handle, undefined)
  t.equal(connection.openStream(), stream)
})

t.test('a connection that went without a stream has none', async (t) => {
  const { connection, peer, closed } = await pair(t)
  peer.resetAndDestroy()
  await until('it is closed', () => closed() > 0)
  t.equal(connection.openStream(), undefined)
  connection.pause()
  connection.resume()
  t.notOk(connection.isPaused)
  connection.handOff(() => t.fail('given'))
})

t.test('after its last bytes comes FIN, and what the peer still says is discarded until it ends its side too', async (t) => {
  const { connection, peer, heard, closed } = await pair(t)
  const ended = once(peer, 'end')
  let answer = ''
  peer.on('data', (chunk) => { answer += String(chunk) })
  peer.allowHalfOpen = true
  t.ok(connection.writeAndClose(Buffer.from('the last')))
  t.ok(connection.destroyed)
  t.notOk(connection.writeAndClose(Buffer.from('and another')), 'which is said once')
  await ended
  t.equal(answer, 'the last')
  peer.write('too late')
  await sleep(50)
  t.equal(closed(), 0)
  peer.end()
  await until('it is closed', () => closed() === 1)
  connection.destroy()
  t.equal(heard(), '')
})

t.test('a peer that does not end its side is left, without a loss of what the kernel has', async (t) => {
  const { connection, peer, closed } = await pair(t)
  peer.pause()
  connection.writeAndClose(Buffer.alloc(100_000, '*'))
  connection.destroy()
  await until('it is closed', () => closed() === 1)
  let bytes = 0
  peer.on('data', (chunk: Buffer) => { bytes += chunk.length }).resume()
  await once(peer, 'end')
  t.equal(bytes, 100_000)
})

t.test('its last bytes wait until a peer that is behind takes them', async (t) => {
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

t.test('one that can be written to no more is closed at once, and one that breaks meanwhile as well', async (t) => {
  const refusing = await pair(t)
  Object.assign(refusing.handle, { shutdown: () => -constants.errno.ENOTCONN })
  t.ok(refusing.connection.writeAndClose(Buffer.from('the last')))
  await until('it is closed', () => refusing.closed() === 1)
  const breaking = await pair(t)
  breaking.peer.pause()
  new HandleWriter().write(breaking.handle, Buffer.alloc(20_000_000), { onWritten: () => {}, onFailed: () => {} })
  breaking.connection.writeAndClose(Buffer.from('the last'))
  breaking.peer.resetAndDestroy()
  await until('it is closed', () => breaking.closed() === 1)
})

t.test('one that cannot be read is closed', async (t) => {
  const { handle } = await accepted(t)
  await new Promise<void>((resolve) => {
    const connection = new RawConnection(Object.assign(handle, { readStart: () => -constants.errno.EINVAL }), { onData: () => t.fail('heard'), onClose: resolve })
    t.ok(connection.destroyed)
  })
})

t.test('given away it is a stream to whoever takes it, from a chunk that nobody has taken', async (t) => {
  for (const first of ['one ', undefined]) {
    const { handle, peer } = await accepted(t)
    let heard = ''
    let stream: Socket | undefined
    const take = (given: Handle) => { stream = new Socket({ handle: given, allowHalfOpen: true } as object).on('data', (chunk: Buffer) => { heard += String(chunk) }) }
    const onClose = () => t.fail('it is not its own any more')
    const connection = new RawConnection(handle, { onData: (_memory, length, connection) => connection.handOff(take, length), onClose })
    if (first) {
      peer.write(first)
      await until('the first has come', () => heard.endsWith(first))
    } else {
      connection.handOff(take)
    }
    t.ok(connection.destroyed)
    connection.handOff(() => t.fail('given twice'))
    for (const text of ['two ', 'three']) {
      peer.write(text)
      await until('it has come', () => heard.endsWith(text))
    }
    t.equal(heard, `${first ?? ''}two three`)
    stream!.pause()
    peer.end(' and four')
    await sleep(20)
    const ended = once(stream!, 'end')
    stream!.resume()
    await ended
    t.ok(heard.endsWith('three and four'))
    stream!.destroy()
  }
})

t.test('one that nobody takes after all is let go of', async (t) => {
  const { handle, peer } = await accepted(t)
  const connection = new RawConnection(handle, { onData: (_memory, length) => connection.handOff((given) => given.close(() => {}), length), onClose: () => t.fail('closed twice') })
  peer.write('x')
  await once(peer.resume(), 'close')
  t.ok(connection.destroyed)
})
