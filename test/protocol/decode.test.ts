// Frames of clients, to the last character: accepted ones, errors for the others, and the frames that other members receive.
import t, { type Test } from 'tap'
import { draftEvent, eventText, fingerprintOf, readEvent, isSameEvent, type DraftOptions, type EventDraft } from '../../src/broker/event-draft.js'
import { checkFrame, type ClientFrame, type RefusedFrame } from '../../src/protocol/decode.js'
import { encodeFrame, greeting } from '../../src/protocol/encode.js'
import { DEVICE_EVENT_TYPES, EVENT_TYPES } from '../../src/protocol/events.js'
import { decode, frame, named, raw, refuses, takes } from './frames.js'

t.test('a frame is decoded to its type, its payload and its optional id', async (t) => {
  t.strictSame(decode('{"type":"CLICKED_PAY","payload":{"roomId":"r"}}'), { type: 'CLICKED_PAY', payload: { roomId: 'r' }, id: undefined, jsonPrefix: '{"type":"CLICKED_PAY","payload":{"roomId":"r"}' }, 'plain, so the frame need not be serialised again')
  t.strictSame(decode('{"id":"a","payload":{"roomId":"r"},"type":"CLICKED_PAY"}'), { type: 'CLICKED_PAY', payload: { roomId: 'r' }, id: 'a' })
  t.strictSame(decode(' {"type":"CLICKED_PAY",\r\n\t"payload":{"roomId":"r"}} '), { type: 'CLICKED_PAY', payload: { roomId: 'r' }, id: undefined }, 'text, with white space around the frame')
  t.strictSame(decode(frame({ message: 'olá', nested: { a: [1, null, true] } }, { timestamp: 5, clientId: 'mine' })),
    { type: 'CLICKED_PAY', payload: { roomId: 'r', message: 'olá', nested: { a: [1, null, true] } }, id: undefined }, 'extra payload keys stay, extra top-level keys are dropped')
  for (const type of EVENT_TYPES) takes(t, frame({}, { type }), `${type} with nothing but a room`)
})

t.test('text that is not JSON is INVALID_JSON', async (t) => {
  for (const text of [
    '', ' ', 'nonsense', '{', '{"type":"CLICKED_PAY"', `${frame()}x`, `${frame()}${frame()}`, `${frame()},`, "{'type':'CLICKED_PAY'}", '{type:"CLICKED_PAY"}',
    raw('NaN'), raw('Infinity'), raw('-Infinity'), raw('undefined'), raw('01'), raw('+1'), raw('.5'), raw('0x10'), raw('[1,]'), raw('"\\x41"'), raw('// no\n1'),
    raw('"a\u0000b"'), raw('"a\nb"'), raw('"a\tb"'), raw('"a\u001fb"'), `\u0000${frame()}`, `\u00a0${frame()}`, `\ufeff${frame()}`
  ]) refuses(t, text, 'INVALID_JSON', /^The JSON could not be parsed\.$/, JSON.stringify(named(text)))
  refuses(t, Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(frame())]), 'INVALID_JSON', /./, 'a byte order mark')
  refuses(t, Buffer.from([0xff, 0xfe, 0x00]), 'INVALID_JSON', /./, 'bytes that are no text')
})

t.test('JSON that is not an object is INVALID_FRAME', async (t) => {
  for (const text of ['null', '[]', `[${frame()}]`, 'true', '5', '"CLICKED_PAY"']) refuses(t, text, 'INVALID_FRAME', /must be a JSON object/)
})

t.test('the error names type or payload when it is missing or wrong', async (t) => {
  for (const text of ['{}', '{"payload":{"roomId":"r"}}', '{"type":null,"payload":{"roomId":"r"}}', '{"type":5,"payload":{"roomId":"r"}}', '{"type":["CLICKED_PAY"],"payload":{"roomId":"r"}}']) {
    refuses(t, text, 'INVALID_FRAME', /^type: must be a string$/)
  }
  for (const payload of ['null', '[]', '"r"', '5', 'false']) refuses(t, `{"type":"CLICKED_PAY","payload":${payload}}`, 'INVALID_FRAME', /^payload: must be an object$/)
  refuses(t, '{"type":"CLICKED_PAY"}', 'INVALID_FRAME', /^payload\.roomId: expected required property$/, 'no payload is an empty one')
})

