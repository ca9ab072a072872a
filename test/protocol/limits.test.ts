// Limits of every frame: no key that reaches a prototype, and bounds on depth, keys, items and texts.
import t from 'tap'
import { draftEvent, eventText } from '../../src/broker/event-draft.js'
import type { ClientFrame } from '../../src/protocol/decode.js'
import { MAX_STRING } from '../../src/protocol/fields.js'
import { MAX_DEPTH, MAX_ITEMS, MAX_KEYS } from '../../src/protocol/limits.js'
import { decode, frame, raw, refuses, takes } from './frames.js'

t.test('keys that would reach a prototype are FORBIDDEN_KEY, in any spelling and at any place', async (t) => {
  const places = (member: string) => [
    `{${member},"type":"CLICKED_PAY","payload":{"roomId":"r"}}`,
    `{"type":"CLICKED_PAY","payload":{"roomId":"r",${member}}}`,
    `{"type":"CLICKED_PAY","payload":{"roomId":"r","a":{"b":{${member}}}}}`,
    `{"type":"CLICKED_PAY","payload":{"roomId":"r","a":[0,[{${member}}]]}}`,
    `{${member},"type":"toString","payload":null}`
  ]
  for (const member of [
    '"__proto__":{"polluted":1}', '"__proto__":null', '"__proto__":1', '"__proto__":[]',
    '"\\u005f_proto__":{"polluted":1}', '"\\u005F\\u005F\\u0070roto\\u005f\\u005f":{"polluted":1}', '"__pro\\u0074o__":1', '"\\u005f\\u005f\\u0070\\u0072\\u006f\\u0074\\u006f\\u005f\\u005f":1',
    '"__proto__":1,"__proto__":{"polluted":1}', '"__proto__":1,"\\u005f_proto__":2',
    '"constructor":{"prototype":{"polluted":1}}', '"constructor":{"prototype":null}', '"constructor":{"name":1,"prototype":1}',
    '"con\\u0073tructor":{"prototyp\\u0065":1}', '"constructor":1,"constructor":{"prototype":1}'
  ]) for (const text of places(member)) refuses(t, text, 'FORBIDDEN_KEY', /contains a forbidden key/, text)
  for (const member of [
    '"constructor":"Bauer AG"', '"constructor":{"name":"x"}', '"constructor":null', '"constructor":["prototype"]', '"prototype":{"a":1}',
    '"toString":1', '"hasOwnProperty":1', '"__proto":1', '"proto__":1', '"__PROTO__":1', '"note":"__proto__"', '"toJSON":1', '"then":1', '"length":1'
  ]) takes(t, `{"type":"CLICKED_PAY","payload":{"roomId":"r","a":{${member}},${member}},${member}}`, member)
  t.equal(({} as { polluted?: number }).polluted, undefined)
})

t.test('of two keys with one name the last counts, and only the last is relayed', async (t) => {
  const accepted = decode('{"type":"CLICKED_PAY","payload":{"roomId":"/","roomId":"r","note":1,"n\\u006fte":2}}') as ClientFrame
  t.equal(eventText(draftEvent(accepted, { source: 'device', timestamp: 5 }), 1), '{"type":"CLICKED_PAY","payload":{"roomId":"r","note":2},"seq":1,"timestamp":5,"source":"device"}')
  refuses(t, '{"type":"CLICKED_PAY","payload":{"roomId":"r","roomId":"/"}}', 'INVALID_FRAME', /^payload\.roomId: /)
})

