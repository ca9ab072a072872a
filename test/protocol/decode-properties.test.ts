// Decoding of arbitrary input: a frame or a coded failure, never a throw, and an accepted payload is relayed unchanged.
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { ErrorCode } from '../../src/errors.js'
import { draftEvent, eventText } from '../../src/broker/event-draft.js'
import { COMMANDS, EVENT_TYPES } from '../../src/protocol/events.js'
import { decode, frame } from './frames.js'

const TYPES: readonly string[] = [...EVENT_TYPES, ...Object.keys(COMMANDS)]
const REFUSALS: readonly ErrorCode[] = ['INVALID_JSON', 'INVALID_FRAME', 'UNKNOWN_EVENT', 'FORBIDDEN_KEY', 'SENSITIVE_DATA', 'TOO_DEEP']

/** Asserts that the input gives a coded failure, or a frame that is relayed with the same payload. */
function isCoded (data: Buffer | string): boolean {
  const result = decode(data)
  if ('failure' in result) return REFUSALS.includes(result.failure.code) && result.failure.message !== '' && !result.failure.retryable
  const text = eventText(draftEvent(result, { source: 'device', timestamp: 5 }), 7)
  const { type, payload, seq, id } = JSON.parse(text) as Record<string, unknown>
  return TYPES.includes(result.type) && type === result.type && seq === 7 && id === result.id &&
    isDeepStrictEqual(payload, (JSON.parse(data.toString()) as { payload?: unknown }).payload ?? {}) && isDeepStrictEqual(payload, result.payload)
}

/** Checks the bounds in the slow and simple way, over a value without forbidden keys. */
function isWithinBounds (value: unknown): boolean {
  const levels = (value: unknown): number => typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(levels)) : 0
  const all = (value: unknown): unknown[] => [value, ...(typeof value === 'object' && value !== null ? Object.values(value).flatMap(all) : [])]
  const values = all(value)
  const arrays = values.filter((value) => Array.isArray(value))
  const keys = values.filter((value) => typeof value === 'object' && value !== null && !Array.isArray(value)).flatMap((object) => Object.keys(object as object))
  const strings = [...keys, ...values.filter((value) => typeof value === 'string')]
  return levels(value) <= 8 && keys.length <= 64 && arrays.flat().length <= 256 && strings.every((text) => text.length <= 2048 && text.isWellFormed())
}

const anyText = fc.string({ unit: 'binary', maxLength: 30 })
const hostileKey = fc.oneof(anyText, fc.constantFrom('__proto__', 'constructor', 'prototype', 'roomId', 'type', 'payload', 'id', 'amount', 'fields', 'deviceId', 'toString', 'toJSON'))
const { value: hostileValue } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true },
    fc.oneof(anyText, fc.constantFrom('r', 'EUR', '\ud800', '/'), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 5 }),
    // Keys are set by `fromEntries`, which treats `__proto__` like every key, and so does JSON.
    fc.array(fc.tuple(hostileKey, tie('value')), { maxLength: 5 }).map((members) => Object.fromEntries(members))
  )
}))
const hostileFrame = fc.record({
  type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...TYPES) }, { weight: 1, arbitrary: hostileValue }),
  payload: fc.oneof(
    { weight: 9, arbitrary: fc.tuple(fc.stringMatching(/^[A-Za-z0-9._:~-]{1,128}$/), fc.dictionary(hostileKey, hostileValue, { maxKeys: 6 })).map(([roomId, extra]) => ({ ...extra, roomId })) },
    { weight: 1, arbitrary: hostileValue }),
  id: fc.oneof(fc.stringMatching(/^[ -~]{1,64}$/), hostileValue)
}, { requiredKeys: ['type', 'payload'] }).map((value) => JSON.stringify(value))

t.test('any bytes give a frame or a coded failure, never a throw', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => isCoded(Buffer.from(bytes))), { numRuns: 2000 })
})

t.test('any JSON gives a frame or a coded failure', async () => {
  fc.assert(fc.property(fc.json({ maxDepth: 12 }), isCoded), { numRuns: 2000 })
  fc.assert(fc.property(hostileValue, (value) => isCoded(JSON.stringify(value))), { numRuns: 2000 })
})

t.test('a frame with any error gives a frame or a coded failure, and an accepted payload is relayed unchanged', async (t) => {
  let accepted = 0
  fc.assert(fc.property(hostileFrame, (text) => {
    if (!('failure' in decode(text))) accepted++
    return isCoded(text)
  }), { numRuns: 4000 })
  t.ok(accepted > 200, `many frames are accepted (${accepted})`)
})

t.test('a valid frame with bytes removed or replaced gives a frame or a coded failure', async () => {
  const good = Buffer.from(frame({ deviceId: 'd', amount: 5, note: 'olá 😀', nested: { a: ['x', { b: null }] } }, { type: 'PAYMENT_SUCCESS', id: 'an id' }))
  fc.assert(fc.property(fc.nat(good.length), fc.nat(12), fc.oneof(fc.uint8Array({ maxLength: 6 }), anyText.map((text) => Buffer.from(text))), (at, length, piece) =>
    isCoded(Buffer.concat([good.subarray(0, at), piece, good.subarray(at + length)]))), { numRuns: 3000 })
})

t.test('a frame with arbitrary keys is accepted exactly if it is within the bounds', async (t) => {
  const text = fc.oneof(fc.string({ maxLength: 8 }), fc.nat(2100).map((length) => 'x'.repeat(length)), fc.constant('\udc00'))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 9 },
      fc.oneof(fc.integer(), text),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.nat(260).map((length) => Array<number>(length).fill(0)),
      fc.nat(66).map((length) => Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i]))),
      fc.dictionary(fc.string({ maxLength: 4 }).map((key) => `x${key}`), tie('value'), { maxKeys: 3 }),
      fc.tuple(fc.nat(9), tie('value')).map(([depth, core]) => { for (let i = 0; i < depth; i++) core = [core]; return core })
    )
  }))
  const seen = { accepted: 0, refused: 0 }
  fc.assert(fc.property(value, (extra) => {
    const text = frame({ extra })
    const accepted = !('failure' in decode(text))
    seen[accepted ? 'accepted' : 'refused']++
    return accepted === isWithinBounds(JSON.parse(text))
  }), { numRuns: 3000 })
  t.ok(seen.accepted > 100 && seen.refused > 100, `both outcomes occur (${seen.accepted}, ${seen.refused})`)
})

t.test('every refusal names the id of its frame', async (t) => {
  for (const [payload, code] of [
    ['{"roomId":"r","__proto__":1}', 'FORBIDDEN_KEY'],
    [`{"roomId":"r","x":${'['.repeat(20)}${']'.repeat(20)}}`, 'TOO_DEEP'],
    [`{"roomId":"r","x":"${'x'.repeat(3000)}"}`, 'INVALID_FRAME'],
    ['{}', 'INVALID_FRAME']
  ]) t.match(decode(`{"type":"CLICKED_PAY","id":"a","payload":${payload}}`), { failure: { code }, id: 'a' })
})
