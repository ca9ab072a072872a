// Bytes past the stream: they arrive whole and before what is written to the stream after them, and a socket that fails does so as it always did.
import { once } from 'node:events'
import { Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { HandleWriter, type WriteOutcome, type WriteCallbacks } from '../../../src/websocket/node/handle-writer.js'
import type { Handle, WriteRequest } from '../../../src/websocket/node/internals.js'
import { until } from '../../until.js'
import { accepted } from '../accepted.js'

/** Writer of all connections here, as a server has one for all of its own. */
const handles = new HandleWriter()

const WRITER: WriteCallbacks = { onWritten: () => {}, onFailed: () => {} }

/** Writes to a peer that does not read, until something stays under way. @returns all that was written */
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

/** The stream of a connection, which does not read. */
function streamOf (handle: Handle): Socket { return new Socket({ handle, pauseOnCreate: true } as object) }

t.test('what the network takes at once is written, and arrives', async (t) => {
  const { handle, peer } = await accepted(t)
  const writer: WriteCallbacks = { onWritten: () => t.fail('it was written long ago'), onFailed: () => t.fail('it was written') }
  for (const part of ['one ', 'two ', 'three']) t.equal(handles.write(handle, Buffer.from(part), writer), 'written')
  const stream = streamOf(handle)
  t.equal(stream.bytesWritten, 13)
  stream.end()
  t.equal(String(await buffer(peer)), 'one two three')
})

t.test('what a peer has no room for is under way, comes before what is written to the stream then, and its end is told', async (t) => {
  const { handle, peer } = await accepted(t)
  let written = 0
  const { text, outcomes } = fill(handle, { onWritten: () => { written++ }, onFailed: () => t.fail('it was written') })
  t.strictSame([...outcomes], ['written', 'pending'])
  streamOf(handle).end(' and the end')
  t.equal(written, 0)
  const other = await accepted(t)
  t.equal(handles.write(other.handle, Buffer.from('x'), { ...WRITER, onWritten: () => t.fail('that was another one') }), 'written', 'nobody else has to wait')
  const heard = String(await buffer(peer))
  t.ok(heard === `${text} and the end`, `${heard.length} bytes`)
  t.equal(written, 1)
})

t.test('what is under way when the connection is gone has failed', async (t) => {
  for (const how of ['reset', 'closed'] as const) {
    const { handle, peer } = await accepted(t)
    let failed = 0
    t.ok(fill(handle, { onWritten: () => t.fail('nobody read it'), onFailed: () => { failed++ } }).outcomes.has('pending'))
    if (how === 'reset') peer.resetAndDestroy()
    else handle.close(() => {})
    await until('it has failed', () => failed === 1)
    t.equal(handles.write(handle, Buffer.from('x'), WRITER), 'refused', how)
  }
})

t.test('a write that fails was not written: a stream fails with it as it always did', async (t) => {
  const { handle, peer } = await accepted(t)
  peer.resetAndDestroy()
  await until('the reset has come', () => handles.write(handle, Buffer.from('x'), WRITER) === 'refused')
  const stream = streamOf(handle)
  const failed = once(stream, 'error') as Promise<[NodeJS.ErrnoException]>
  stream.write('x')
  t.equal((await failed)[0].code, 'EPIPE')
  const other = await accepted(t)
  t.equal(handles.write(other.handle, Buffer.from('well'), WRITER), 'written', 'the next one is none the worse')
  streamOf(other.handle).end()
  t.equal(String(await buffer(other.peer)), 'well')
})

t.test('a request that Node.js returns with a status was written at once, or not at all', async (t) => {
  const writer: WriteCallbacks = { onWritten: () => t.fail('told'), onFailed: () => t.fail('told') }
  for (const [writeStatus, outcome] of [[0, 'written'], [-32, 'refused'], [null, 'pending']] as const) {
    t.equal(handles.write({ writeBuffer: () => ({ writeStatus }) }, Buffer.from('x'), writer), outcome, `status ${writeStatus}`)
  }
  t.equal(handles.write({ writeBuffer: () => undefined }, Buffer.from('x'), writer), 'refused', 'a handle that is gone')
})

t.test('a write that libuv queued and finished within the call is under way until its callback, and its request is not used again', async (t) => {
  const used: WriteRequest[] = []
  const handle = {
    writeBuffer: (passed: WriteRequest | null) => {
      const request = passed ? Object.assign(passed, { getAsyncId: () => 7 }) : { writeStatus: null }
      used.push(request)
      return passed ? 0 : request
    }
  }
  let written = 0
  const writer: WriteCallbacks = { onWritten: () => { written++ }, onFailed: () => t.fail('it was written') }
  for (let n = 0; n < 2; n++) t.equal(handles.write(handle, Buffer.from('x'), writer), 'pending')
  t.not(used[0], used[1])
  for (const request of used) request.oncomplete!(0)
  t.equal(written, 2)
})

t.test('large writes to a peer that reads at the same time arrive whole and once', async (t) => {
  const { handle, peer } = await accepted(t)
  let heard = 0
  peer.on('data', (chunk: Buffer) => { heard += chunk.length })
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
  await until('all of it has come', () => heard >= sent)
  t.equal(heard, sent)
})
