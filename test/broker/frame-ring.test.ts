// The frames of a room in one piece of memory: the latest ones, byte for byte, and never a byte of one that is still on its way.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { FrameRing } from '../../src/broker/frame-ring.js'
import { framed } from '../../src/protocol/framing.js'

t.test('whatever is kept and handed out, it stays what it was', async (t) => {
  const seen = { dropped: 0, moved: 0, large: 0 }
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.integer({ min: 0, max: 70_000 }).map((length) => 'ã'.repeat(length / 2)), fc.constantFrom('x'.repeat(125), 'x'.repeat(126), 'x'.repeat(500)))
  fc.assert(fc.property(fc.integer({ min: 1, max: 5 }), fc.array(text, { minLength: 1, maxLength: 20 }), (size, texts) => {
    const ring = new FrameRing(size)
    const handedOut: Buffer[] = []
    for (const [i, text] of texts.entries()) {
      const frame = ring.push(text)
      handedOut.push(frame)
      if (i > 0 && frame.buffer !== handedOut[i - 1]!.buffer) seen.moved++
      if (frame.length > 65_535) seen.large++
      assert.equal(ring.length, Math.min(size, i + 1))
      for (let number = i + 2 - ring.length; number <= i + 1; number++) assert.deepEqual(ring.get(number), handedOut[number - 1])
      // Those that are not kept any more may still wait for a slow peer.
      for (const [j, frame] of handedOut.entries()) assert.deepEqual(frame, framed(texts[j]!))
    }
    if (texts.length > size) seen.dropped++
  }), { numRuns: 200 })
  for (const [what, count] of Object.entries(seen)) t.ok(count > 20, `${what}: ${count}`)
})

t.test('it takes memory for what it keeps, and not for all there was', async (t) => {
  const ring = new FrameRing(100)
  const text = 'x'.repeat(396)
  const sizes = Array.from({ length: 5_000 }, () => ring.push(text).buffer.byteLength)
  t.strictSame(sizes.slice(0, 9), [1024, 1024, 1024, 1024, 2048, 2048, 2048, 2048, 2048], 'a room with few events takes little')
  const kept = new Set(Array.from({ length: 100 }, (_, i) => ring.get(4_901 + i).buffer))
  t.ok(kept.size <= 4, `${kept.size} pieces of 16 KiB for 40,000 bytes`)
  t.ok([...kept].every(({ byteLength }) => byteLength === 16_384))
})

t.test('a frame larger than any piece has one of its own', async (t) => {
  const ring = new FrameRing(2)
  const large = ring.push('x'.repeat(100_000))
  t.equal(large.buffer.byteLength, large.length)
  t.strictSame(ring.get(1), large)
  t.equal(ring.push('small').buffer.byteLength, 16_384)
  t.strictSame(ring.get(1), large)
})