t.test('eight levels of nesting are accepted, nine are TOO_DEEP', async (t) => {
  // Two of the levels are the frame and its payload.
  const levels = (n: number, open: string, close: string, core = '') => raw(open.repeat(n - 2) + core + close.repeat(n - 2))
  t.equal(MAX_DEPTH, 8)
  for (const [open, close, core] of [['[', ']', ''], ['{"a":', '}', '1']] as const) {
    takes(t, levels(8, open, close, core))
    for (const n of [9, 10, 5000, 100_000]) refuses(t, levels(n, open, close, core), 'TOO_DEEP', /more than 8 levels deep/)
  }
  takes(t, raw('[{"a":[{"b":[{}]}]}]'))
  refuses(t, raw('[{"a":[{"b":[{"c":[]}]}]}]'), 'TOO_DEEP', /./, 'objects and arrays count alike')
  refuses(t, levels(9, '[', ']'), 'TOO_DEEP', /./, 'an empty array is a level')
  refuses(t, levels(8, '[', ']', '{}'), 'TOO_DEEP', /./, 'an empty object is a level')
  takes(t, levels(8, '[', ']', '1,2'), 'its items are none')
  refuses(t, `{"type":"CLICKED_PAY","payload":{"roomId":"r"},"extra":${'['.repeat(8)}${']'.repeat(8)}}`, 'TOO_DEEP', /./, 'beside the payload')
  takes(t, `{"type":"CLICKED_PAY","payload":{"roomId":"r"},"extra":${'['.repeat(7)}${']'.repeat(7)}}`)
  refuses(t, '['.repeat(100_000), 'INVALID_JSON', /./, 'deep and cut off')
  refuses(t, '['.repeat(100_000) + ']'.repeat(100_000), 'INVALID_FRAME', /must be a JSON object/, 'deep and no object')
})

t.test('64 keys are accepted, 65 are refused, over all objects of the frame', async (t) => {
  t.equal(MAX_KEYS, 64)
  const keys = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i]))
  // Three of the keys are type, payload and roomId.
  takes(t, frame(keys(61)))
  refuses(t, frame(keys(62)), 'INVALID_FRAME', /more than 64 keys/)
  takes(t, frame({ a: keys(30), b: [keys(29)] }))
  refuses(t, frame({ a: keys(30), b: [keys(30)] }), 'INVALID_FRAME', /more than 64 keys/)
  takes(t, frame({}, keys(61)))
  refuses(t, frame({}, keys(62)), 'INVALID_FRAME', /more than 64 keys/)
})

t.test('256 array items are accepted, 257 are refused, over all arrays of the frame', async (t) => {
  t.equal(MAX_ITEMS, 256)
  const items = (n: number) => Array<string>(n).fill('i')
  takes(t, frame({ fields: items(256) }, { type: 'DATA_FILLED' }))
  refuses(t, frame({ fields: items(257) }, { type: 'DATA_FILLED' }), 'INVALID_FRAME', /more than 256 array items/)
  takes(t, frame({ a: items(128), b: { c: items(128) } }))
  refuses(t, frame({ a: items(128), b: { c: items(129) } }), 'INVALID_FRAME', /more than 256 array items/)
  takes(t, frame({ a: [items(127), items(127)] }), 'arrays in an array are items too')
  refuses(t, frame({ a: [items(127), items(128)] }), 'INVALID_FRAME', /more than 256 array items/)
})

t.test('2048 characters are accepted, 2049 are refused, in any string and any key', async (t) => {
  t.equal(MAX_STRING, 2048)
  for (const character of ['x', 'é', '€']) {
    const [fits, tooLong] = [character.repeat(2048), character.repeat(2049)]
    for (const place of [
      (text: string) => frame({ extra: text }), (text: string) => frame({ extra: [[text]] }), (text: string) => frame({ [text]: 1 }),
      (text: string) => frame({}, { extra: text }), (text: string) => frame({}, { [text]: 1 }),
      (text: string) => frame({ error: text }, { type: 'PAYMENT_ERROR' }), (text: string) => frame({ fields: [text] }, { type: 'DATA_FILLED' })
    ]) {
      takes(t, place(fits))
      refuses(t, place(tooLong), 'INVALID_FRAME', /(at most|longer than) 2048 characters/)
    }
  }
})

t.test('lone surrogates are refused, pairs are accepted', async (t) => {
  for (const json of ['"\\ud800"', '"\\udfff"', '"a\\udc00\\ud800b"', '{"\\ud83d":1}', '["\\ude00"]']) refuses(t, raw(json), 'INVALID_FRAME', /lone surrogate/)
  refuses(t, raw('1').replace('"r"', '"\\ud800"'), 'INVALID_FRAME', /./, 'in the room id')
  for (const json of ['"\\ud83d\\ude00"', '"😀"', '"\\u0000"', '"\\uffff"', '"\\u2028"']) takes(t, raw(json))
})