t.test('an unknown type is UNKNOWN_EVENT, and the error lists the accepted types', async (t) => {
  for (const type of [
    '', 'toString', 'constructor', 'hasOwnProperty', 'valueOf', '__proto__', 'prototype', 'size', 'get', 'click_pay', 'clicked_pay', 'CLICKED_PAY ', ' CLICKED_PAY', 'CLICKED_PAY\u0000',
    'CONNECTION_ESTABLISHED', 'ROOM_JOINED', 'ERROR', 'ACK', 'ROOM_LEFT', 'PONG', 'DEVICE_JOINED', 'DEVICE_LEFT', 'ROOM_CLOSED', 'PAYMENT_UPDATE'
  ]) refuses(t, frame({}, { type }), 'UNKNOWN_EVENT', /JOIN_ROOM, ENTERED_SUMMARY, .*PAYMENT_ERROR/, JSON.stringify(type))
  refuses(t, '{"type":"CLICKED_PAY","type":"toString","payload":{"roomId":"r"}}', 'UNKNOWN_EVENT', /./, 'of two types the last counts')
})

t.test('the room id has 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -', async (t) => {
  takes(t, frame({ roomId: 'A' }))
  takes(t, frame({ roomId: 'x'.repeat(128) }))
  refuses(t, frame({ roomId: 'x'.repeat(129) }), 'INVALID_FRAME', /^payload\.roomId: .*128/)
  refuses(t, frame({ roomId: 'x'.repeat(300) }), 'INVALID_FRAME', /^payload\.roomId: .*128/)
  refuses(t, frame({ roomId: '' }), 'INVALID_FRAME', /^payload\.roomId: .*1$/)
  refuses(t, '{"type":"CLICKED_PAY","payload":{}}', 'INVALID_FRAME', /^payload\.roomId: .*required/)
  for (const roomId of [5, null, true, ['r'], {}]) refuses(t, frame({ roomId }), 'INVALID_FRAME', /^payload\.roomId: expected string$/)
  for (let code = 0; code < 256; code++) {
    const roomId = `a${String.fromCharCode(code)}`
    const check = /[A-Za-z0-9._:~-]/.test(roomId.charAt(1)) ? takes : (t: Test, text: string) => refuses(t, text, 'INVALID_FRAME', /^payload\.roomId: /)
    check(t, frame({ roomId }))
  }
  for (const roomId of ['.', '..', '../b', 'a/b', 'a%2fb', 'ａ', '😀', 'r\n', '\nr']) refuses(t, frame({ roomId }), 'INVALID_FRAME', /^payload\.roomId: /)
  for (const roomId of ['...', '.a', '~', '-', '__proto__', 'constructor']) takes(t, frame({ roomId }), `an odd name: ${roomId}`)
})

t.test('the device id has 1 to 128 characters, no control characters', async (t) => {
  takes(t, frame({ deviceId: 'd' }))
  takes(t, frame({ deviceId: 'd'.repeat(128) }))
  refuses(t, frame({ deviceId: 'd'.repeat(129) }), 'INVALID_FRAME', /^payload\.deviceId: .*128/)
  refuses(t, frame({ deviceId: '' }), 'INVALID_FRAME', /^payload\.deviceId: .*1$/)
  for (const deviceId of [5, null, false, [], {}]) refuses(t, frame({ deviceId }), 'INVALID_FRAME', /^payload\.deviceId: expected string$/)
  for (let code = 0; code < 256; code++) {
    const isControl = code < 0x20 || (code >= 0x7f && code <= 0x9f)
    const text = frame({ deviceId: `d${String.fromCharCode(code)}` })
    if (isControl) refuses(t, text, 'INVALID_FRAME', /^payload\.deviceId: /)
    else takes(t, text)
  }
  for (const deviceId of ['Telefone da Zoë', '收银台 1', '😀', '<b>', '"', '__proto__']) takes(t, frame({ deviceId }))
})

t.test('the id has 1 to 64 printable ASCII characters', async (t) => {
  for (const id of ['a', 'x'.repeat(64), ' ', '~', '"\\', '__proto__', 'toString']) t.match(decode(frame({}, { id })), { id }, `accepted: ${named(id)}`)
  for (const id of ['', 'x'.repeat(65), 'é', '😀', 'a\n', '\u007f', '\u0000', 5, null, true, [], {}, ['a']]) {
    refuses(t, frame({}, { id }), 'INVALID_FRAME', /^id: must be a string of 1–64 printable ASCII characters$/, JSON.stringify(id))
  }
})

