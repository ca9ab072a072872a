// Bytes written past the stream: they arrive complete and before later writes to the stream, and a socket fails as it does without them.
import { once } from 'node:events'
import { Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { HandleWriter, type WriteOutcome, type WriteCallbacks } from '../../../src/websocket/node/handle-writer.js'
import type { Handle, WriteRequest } from '../../../src/websocket/node/internals.js'
import { until } from '../../until.js'
import { accepted } from '../accepted.js'

/** Writer shared by all connections here, as on a server. */
const handles = new HandleWriter()

const WRITER: WriteCallbacks = { onWritten: () => {}, onFailed: () => {} }

/** Writes to a peer that does not read, until some bytes stay pending. @returns all bytes that were written */
function fill (handle: Handle, writer = WRITER): { text: string, outcomes: Set<WriteOutcome> } {
  const outcomes = new Set<WriteOutcome>()
  let text = ''
  for (let n = 0; n < 1_000 && !outcomes.has('pending'); n++) {
    const part = `${n} `.repeat(20_000)
    text += part
    outcomes.add(handles.write(handle, Buffer.from(part), writer))
  }
  return { text, outcomes }
}

/** Returns the stream of a connection, which does not read. */
function streamOf (handle: Handle): Socket { return new Socket({ handle, pauseOnCreate: true } as object) }

t.test('bytes that the network accepts at once are written and arrive', async (t) => {
  const { handle, peer } = await accepted(t)
  const writer: WriteCallbacks = { onWritten: () => t.fail('the first bytes were written earlier'), onFailed: () => t.fail('the bytes were written') }
  for (const part of ['one ', 'two ', 'three']) t.equal(handles.write(handle, Buffer.from(part), writer), 'written')
  const stream = streamOf(handle)
  t.equal(stream.bytesWritten, 13)
  stream.end()
  t.equal(String(await buffer(peer)), 'one two three')
})

t.test('bytes that the peer has no room for stay pending, precede later stream writes, and report their end', async (t) => {
  const { handle, peer } = await accepted(t)
  let written = 0
  const { text, outcomes } = fill(handle, { onWritten: () => { written++ }, onFailed: () => t.fail('the bytes were written') })
  t.strictSame([...outcomes], ['written', 'pending'])
  streamOf(handle).end(' and the end')
  t.equal(written, 0)
  const other = await accepted(t)
  t.equal(handles.write(other.handle, Buffer.from('x'), { ...WRITER, onWritten: () => t.fail('another connection') }), 'written', 'no other connection has to wait')
  const received = String(await buffer(peer))
  t.ok(received === `${text} and the end`, `${received.length} bytes`)
  t.equal(written, 1)
})

t.test('pending bytes fail when the connection is gone', async (t) => {
  for (const how of ['reset', 'closed'] as const) {
    const { handle, peer } = await accepted(t)
    let failed = 0
    t.ok(fill(handle, { onWritten: () => t.fail('the peer never read'), onFailed: () => { failed++ } }).outcomes.has('pending'))
    if (how === 'reset') peer.resetAndDestroy()
    else handle.close(() => {})
    await until('the write failed', () => failed === 1)
    t.equal(handles.write(handle, Buffer.from('x'), WRITER), 'refused', how)
  }
})

t.test('a write that fails is not counted as written: the stream fails with it as usual', async (t) => {
  const { handle, peer } = await accepted(t)
  peer.resetAndDestroy()
  await until('the reset arrived', () => handles.write(handle, Buffer.from('x'), WRITER) === 'refused')
  const stream = streamOf(handle)
  const failed = once(stream, 'error') as Promise<[NodeJS.ErrnoException]>
  stream.write('x')
  t.equal((await failed)[0].code, 'EPIPE')
  const other = await accepted(t)
  t.equal(handles.write(other.handle, Buffer.from('well'), WRITER), 'written', 'the next connection is unaffected')
  streamOf(other.handle).end()
  t.equal(String(await buffer(other.peer)), 'well')
})

t.test('a request that Node.js returns with a status was written at once, or not at all', async (t) => {
  const writer: WriteCallbacks = { onWritten: () => t.fail('told'), onFailed: () => t.fail('told') }
  for (const [writeStatus, outcome] of [[0, 'written'], [-32, 'refused'], [null, 'pending']] as const) {
    t.equal(handles.write({ writeBuffer: () => ({ writeStatus }) }, Buffer.from('x'), writer), outcome, `status ${writeStatus}`)
  }
  t.equal(handles.write({ writeBuffer: () => undefined }, Buffer.from('x'), writer), 'refused', 'a closed handle')
})

t.test('a write that libuv queued and finished within the call is pending until its callback, and its request is not reused', async (t) => {
  const used: WriteRequest[] = []
  const handle = {
    writeBuffer: (passed: WriteRequest | null) => {
      const request = passed ? Object.assign(passed, { getAsyncId: () => 7 }) : { writeStatus: null }
      used.push(request)
      return passed ? 0 : request
    }
  }
  let written = 0
  const writer: WriteCallbacks = { onWritten: () => { written++ }, onFailed: () => t.fail('the bytes were written') }
  for (let n = 0; n < 2; n++) t.equal(handles.write(handle, Buffer.from('x'), writer), 'pending')
  t.not(used[0], used[1])
  for (const request of used) request.oncomplete!(0)
  t.equal(written, 2)
})

t.test('large writes to a peer that reads at the same time arrive complete and once', async (t) => {
  const { handle, peer } = await accepted(t)
  let received = 0
  peer.on('data', (chunk: Buffer) => { received += chunk.length })
  let sent = 0
  for (let n = 0; n < 200; n++) {
    const bytes = Buffer.alloc(100_000 + n * 5_000)
    sent += bytes.length
    const outcome = await new Promise<WriteOutcome>((resolve) => {
      const outcome = handles.write(handle, bytes, { onWritten: () => resolve('written'), onFailed: () => resolve('refused') })
      if (outcome !== 'pending') resolve(outcome)
    })
    if (outcome !== 'written') t.fail(outcome)
  }
  await until('all bytes arrived', () => received >= sent)
  t.equal(received, sent)
})
