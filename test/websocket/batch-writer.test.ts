// Writes to a socket: one write per turn, in order on every path.
import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { bytesOf } from './bytes-of.js'
import type { Handle } from '../../src/websocket/node/internals.js'
import { RawConnection } from '../../src/websocket/node/raw-connection.js'
import { StreamConnection, BatchWriter, type WritableConnection } from '../../src/websocket/batch-writer.js'
import { until } from '../until.js'
import { accepted } from './accepted.js'
import { newTransport } from './transport.js'

const transport = newTransport()
const { batch, frames: writer } = transport

/** Stream that records each write to the layer below. */
function sink () {
  const written: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, done) => { written.push(String(chunk)); done() },
    writev: (chunks, done) => { written.push(chunks.map(({ chunk }) => String(chunk)).join('')); done() }
  })
  return { stream, written }
}

/** Network of a wire, made of a connection. */
const KINDS: Readonly<Record<string, (handle: Handle) => WritableConnection>> = {
  'a connection that may never be a stream': (handle) => new RawConnection(handle, { onData: () => {}, onClose: () => {} }),
  'a socket': (handle) => new StreamConnection(new Socket({ handle } as object))
}

/** Such a network, its other end, and the bytes of each write past the stream, the first `keep` of them. */
async function pair (t: Pick<Test, 'teardown'>, networkOf: (handle: Handle) => WritableConnection, keep = Infinity): Promise<{ network: WritableConnection, peer: Socket, direct: Buffer[] }> {
  const { handle, peer } = await accepted(t)
  const direct: Buffer[] = []
  const inner = networkOf(handle)
  const network: WritableConnection = {
    get handle (): WritableConnection['handle'] {
      const handle = inner.handle
      return handle && {
        writeBuffer: (request, bytes) => {
          direct.push(Buffer.from(bytes.subarray(0, keep)))
          return handle.writeBuffer(request, bytes)
        }
      }
    },
    get writableLength () { return inner.writableLength },
    openStream: () => inner.openStream()
  }
  return { network, peer, direct }
}

const tick = () => new Promise<void>((resolve) => { process.nextTick(resolve) })

t.test('a stream that is gone by the end of the tick delays no other', async (t) => {
  const [gone, there] = [sink(), sink()]
  for (const { stream } of [gone, there]) {
    const wire = new BatchWriter(new StreamConnection(stream), transport)
    wire.write(Buffer.from('x'))
    wire.write(Buffer.from('y'))
  }
  gone.stream.on('error', () => {})
  gone.stream.destroy(new Error('reset'))
  await tick()
  t.strictSame([gone.written, there.written], [[], ['xy']])
})

t.test('frames held back in a batch are written at its end, after earlier ones', async (t) => {
  const [before, within] = [sink(), sink()]
  const [early, wire] = [before, within].map(({ stream }) => new BatchWriter(new StreamConnection(stream), transport)) as [BatchWriter, BatchWriter]
  early.write(Buffer.from('before'))
  batch.begin()
  wire.write(Buffer.from('one '))
  wire.write(Buffer.from('two'))
  t.strictSame([before.written, within.written], [[], []])
  batch.end()
  t.strictSame([before.written, within.written], [['before'], ['one two']])

  batch.begin()
  batch.end()
  wire.write(Buffer.from('later'))
  t.equal(within.written.length, 1)
  await tick()
  t.strictSame(within.written.slice(1), ['later'], 'outside of a batch they are written at the end of the tick')
})

t.test('without a known handle all frames are written to the stream', async (t) => {
  const { stream, written } = sink()
  const through = new BatchWriter(new StreamConnection(stream), transport)
  batch.begin()
  through.write(Buffer.from('a'))
  through.write(Buffer.from('b'))
  t.equal(through.bufferedAmount, 2)
  through.flush()
  batch.end()
  t.strictSame(written, ['ab'])
})

