// Frames of a room in a few pieces of memory: the latest frames, byte for byte, before and after any other use of the memory.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { FrameRing } from '../../../src/broker/memory/frame-ring.js'
import { release, acquire } from '../../../src/broker/memory/buffer-pool.js'
import { encodeTextFrame } from '../../../src/websocket/frame-writer.js'

t.test('retained frames keep their bytes beside rings that end, and frames that were read keep theirs after they are dropped', async (t) => {
  const seen = { dropped: 0, ended: 0, large: 0 }
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.integer({ min: 0, max: 70_000 }).map((length) => 'ã'.repeat(length / 2)), fc.constantFrom('x'.repeat(125), 'x'.repeat(126), 'x'.repeat(500), 'x'.repeat(65_536)))
  const step = fc.oneof({ weight: 9, arbitrary: fc.record({ ring: fc.nat({ max: 2 }), text }) }, { weight: 1, arbitrary: fc.record({ ring: fc.nat({ max: 2 }) }) })
  fc.assert(fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { minLength: 1, maxLength: 40 }), (size, steps) => {
    const begin = () => ({ ring: new FrameRing(size), pushed: [] as Buffer[], read: [] as Buffer[] })
    const rings = [begin(), begin(), begin()]
    for (const step of steps) {
      const { ring, pushed, read } = rings[step.ring]!
      if (!('text' in step)) {
        ring.end()
        rings[step.ring] = begin()
        seen.ended++
        continue
      }
      const frame = encodeTextFrame(step.text)
      pushed.push(Buffer.from(frame))
      ring.push(frame)
      read.push(Buffer.from(ring.get(pushed.length)))
      // Buffers that were pushed still belong to the caller.
      frame.fill(0)
      if (frame.length > 65_535) seen.large++
      if (pushed.length > size) seen.dropped++
      for (const { ring, pushed, read } of rings) {
        assert.equal(ring.length, Math.min(size, pushed.length))
        for (let number = pushed.length + 1 - ring.length; number <= pushed.length; number++) assert.deepEqual(Buffer.from(ring.get(number)), pushed[number - 1])
        assert.deepEqual(read, pushed)
      }
    }
  }), { numRuns: 200 })
  for (const [what, count] of Object.entries(seen)) t.ok(count > 20, `${what}: ${count}`)
})

/** Measures the memory that is acquired meanwhile, new or from the pool: buffers that were pooled before are set aside. */
function allocated (run: () => void): number[] {
  const aside = [1024, 2048, 4096, 8192, 16_384].flatMap((bytes) => Array.from({ length: 300 }, () => acquire(bytes)))
  const { allocUnsafeSlow } = Buffer
  const sizes: number[] = []
  Buffer.allocUnsafeSlow = (size) => {
    sizes.push(size)
    return allocUnsafeSlow(size)
  }
  try {
    run()
  } finally {
    Buffer.allocUnsafeSlow = allocUnsafeSlow
  }
  for (const piece of aside) release(piece)
  return sizes
}

t.test('a room with few events takes little memory, and a room with many no more than the frames it keeps', async (t) => {
  const frame = encodeTextFrame('x'.repeat(396))
  const ring = new FrameRing(100)
  const push = (times: number) => () => { for (let n = 0; n < times; n++) ring.push(frame) }
  t.strictSame(allocated(push(2)), [1024])
  t.strictSame(allocated(push(2)), [1024])
  t.strictSame(allocated(push(96)), [2048, 4096, 8192, 16_384, 16_384])
  const more = allocated(push(200))
  t.ok(more.length <= 2, `${more.length} more, since the oldest frames share their piece with others`)
  t.ok(allocated(push(5_000)).length <= 1, 'later pushes reuse the pieces, except the piece that was set aside here')
})

t.test('memory that a room releases is reused by the next room, up to a limit', async (t) => {
  const rings = Array.from({ length: 300 }, () => new FrameRing(10))
  const frames = Array.from({ length: 300 }, (_, n) => encodeTextFrame(`y${n}`))
  const sizes = allocated(() => {
    for (const ring of rings) ring.push(frames[0]!)
    for (const ring of rings.splice(0)) ring.end()
    for (const frame of frames) {
      const ring = new FrameRing(10)
      ring.push(frame)
      rings.push(ring)
    }
  })
  t.equal(sizes.length, 300 + 44, '256 pieces were pooled')
  t.ok(rings.every((ring, n) => ring.length === 1 && Buffer.from(ring.get(1)).equals(frames[n]!)))
})

t.test('a frame larger than any piece gets its own piece, which is not reused', async (t) => {
  const ring = new FrameRing(2)
  const large = encodeTextFrame('x'.repeat(100_000))
  t.strictSame(allocated(() => ring.push(large)), [large.length])
  t.ok(Buffer.from(ring.get(1)).equals(large))
  const small = encodeTextFrame('small')
  t.strictSame(allocated(() => {
    ring.push(small)
    ring.push(small)
    ring.push(large)
    ring.push(large)
  }), [16_384, large.length, large.length])
  t.ok(Buffer.from(ring.get(5)).equals(large))
})
