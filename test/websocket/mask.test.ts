// Mask of RFC 6455: applied correctly for any bytes, mask and alignment, and removed by a second application.
import fc from 'fast-check'
import t from 'tap'
import { Unmasker } from '../../src/websocket/mask.js'

const unmasker = new Unmasker()

/** Masks by RFC 6455 §5.3, to the letter. */
const masked = (data: Uint8Array, mask: Uint8Array) => data.map((octet, i) => octet ^ mask[i % 4]!)

t.test('unmasking equals the RFC byte for byte and changes no other byte', async (t) => {
  const memory = Buffer.allocUnsafeSlow(400)
  const bytes = fc.uint8Array({ maxLength: 80 })
  const ascii = fc.string({ maxLength: 80 }).map((text) => new Uint8Array(Buffer.from(text, 'latin1').map((byte) => byte & 0x7f)))
  const mask = fc.uint8Array({ minLength: 4, maxLength: 4 })
  fc.assert(fc.property(fc.oneof(bytes, ascii), mask, fc.nat(9), fc.nat(3), fc.nat(9), fc.boolean(), (data, mask, before, gap, cut, isShared) => {
    // Shared memory, or a buffer that does not begin at a word.
    const buffer = isShared ? memory : Buffer.allocUnsafeSlow(400).subarray(cut)
    const [at, start] = [before, before + 4 + gap]
    buffer.fill(0xaa)
    buffer.set(mask, at)
    buffer.set(masked(data, mask), start)
    const [head, tail] = [Buffer.from(buffer.subarray(0, start)), Buffer.from(buffer.subarray(start + data.length))]
    t.equal(unmasker.apply(buffer, at, start, start + data.length), data.every((byte) => byte < 0x80))
    t.ok(buffer.subarray(start, start + data.length).equals(data))
    t.ok(buffer.subarray(0, start).equals(head) && buffer.subarray(start + data.length).equals(tail))
    unmasker.apply(buffer, at, start, start + data.length)
    t.ok(buffer.subarray(start, start + data.length).equals(masked(data, mask)))
  }), { numRuns: 1_000 })
})
