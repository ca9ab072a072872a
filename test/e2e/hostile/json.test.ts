// Messages that are not valid events: each is answered with its code and the fault, and its socket can still pay.
import type { Test } from 'tap'
import t from 'tap'
import type { ErrorCode } from '../../../src/errors.js'
import { listen } from '../../build.js'
import { Peer } from '../../peer.js'
import { backTo, besideAPayment, forEach, openThings, type Server } from './bystanders.js'

/** Number of bad frames that a socket sends here; many more in a minute would close it. */
const PER_SOCKET = 8

type Case = readonly [what: string, text: string, code: ErrorCode, message?: RegExp]

const event = (payload: unknown, type: unknown = 'CLICKED_PAY') => JSON.stringify({ type, payload })
/** An event with one more key in its payload, as JSON text that no object could produce. */
const extra = (json: string, key = 'extra') => `{"type":"CLICKED_PAY","payload":{"roomId":"r","${key}":${json}}}`
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

const NOT_AN_EVENT: Case[] = [
  ['nothing', '', 'INVALID_JSON'],
  ['white space', ' \r\n\t', 'INVALID_JSON'],
  ['no JSON', 'JOIN_ROOM r', 'INVALID_JSON'],
  ['half of it', event({ roomId: 'r' }).slice(0, -1), 'INVALID_JSON'],
  ['text behind it', event({ roomId: 'r' }) + 'x', 'INVALID_JSON'],
  ['two events in one frame', event({ roomId: 'r' }) + event({ roomId: 'r' }), 'INVALID_JSON'],
  ['NaN', extra('NaN'), 'INVALID_JSON'],
  ['Infinity', extra('-Infinity'), 'INVALID_JSON'],
  ['a comment', extra('1/**/'), 'INVALID_JSON'],
  ['a raw NUL in a string', extra('"a\0b"'), 'INVALID_JSON'],
  ['a raw line break in a string', extra('"a\nb"'), 'INVALID_JSON'],
  ['a byte order mark', '\ufeff' + event({ roomId: 'r' }), 'INVALID_JSON'],
  ['nesting so deep that it is no JSON for anyone', '['.repeat(16_000), 'INVALID_JSON'],
  ['an array', `[${event({ roomId: 'r' })}]`, 'INVALID_FRAME', /must be a JSON object/],
  ['null', 'null', 'INVALID_FRAME', /must be a JSON object/],
  ['a number', '1e999', 'INVALID_FRAME', /must be a JSON object/],
  ['a string', '"CLICKED_PAY"', 'INVALID_FRAME', /must be a JSON object/],
  ['8,000 arrays within each other, alone', nested(8_000), 'INVALID_FRAME', /must be a JSON object/],
  ['8,000 arrays within each other', extra(nested(8_000)), 'TOO_DEEP', /nested more than 8 levels/],
  ['2,500 objects within each other', extra('{"a":'.repeat(2_500) + '1' + '}'.repeat(2_500)), 'TOO_DEEP', /nested more than 8 levels/],
  ['65 keys', event(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, i]))), 'INVALID_FRAME', /more than 64 keys/],
  ['1,100 keys', event(Object.fromEntries(Array.from({ length: 1_100 }, (_, i) => [`k${i}`, i]))), 'INVALID_FRAME', /more than 64 keys/],
  ['7,000 array items', extra(JSON.stringify(Array(7_000).fill(0))), 'INVALID_FRAME', /more than 256 array items/],
  ['a string of 2,049 characters', extra(JSON.stringify('x'.repeat(2_049))), 'INVALID_FRAME', /^payload\.extra: expected at most 2048/],
  ['a key of 2,049 characters', extra('1', 'x'.repeat(2_049)), 'INVALID_FRAME', /a key that is longer than 2048/],
  ['half a character', extra('"\\ud800"'), 'INVALID_FRAME', /^payload\.extra: .*lone surrogates/],
  ['its other half', extra('"\\udc00x"'), 'INVALID_FRAME', /^payload\.extra: .*lone surrogates/],
  ['half a character in a key', extra('1', '\\ud800'), 'INVALID_FRAME', /lone surrogate/],
  ['__proto__', extra('{"isAdmin":true}', '__proto__'), 'FORBIDDEN_KEY'],
  ['__proto__ in escapes', extra('{"isAdmin":true}', '\\u005f\\u005fproto\\u005f\\u005f'), 'FORBIDDEN_KEY'],
  ['__proto__ beside the payload', '{"__proto__":{"roomId":"r"},"type":"CLICKED_PAY","payload":{"roomId":"r"}}', 'FORBIDDEN_KEY'],
  ['__proto__ as the payload\'s source of a room', '{"type":"CLICKED_PAY","payload":{"__proto__":{"roomId":"r"}}}', 'FORBIDDEN_KEY'],
  ['constructor.prototype', extra('{"prototype":{"isAdmin":true}}', 'constructor'), 'FORBIDDEN_KEY'],
  ['constructor.prototype in escapes', extra('{"protot\\u0079pe":{"isAdmin":true}}', 'c\\u006fnstructor'), 'FORBIDDEN_KEY'],
  ['1e400 in a key that nobody named', extra('1e400'), 'INVALID_FRAME', /^payload\.extra: expected a finite number/]
]