for (const [kind, networkOf] of Object.entries(KINDS)) {
  t.test(`${kind}: frames of a turn are one write past the stream, in one piece or in several`, async (t) => {
    const { network, peer, direct } = await pair(t, networkOf)
    const wire = new BatchWriter(network, transport)
    let received = ''
    peer.on('data', (chunk) => { received += String(chunk) })
    const frames = Array.from({ length: 8 }, (_, n) => bytesOf(`{"n":${n}}`))
    batch.begin()
    for (const frame of frames) wire.write(frame)
    t.equal(wire.bufferedAmount, Buffer.concat(frames).length, 'held-back frames are counted')
    t.strictSame(direct, [])
    batch.end()
    t.strictSame(direct.map(String), [frames.join('')])
    t.equal(wire.bufferedAmount, 0)

    batch.begin()
    for (const frame of [frames[3]!, Buffer.from('a'), frames[1]!]) wire.write(frame)
    batch.end()
    t.strictSame(direct.slice(1).map(String), [`${frames[3]}a${frames[1]}`])

    batch.begin()
    for (const frame of [frames[4]!, frames[5]!, frames[4]!]) wire.write(frame)
    batch.end()
    t.strictSame(direct.slice(2).map(String), [`${frames[4]}${frames[5]}${frames[4]}`])

    // Frames made as they are written, more than one piece of memory holds, with others between them at times.
    for (let turn = 0; turn < 40; turn++) {
      const texts = Array.from({ length: 10 }, (_, n) => `turn ${turn}, frame ${n} ${'.'.repeat(n * 10)}`)
      batch.begin()
      for (const [n, text] of texts.entries()) {
        if (n > 0 && turn % 11 === n) writer.encodeText('somebody else')
        wire.write(writer.encodeText(text))
      }
      batch.end()
      t.strictSame(direct.at(-1), Buffer.concat(texts.map((text) => writer.encodeText(text))))
    }
    await until('all frames arrived', () => received === String(Buffer.concat(direct)))
  })

  t.test(`${kind}: while the peer is behind, frames are written to the stream`, async (t) => {
    const { network, peer, direct } = await pair(t, networkOf)
    const wire = new BatchWriter(network, transport)
    const much = Buffer.alloc(10_000_000, 'x')
    for (const bytes of [much, Buffer.from('behind it'), Buffer.from(' and on')]) {
      batch.begin()
      wire.write(bytes)
      batch.end()
    }
    t.equal(wire.bufferedAmount, much.length + 16)
    t.equal(direct.length, 1, 'later frames wait in the stream')
    let received = 0
    let last = ''
    peer.on('data', (chunk) => {
      received += chunk.length
      last = String(chunk.subarray(-16))
    })
    await until('all frames arrived', () => received === much.length + 16)
    await until('the bytes are no longer counted', () => wire.bufferedAmount === 0)
    t.equal(last, 'behind it and on')
    batch.begin()
    wire.write(Buffer.from('directly again'))
    batch.end()
    t.equal(String(direct.at(-1)), 'directly again')
  })

  t.test(`${kind}: a peer that ends its side receives the pending bytes`, async (t) => {
    const { network, peer } = await pair(t, networkOf)
    const wire = new BatchWriter(network, transport)
    const much = Buffer.alloc(10_000_000, 'x')
    batch.begin()
    wire.write(much)
    batch.end()
    let received = 0
    peer.end()
    await turn()
    peer.on('data', (chunk) => { received += chunk.length })
    await until('all frames arrived', () => received === much.length)
    await until('the connection is closed', () => peer.closed)
  })

  t.test(`${kind}: pending bytes to a peer that is gone end the connection`, async (t) => {
    const { network, peer } = await pair(t, networkOf)
    const wire = new BatchWriter(network, transport)
    batch.begin()
    wire.write(Buffer.alloc(10_000_000, 'x'))
    batch.end()
    network.openStream()!.on('error', () => {})
    peer.resetAndDestroy()
    await until('the connection is closed', () => network.openStream()!.destroyed)
    t.equal(network.handle, undefined)
    wire.write(Buffer.from('too late'))
  })

  t.test(`${kind}: a write to a closed connection is dropped without an error`, async (t) => {
    const { network, peer } = await pair(t, networkOf)
    const wire = new BatchWriter(network, transport)
    batch.begin()
    wire.write(Buffer.from('x'))
    peer.resetAndDestroy()
    if (kind === 'a socket') network.openStream()!.on('error', (error) => t.fail(error.message)).destroy()
    await until('the connection is closed', () => network.handle === undefined)
    batch.end()
    let isPaced = false
    wire.writePaced(Buffer.from('y'), () => { isPaced = true })
    await until('no callback is pending', () => isPaced)
    wire.write(Buffer.from('z'))
    await turn()
  })

  t.test(`${kind}: frames written in any mix of ways arrive in order`, async (t) => {
    const step = fc.oneof(
      fc.constantFrom('turn', 'turn of many', 'tick', 'stream', 'stream within a turn', 'wait', 'peer stops', 'peer reads'),
      fc.integer({ min: 100_000, max: 3_000_000 })
    )
    const seen = { direct: 0, behind: 0 }
    let count = 0
    // The same memory in each run: to get new memory takes longer than all else here.
    const [written, received] = [Buffer.alloc(12 * 3_001_000), Buffer.alloc(12 * 3_001_000)]
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      // Megabytes are written, and their writes only counted.
      const { network, peer, direct } = await pair(t, networkOf, 0)
      const wire = new BatchWriter(network, transport)
      let [writtenLength, receivedLength] = [0, 0]
      peer.on('data', (chunk: Buffer) => { receivedLength += chunk.copy(received, receivedLength) })
      const next = (length = 3) => {
        const number = `${count++} `
        const bytes = written.subarray(writtenLength, writtenLength += Math.max(length, number.length)).fill('x')
        bytes.write(number)
        return bytes
      }
      for (const step of steps) {
        if (step === 'tick') wire.write(next())
        else if (step === 'wait') await turn()
        else if (step === 'peer stops') peer.pause()
        else if (step === 'peer reads') peer.resume()
        else if (step === 'stream') {
          wire.flush()
          network.openStream()!.write(next())
        } else {
          batch.begin()
          wire.write(next(typeof step === 'number' ? step : 3))
          if (step !== 'turn') wire.write(next())
          if (step === 'stream within a turn') {
            wire.flush()
            network.openStream()!.write(next())
            wire.write(next())
          }
          batch.end()
        }
        if (network.writableLength > 0 && wire.bufferedAmount > network.writableLength) seen.behind++
      }
      peer.resume()
      await until('all frames arrived', () => receivedLength === writtenLength && wire.bufferedAmount === 0)
      assert.ok(received.subarray(0, receivedLength).equals(written.subarray(0, writtenLength)))
      seen.direct += direct.length
      peer.destroy()
    }), { numRuns: 150 })
    for (const [what, times] of Object.entries(seen)) t.ok(times > 5, `${what}: ${times}`)
  })
}
