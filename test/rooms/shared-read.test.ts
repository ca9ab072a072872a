// Bytes of many sockets in one piece of memory: nothing is lost or mixed up, and a socket pauses, resumes and ends as it does as a stream.
import { once } from 'node:events'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { isTried, streamWrap } from '../../src/rooms/node-sockets.js'
import { SharedRead } from '../../src/rooms/shared-read.js'
import { until } from '../until.js'

const OF_OTHER_VERSION = isTried('120.0.0')

/** Both ends of a connection. */
async function pair (t: Test): Promise<{ accepted: Socket, peer: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay()
  const [accepted] = await once(server, 'connection') as [Socket]
  t.teardown(() => {
    peer.destroy()
    accepted.destroy()
    server.close()
  })
  return { accepted, peer }
}

t.test('what two sockets send at once comes whole, in order, each to its own', async (t) => {
  const heard = ['', '']
  const memories = new Set<Buffer>()
  const pairs = await Promise.all([pair(t), pair(t)])
  const sent = ['a', 'b'].map((letter) => Array.from({ length: 40 }, (_, n) => `${letter}${n} `.repeat(n * 100 + 1)))
  for (const [i, { accepted }] of pairs.entries()) {
    accepted.on('data', () => t.fail('told as a stream'))
    t.ok(SharedRead.begin(accepted, (length, memory) => {
      memories.add(memory)
      heard[i] += memory.toString('utf8', 0, length)
    }), 'this version of Node.js is one of those that were tried')
  }
  for (let n = 0; n < 40; n++) for (const [i, { peer }] of pairs.entries()) peer.write(sent[i]![n]!)
  await until('all has come', () => heard.every((text, i) => text.length === sent[i]!.join('').length))
  t.ok(heard.every((text, i) => text === sent[i]!.join('')))
  t.equal(memories.size, 1, 'in one piece of memory')
  t.equal(pairs[0].accepted.bytesRead, sent[0]!.join('').length)
})

t.test('paused it is not read, resumed it goes on, and its end is told', async (t) => {
  const { accepted, peer } = await pair(t)
  let heard = ''
  SharedRead.begin(accepted, (length, memory) => {
    heard += memory.toString('utf8', 0, length)
    if (heard === 'one') accepted.pause()
  })
  let ended = false
  accepted.on('end', () => { ended = true }).resume()
  peer.write('one')
  await until('the first has come', () => heard === 'one')
  peer.end('two')
  await sleep(50)
  t.equal(heard, 'one')
  t.notOk(ended)
  accepted.resume()
  await until('the end has come', () => ended)
  t.equal(heard, 'onetwo')
  accepted.write('still open this way')
  t.equal(String((await once(peer, 'data') as [Buffer])[0]), 'still open this way')
})

t.test('a connection that its peer cuts is closed, which is no error; what else goes wrong is one', async (t) => {
  const { accepted, peer } = await pair(t)
  SharedRead.begin(accepted, () => {})
  const closed = once(accepted.resume(), 'close') as Promise<[boolean]>
  peer.resetAndDestroy()
  t.strictSame(await closed, [false])

  const other = await pair(t)
  SharedRead.begin(other.accepted, () => {})
  const failed = once(other.accepted, 'error') as Promise<[NodeJS.ErrnoException]>
  const { _handle: handle } = other.accepted as unknown as { _handle: { onread: () => void } }
  streamWrap!.streamBaseState[streamWrap!.kReadBytesOrError] = -constants.errno.EHOSTUNREACH
  handle.onread()
  t.equal((await failed)[0].code, 'EHOSTUNREACH')
})

t.test('where it is not known how, all is as it was', async (t) => {
  const { accepted, peer } = await pair(t)
  const fail = () => { t.fail('read') }
  t.notOk(SharedRead.begin(accepted, fail, OF_OTHER_VERSION), 'a version that nobody has tried')
  const encrypted = new TLSSocket(new Socket())
  t.notOk(SharedRead.begin(encrypted, fail), 'a socket of another kind')
  encrypted.destroy()
  t.notOk(SharedRead.begin(new Socket(), fail), 'one that is not connected')
  const { _handle: handle } = accepted as unknown as { _handle: { useUserBuffer: unknown } }
  handle.useUserBuffer = undefined
  t.notOk(SharedRead.begin(accepted, fail), 'one that cannot do it')
  peer.write('x')
  t.equal(String((await once(accepted, 'data') as [Buffer])[0]), 'x')
})

t.test('it becomes a stream again, from a chunk that nobody has taken', async (t) => {
  const { accepted, peer } = await pair(t)
  let over = 0
  const shared = SharedRead.begin(accepted, (length) => shared!.end(length))
  shared!.onOver = () => { over++ }
  let heard = ''
  accepted.on('data', (chunk: Buffer) => { heard += String(chunk) })
  for (const text of ['one ', 'two ', 'three']) {
    peer.write(text)
    await until('it has come', () => heard.endsWith(text))
  }
  t.equal(heard, 'one two three')
  peer.end()
  await once(accepted, 'end')
  t.equal(over, 0, 'which is the stream\'s alone to know')

  const gone = await pair(t)
  const read = SharedRead.begin(gone.accepted, () => {})!
  read.onOver = () => { over++ }
  const closed = once(gone.accepted.resume(), 'close')
  gone.peer.resetAndDestroy()
  await closed
  read.end()
  t.equal(over, 1)
  t.ok(gone.accepted.destroyed, 'one that is gone stays so')
})