const types = [
  '', 'NO_SUCH_EVENT', 'click_pay', 'CLICKED_PAY ', 'toString', '__proto__', 'hasOwnProperty', 'constructor', 'then',
  'CONNECTION_ESTABLISHED', 'ROOM_JOINED', 'ERROR', 'ACK', 'ROOM_CLOSED', 'DEVICE_JOINED', 'PONG', 'PAYMENT_UPDATE'
]
const room = /^payload\.roomId: /
const AGAINST_THE_SCHEMA: Case[] = [
  ...types.map((type): Case => [`type ${JSON.stringify(type)}`, event({ roomId: 'r' }, type), 'UNKNOWN_EVENT', /JOIN_ROOM, ENTERED_SUMMARY/]),
  ['no type', '{"payload":{"roomId":"r"}}', 'INVALID_FRAME', /^type: must be a string/],
  ...[null, 5, ['CLICKED_PAY'], {}].map((type): Case => [`type ${JSON.stringify(type)}`, event({ roomId: 'r' }, type), 'INVALID_FRAME', /^type: must be a string/]),
  ...[null, [], 'r', 5].map((payload): Case => [`payload ${JSON.stringify(payload)}`, event(payload), 'INVALID_FRAME', /^payload: must be an object/]),
  ['no payload', '{"type":"CLICKED_PAY"}', 'INVALID_FRAME', room],
  ...['', 'a/b', '/', '.', '..', '../r', 'a%2fb', 'r\r\n', 'r\0', 'ｒ', 'r r', 'x'.repeat(129), 'x'.repeat(300)].map((roomId): Case =>
    [`room ${JSON.stringify(roomId)}`, event({ roomId }), 'INVALID_FRAME', room]),
  ...[null, 5, true, ['r'], { toString: 'r' }].map((roomId): Case => [`room ${JSON.stringify(roomId)}`, event({ roomId }), 'INVALID_FRAME', /^payload\.roomId: expected string/]),
  ...['-1', '-0.01', '1e400', '-1e400', '"5,0"', '576461413038785752', 'null', '[5]', 'true'].map((amount): Case =>
    [`amount ${amount}`, `{"type":"PAYMENT_SUCCESS","payload":{"roomId":"r","amount":${amount}}}`, 'INVALID_FRAME', /^payload\.amount: /]),
  ...[5, null, '', 'x'.repeat(129), 'a\nb'].map((deviceId): Case => [`device ${JSON.stringify(deviceId)}`, event({ roomId: 'r', deviceId }), 'INVALID_FRAME', /^payload\.deviceId: /]),
  ['a joining role that there is not', event({ roomId: 'r', role: 'backend' }, 'JOIN_ROOM'), 'INVALID_FRAME', /^payload\.role: .*device1, device2/],
  ['a position below nought', event({ roomId: 'r', recover: { seq: -1 } }, 'JOIN_ROOM'), 'INVALID_FRAME', /^payload\.recover\.seq: /],
  ['fields that are no list', event({ roomId: 'r', fields: 'cpf' }, 'DATA_FILLED'), 'INVALID_FRAME', /^payload\.fields: /],
  ['a currency that is none', event({ roomId: 'r', currency: 'euro' }, 'PAYMENT_SUCCESS'), 'INVALID_FRAME', /^payload\.currency: /],
  ['an id that is no string', '{"type":"CLICKED_PAY","id":5,"payload":{"roomId":"r"}}', 'INVALID_FRAME', /^id: /],
  ['an id with a line break', '{"type":"CLICKED_PAY","id":"a\\nb","payload":{"roomId":"r"}}', 'INVALID_FRAME', /^id: /]
]

/** Sends the frames one after the other, and then the event of a payment. */
async function payAfter (t: Test, server: Server, cases: readonly Case[], roomId: string): Promise<void> {
  const [shop, phone] = await Promise.all([Peer.connect(t, server.url), Peer.connect(t, server.url)])
  await shop.join(roomId)
  for (const [what, text, code, message = /./] of cases) {
    phone.socket.send(text)
    t.match((await phone.next('ERROR')).payload, { code, message, retryable: false, timestamp: Number }, what)
  }
  phone.send('PAYMENT_SUCCESS', { roomId, amount: 99.9 })
  t.match(await shop.next('PAYMENT_SUCCESS'), { seq: 1, payload: { roomId, amount: 99.9 } }, 'the socket can still pay')
  t.strictSame([shop.frames.length, phone.frames.length], [3, 1 + cases.length], 'no member received a refused frame')
  shop.socket.terminate()
  phone.socket.terminate()
}

const groups = (cases: readonly Case[]) => Array.from({ length: Math.ceil(cases.length / PER_SOCKET) }, (_, i) => cases.slice(i * PER_SOCKET, (i + 1) * PER_SOCKET))

for (const [what, cases] of [['no event', NOT_AN_EVENT], ['an event against its schema', AGAINST_THE_SCHEMA]] as const) {
  t.test(`A frame that is ${what} is answered with its code, and the socket can still pay`, async (t) => {
    const server = await listen(t)
    const before = openThings(server)
    await besideAPayment(t, server, what, () => forEach(groups(cases).entries(), ([i, group]) => payAfter(t, server, group, `payment_${i}`)))
    await backTo(before, server)
    t.equal(Reflect.get({}, 'isAdmin'), undefined, 'no prototype was reached')
    t.strictSame(server.logs.filter(({ level }) => level > 40), [])
    t.notOk(server.logs.some((line) => JSON.stringify(line).includes('isAdmin')), 'no text of clients is logged')
  })
}