t.test('the amount is a finite number that is not negative, or decimal text', async (t) => {
  const AMOUNT = /^payload\.amount: expected a number that is not negative, or the same as decimal text/
  const amount = (json: string) => `{"type":"PAYMENT_SUCCESS","payload":{"roomId":"r","amount":${json}}}`
  for (const json of ['0', '-0', '0.01', '99.9', '1e21', '1e308', '5e-324', '"5"', '"99.90"', '"0.000"']) takes(t, amount(json))
  for (const json of ['-1', '-0.01', '-1e308']) refuses(t, amount(json), 'INVALID_FRAME', AMOUNT)
  for (const json of ['1e400', '-1e400']) refuses(t, amount(json), 'INVALID_FRAME', /^payload\.amount: expected a finite number$/)
  for (const json of ['""', '"5,00"', '"-5"', '".5"', '"5."', '"1e3"', '" 5"', 'null', 'true', '[5]', '{}']) refuses(t, amount(json), 'INVALID_FRAME', AMOUNT)
  // Undocumented keys are refused too: such a number would be relayed as null.
  refuses(t, '{"type":"CLICKED_PAY","payload":{"roomId":"r","total":1e400}}', 'INVALID_FRAME', /^payload\.total: expected a finite number$/)
})

t.test('every documented key has its documented type', async (t) => {
  for (const [type, key, good, bad] of [
    ['PAYMENT_METHOD_CHANGED', 'method', ['pix', ''], [5, null, ['pix'], {}]],
    ['DATA_FILLED', 'fields', [[], ['name', 'cpf']], ['name', 5, null, {}]],
    ['PAYMENT_SUCCESS', 'transactionId', ['tx_456789', '', 456789, -1, 2 ** 53 - 1], [4.5, null, []]],
    ['PAYMENT_SUCCESS', 'currency', ['EUR', 'BRL', 'brl', 'Jpy'], ['ABC', 'EU', 'EURO', 'EUR\n', 'E1R', '', '€', 978, null]],
    ['PAYMENT_ERROR', 'error', ['declined', ''], [5, null, {}]],
    ['PAYMENT_ERROR', 'code', ['51', ''], [51, null, []]]
  ] as const) {
    for (const value of good) takes(t, frame({ [key]: value }, { type }), `${type} with ${key} ${JSON.stringify(value)}`)
    for (const value of bad) refuses(t, frame({ [key]: value }, { type }), 'INVALID_FRAME', new RegExp(`^payload\\.${key}: expected `), `${type} with ${key} ${JSON.stringify(value)}`)
  }
  refuses(t, frame({ fields: ['name', 5] }, { type: 'DATA_FILLED' }), 'INVALID_FRAME', /^payload\.fields\.1: expected string$/)
  takes(t, frame({ amount: 'five', fields: 5, method: null }), 'a key that this event does not have may be anything')
})

t.test('the optional keys of JOIN_ROOM have their types too', async (t) => {
  const join = (payload: object) => frame(payload, { type: 'JOIN_ROOM' })
  for (const payload of [
    { role: 'device1' }, { role: 'device2' }, { presence: true }, { presence: false }, { recover: { seq: 0 } }, { recover: { epoch: 'e', seq: 12 } },
    { recover: { epoch: 'e'.repeat(64), seq: Number.MAX_SAFE_INTEGER, more: 1 } }
  ]) takes(t, join(payload))
  for (const role of ['device3', 'Device1', '', 1, null]) refuses(t, join({ role }), 'INVALID_FRAME', /^payload\.role: expected one of device1, device2$/, JSON.stringify(role))
  for (const presence of ['true', 1, null]) refuses(t, join({ presence }), 'INVALID_FRAME', /^payload\.presence: expected boolean$/, JSON.stringify(presence))
  for (const recover of [null, true, 5, 'e', [], {}, { epoch: 'e' }]) refuses(t, join({ recover }), 'INVALID_FRAME', /^payload\.recover/, JSON.stringify(recover))
  for (const seq of [-1, 1.5, '1', null]) refuses(t, join({ recover: { seq } }), 'INVALID_FRAME', /^payload\.recover\.seq: expected integer/, JSON.stringify(seq))
  for (const epoch of ['', 'e'.repeat(65), 5, null]) refuses(t, join({ recover: { epoch, seq: 0 } }), 'INVALID_FRAME', /^payload\.recover\.epoch: expected string/, JSON.stringify(epoch))
  takes(t, frame({ role: 'payer', presence: 'yes', recover: 5 }), 'to other events these keys mean nothing')
})

