// The mask: whatever the bytes, the mask and where they lie, it is what RFC 6455 says, and off again with a second time.
import fc from 'fast-check'
import t from 'tap'
import { Unmasker } from '../../src/websocket/mask.js'

const unmasker = new Unmasker()

/** RFC 6455 §5.3, to the letter. */
const masked = (data: Uint8Array, mask: Uint8Array) => data.map((octet, i) => octet ^ mask[i % 4]!)

t.test('byte for byte as the RFC says, and nothing beside', async (t) => {
  const memory = Buffer.allocUnsafeSlow(400)
  const bytes = fc.uint8Array({ maxLength: 80 })
  const ascii = fc.string({ maxLength: 80 }).map((text) => new Uint8Array(Buffer.from(text, 'latin1').map((byte) => byte & 0x7f)))
  const mask = fc.uint8Array({ minLength: 4, maxLength: 4 })
  fc.assert(fc.property(fc.oneof(bytes, ascii), mask, fc.nat(9), fc.nat(3), fc.nat(9), fc.boolean(), (data, mask, before, gap, cut, isShared) => {
    // The memory that all share, or one of its own that begins where no word does.
    const whole = isShared ? memory : Buffer.allocUnsafeSlow(400).subarray(cut)
    const [at, start] = [before, before + 4 + gap]
    whole.fill(0xaa)
    whole.set(mask, at)
    whole.set(masked(data, mask), start)
    const [head, tail] = [Buffer.from(whole.subarray(0, start)), Buffer.from(whole.subarray(start + data.length))]
    t.equal(unmasker.apply(whole, at, start, start + data.length), data.every((byte) => byte < 0x80))
    t.ok(whole.subarray(start, start + data.length).equals(data))
    t.ok(whole.subarray(0, start).equals(head) && whole.subarray(start + data.length).equals(tail))
    unmasker.apply(whole, at, start, start + data.length)
    t.ok(whole.subarray(start, start + data.length).equals(masked(data, mask)))
  }), { numRuns: 1_000 })
})
