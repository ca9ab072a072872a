// Numbers that JSON.parse changes: they are found by their path, and refused in messages of either decoder.
import fc from 'fast-check'
import t from 'tap'
import { decodeFrame } from '../../src/protocol/decode.js'
import { inexactNumberPath } from '../../src/protocol/exact-numbers.js'

t.test('a number that a double does not hold is found by its path', async (t) => {
  for (const [text, path] of [
    ['{"orderId":576461413038785752}', ['orderId']], ['{"a":9007199254740993}', ['a']], ['{"a":-9007199254740992}', ['a']], ['{"a":0.300000000000000041}', ['a']],
    ['{"a":[1e2,{"b":12345678901234567890}]}', ['a', '1', 'b']], ['{"a":1e-400}', ['a']], ['{"x\\"y":"12345678901234567","z":12345678901234567}', ['z']], ['[9007199254740992]', ['0']]
  ] as const) t.strictSame(inexactNumberPath(text), path, text)
})

t.test('exact numbers, other spellings of them, and digits in texts pass', async (t) => {
  for (const text of [
    '{"a":9007199254740991}', '{"a":-9007199254740991}', '{"a":0.30000000000000004}', '{"a":1.10000000000000000000}', '{"a":1e21}', '{"a":-0}', '{"a":0e5}', '{"a":1E+2}',
    '{"s":"12345678901234567890"}', '{"12345678901234567890":1}', '{"s":"\\"12345678901234567890"}', '{"a":12345678901234567890,"a":1}', '{"a":1e400}'
  ]) t.equal(inexactNumberPath(text), undefined, text)
})

t.test('every double that JSON.stringify writes passes, but for integers beyond 2^53', async () => {
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
    const text = JSON.stringify({ value })
    return (inexactNumberPath(text) === undefined) === (!Number.isInteger(value) || Number.isSafeInteger(value) || String(value).includes('e'))
  }))
})

t.test('a message with such a number is refused with a sentence that says what to do; two such numbers are not one event', async (t) => {
  for (const orderId of ['576461413038785752', '576461413038785753', '0.1234567890123456789']) {
    for (const space of ['', ' ']) {
      const answer = decodeFrame(Buffer.from(`${space}{"type":"CLICKED_PAY","payload":{"roomId":"r","orderId":${orderId}},"id":"evt-1"}`))
      t.match(answer, { id: 'evt-1', failure: { code: 'INVALID_FRAME', message: 'payload.orderId: this number cannot be carried exactly; send it as text' } })
    }
  }
})