t.test('LEAVE_ROOM needs its room id, PING needs nothing', async (t) => {
  takes(t, frame({}, { type: 'LEAVE_ROOM' }))
  refuses(t, '{"type":"LEAVE_ROOM"}', 'INVALID_FRAME', /^payload\.roomId: /)
  refuses(t, frame({ roomId: '/' }, { type: 'LEAVE_ROOM' }), 'INVALID_FRAME', /^payload\.roomId: /)
  t.strictSame(decode('{"type":"PING"}'), { type: 'PING', payload: {}, id: undefined })
  takes(t, '{"type":"PING","payload":{"at":5},"id":"a"}')
  refuses(t, '{"type":"PING","payload":null}', 'INVALID_FRAME', /^payload: must be an object$/)
})

t.test('a frame that was parsed elsewhere is checked by the same rules', async (t) => {
  for (const text of [frame({}, { id: 'a' }), frame({ roomId: '/' }, { id: 'a' }), frame({}, { type: 'toString' }), raw('{"__proto__":1}'), raw('[[[[[[[1]]]]]]]'), '[]', 'null', '5']) {
    const { jsonPrefix, ...decoded } = decode(text) as ClientFrame
    t.strictSame(checkFrame(JSON.parse(text)), 'failure' in decoded ? decode(text) : decoded, text)
  }
  t.match(checkFrame(undefined), { failure: { code: 'INVALID_FRAME' } })
})

t.test('a broken rule is reported in details too, with separate key and rule', async (t) => {
  const { failure } = decode('{"type":"PAYMENT_SUCCESS","payload":{"roomId":"r","amount":-1}}') as RefusedFrame
  t.match(failure.details, [{ key: 'payload.amount', rule: /not negative/ }])
  t.equal(failure.message, `${failure.details![0]!.key}: ${failure.details![0]!.rule}`)
})

t.test('the refusal names the id of its frame, if the id is valid', async (t) => {
  const id = 'frame "7"'
  for (const text of [
    frame({}, { id, type: 'toString' }), frame({}, { id, type: 5 }), frame({ roomId: '/' }, { id }), frame({ deviceId: 5 }, { id }), JSON.stringify({ id, type: 'CLICKED_PAY' })
  ]) t.equal(decode(text).id, id, text)
  for (const text of [frame({}, { type: 'toString' }), frame({}, { id: 5, type: 'toString' }), frame({}, { id: 'x'.repeat(65) }), 'nonsense', '[]']) t.notOk('id' in decode(text), text)
})

t.test('an event is encoded with its payload as sent, its number, timestamp, source and id', async (t) => {
  const event = { type: 'PAYMENT_SUCCESS', payload: { roomId: 'r', deviceId: 'd', amount: 99.9, note: 'olá "😀" \\ \u2028 \u0000 </script>', nested: { a: [1, null] } }, id: '"a\\"' }
  const draft = draftEvent(event, { source: 'device', timestamp: 1705312205000, origin: 'client_1' })
  t.match(draft, { type: event.type, payload: event.payload, source: 'device', verified: false, timestamp: 1705312205000, origin: 'client_1' })
  for (const seq of [1, 42, Number.MAX_SAFE_INTEGER]) {
    t.strictSame(JSON.parse(eventText(draft, seq)), { ...event, seq, timestamp: 1705312205000, source: 'device' })
  }
  t.strictSame(Object.keys(JSON.parse(eventText(draft, 1)) as object), ['type', 'payload', 'seq', 'timestamp', 'source', 'id'])

  const plain = draftEvent({ type: 'PAYMENT_UPDATE', payload: { roomId: 'r' } }, { source: 'api', timestamp: 5, verified: true })
  t.equal(eventText(plain, 2), '{"type":"PAYMENT_UPDATE","payload":{"roomId":"r"},"seq":2,"timestamp":5,"source":"api"}')
  t.equal(plain.verified, true)
  t.equal(plain.keys, undefined)
  t.equal(plain.origin, undefined)
})

t.test('a text in the payload is not mistaken for the event\'s own number', async (t) => {
  const draft = draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r', note: '","seq":9}', seq: 9, timestamp: 9, source: 'api' } }, { source: 'device', timestamp: 5 })
  t.match(JSON.parse(eventText(draft, 1)), { seq: 1, timestamp: 5, source: 'device', payload: { seq: 9, note: '","seq":9}' } })
})

t.test('an event is identified by its id, or by the idempotency key of its request', async (t) => {
  const names = (id?: string, idempotencyKey?: string, verified = false) =>
    draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r' }, id }, { source: 'device', timestamp: 1, idempotencyKey, verified }).keys?.map(({ name }) => name)
  t.strictSame(names('a'), names('a'))
  t.notSame(names('a'), names('b'))
  t.notSame(names('a'), names(undefined, 'a'), 'an id and an idempotency key with the same text differ')
  t.notSame(names('request a'), names(undefined, 'a'))
  t.notSame(names('a'), names('a', undefined, true), 'ids of devices and of backends differ too')
  t.strictSame(names('a', 'b'), [...names(undefined, 'b')!, ...names('a')!], 'the idempotency key comes first')
  t.equal(names(), undefined)
  t.equal(names('')!.length, 1)
})

t.test('a fingerprint shows if two events with one key have the same content, and so does the text in the log', async (t) => {
  const drafted = (payload: object = {}, { type = 'CLICKED_PAY', id = 'a', ...options }: { type?: string, id?: string } & Partial<DraftOptions> = {}) =>
    draftEvent({ type, payload: { roomId: 'r', ...payload }, id }, { source: 'device', timestamp: 1, ...options })
  const seen: Array<{ draft: EventDraft, print: string }> = []
  const print = (...args: Parameters<typeof drafted>) => {
    const draft = drafted(...args)
    const [key] = draft.keys!
    const print = fingerprintOf(draft, key!)
    for (const { draft: first, print: firstPrint } of seen) {
      if (first.hasServerTimestamp === draft.hasServerTimestamp) t.equal(isSameEvent(draft, readEvent(eventText(first, 1)), key!), print === firstPrint, `${JSON.stringify(first.payload)} ${JSON.stringify(draft.payload)}`)
    }
    seen.push({ draft, print })
    return print
  }
  t.match(print(), /^.{20,}$/)
  t.equal(print({ amount: 1 }), print({ amount: 1 }))
  t.equal(print({}, { timestamp: 2, origin: 'other', id: 'b', source: 'api' }), print(), 'timestamp, source and id make no difference')
  t.not(print({ amount: 1 }), print({ amount: 2 }))
  t.not(print({ amount: 1 }), print({ amount: '1' }))
  t.not(print({}, { type: 'CLICKED_PROCEED' }), print())
  t.equal(print({ a: 1, b: [{ c: -0, d: 'ação' }] }), print({ b: [{ d: 'ação', c: 0 }], a: 1 }), 'the order of keys makes no difference')
  t.not(print({ timestamp: 1 }), print({ timestamp: 2 }))
  t.equal(print({ timestamp: 1 }, { hasServerTimestamp: true }), print({ timestamp: 2 }, { hasServerTimestamp: true }), 'the timestamp added by the server makes no difference')
  t.not(print({ n: 1 }, { hasServerTimestamp: true }), print({ n: 2 }, { hasServerTimestamp: true }))
})

t.test('a frame of the server has a type, a payload and, in an answer, the id', async (t) => {
  t.equal(encodeFrame('ERROR', { message: '"olá"' }), '{"type":"ERROR","payload":{"message":"\\"olá\\""}}')
  t.strictSame(JSON.parse(encodeFrame('ACK', {}, '"')), { type: 'ACK', payload: {}, id: '"' })
})

t.test('the cached greeting equals a newly composed one', async (t) => {
  const [clientId, timestamp] = ['client_1705312205000_1f2e3d4c5b6a', 1705312205000]
  t.equal(greeting(clientId, timestamp), encodeFrame('CONNECTION_ESTABLISHED', {
    clientId, message: 'Connected to the payment server.', timestamp, supportedEvents: DEVICE_EVENT_TYPES
  }))
})
