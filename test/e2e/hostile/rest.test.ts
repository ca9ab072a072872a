// Hostile requests: each gets its 4xx in the envelope, and none of them reaches a room.
import type { Test } from 'tap'
import t from 'tap'
import { RESERVED_TYPES } from '../../../src/protocol/server-frames.js'
import { listen, type BuildOptions } from '../../build.js'
import { Peer } from '../../peer.js'
import { backTo, forEach, openThings, type Server } from './bystanders.js'
import { RawPeer, request } from './raw.js'

type Case = readonly [what: string, status: number, code: string, bytes: string]
type Headers = Record<string, string | undefined>

const BODY = { eventType: 'PAYMENT_UPDATE', message: 'it is paid', idSeguro: 'seguro_1' }
const TEXT = JSON.stringify(BODY)
const BROADCAST = 'POST /api/message/room/r/broadcast HTTP/1.1'
const CHUNKED = { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' }

/** A broadcast that is valid except for the given headers and body; `body` has a character for each byte. */
const post = (headers: Headers = {}, body = TEXT, requestLine = BROADCAST) =>
  request(requestLine, { Connection: 'close', 'Content-Type': 'application/json', 'Content-Length': String(body.length), ...headers }, body)
const chunked = (body: string, headers: Headers = CHUNKED) => request(BROADCAST, { Connection: 'close', ...headers }, body)
const chunk = `${TEXT.length.toString(16)}\r\n${TEXT}\r\n`
const ask = (line: string, headers: Headers = {}) => request(`${line} HTTP/1.1`, { Connection: 'close', ...headers })
const at = (roomId: string) => post({}, TEXT, `POST /api/message/room/${roomId}/broadcast HTTP/1.1`)

const CONTENT_TYPES: Case[] = [
  ...[
    undefined, '', 'text/plain', '\ttext/plain', ' text/plain', 'text/plain\t', 'text/plain\tapplication/json', 'application/json\tx', 'application/jsonx', 'application/json, text/plain',
    ';application/json', 'application', '/json', '*/*', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/vnd.api+json', '__proto__', 'constructor/prototype',
    'text/plain\r\nContent-Type: application/json'
  ].map((type): Case => [`content type ${JSON.stringify(type)}`, 415, 'UNSUPPORTED_MEDIA_TYPE', post({ 'Content-Type': type })]),
  // These types are JSON, whatever their parameters, and so the body is checked.
  ...[
    '\tapplication/json', 'application/json\t', 'APPLICATION/JSON', 'application/json; charset=utf-16', 'application/json;\tcharset=', 'application/json;', `application/json; x=${'y'.repeat(8_000)}`
  ].map((type): Case => [`content type ${JSON.stringify(type.slice(0, 40))} with a wrong body`, 400, 'INVALID_REQUEST', post({ 'Content-Type': type }, '{"eventType":"X"}')])
]

const BODIES: Case[] = [
  ['no body', 400, 'INVALID_REQUEST', post({}, '')],
  ...['{', TEXT.slice(1), `${TEXT}x`, '{"message":NaN}', '{"message":"a\nb"}', '\xfe\xff\0{', '{"__proto__":{"x":1}}', '{"constructor":{"prototype":{}}}', '['.repeat(16_000)].map((body): Case =>
    [`no JSON: ${JSON.stringify(body.slice(0, 40))}`, 400, 'INVALID_JSON', post({}, body)]),
  ...['\xff', '\xc0\xaf', '\xed\xa0\x80', '\xe2\x82'].map((bytes): Case =>
    [`no UTF-8: ${JSON.stringify(bytes)}`, 400, 'INVALID_JSON', post({}, TEXT.replace('paid', bytes))]),
  ['half a character', 400, 'INVALID_REQUEST', post({}, TEXT.replace('paid', '\\ud800'))],
  ['half a character in the id', 400, 'INVALID_REQUEST', post({}, TEXT.replace('seguro', '\\udc00'))],
  ['JSON in another encoding', 400, 'INVALID_JSON', post({ 'Content-Type': 'application/json; charset=utf-16' }, Buffer.from(TEXT, 'utf16le').toString('latin1'))],
  ['a packed body', 400, 'INVALID_JSON', post({ 'Content-Encoding': 'gzip' }, '\x1f\x8b\x08\0\0\0\0\0\0\x03')],
  ['null', 400, 'INVALID_REQUEST', post({}, 'null')],
  ['an array', 400, 'INVALID_REQUEST', post({}, `[${TEXT}]`)],
  ['two event types, the last of them reserved', 400, 'INVALID_REQUEST', post({}, TEXT.replace('{', '{"eventType":"X",').replace('PAYMENT_UPDATE', 'ERROR'))],
  ['an event type that is only an escape away', 400, 'INVALID_REQUEST', post({}, TEXT.replace('PAYMENT_UPDATE', 'ERR\\u004fR'))],
  ...[...RESERVED_TYPES, '__proto__', 'constructor', 'prototype', 'a b', 'A\\"', 'A\\u0000', ''].map((type): Case =>
    [`event type ${type}`, 400, 'INVALID_REQUEST', post({}, TEXT.replace('PAYMENT_UPDATE', type))]),
  ['an event nested too deeply', 400, 'TOO_DEEP', post({}, `{"type":"CLICKED_PAY","payload":{"x":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`, 'POST /api/rooms/r/events HTTP/1.1')],
  ['an event for another room than the address says', 400, 'INVALID_REQUEST', post({}, '{"type":"CLICKED_PAY","payload":{"roomId":"s"}}', 'POST /api/rooms/r/events HTTP/1.1')],
  ['a body of 16,385 bytes', 413, 'PAYLOAD_TOO_LARGE', post({}, TEXT.padEnd(16_385))],
  ['a body that announces a terabyte', 413, 'PAYLOAD_TOO_LARGE', post({ 'Content-Length': '1099511627776' })],
  ['chunks that are too large together', 413, 'PAYLOAD_TOO_LARGE', chunked(`4000\r\n${'x'.repeat(16_384)}\r\n1\r\nx\r\n`)],
  ['an empty Idempotency-Key', 400, 'INVALID_REQUEST', post({ 'Idempotency-Key': '' })],
  ['an Idempotency-Key that is too long', 400, 'INVALID_REQUEST', post({ 'Idempotency-Key': 'x'.repeat(256) })]
]

const FRAMING: Case[] = ([
  ['a length, and chunks', chunked(`0\r\n\r\n${post()}`, { ...CHUNKED, 'Content-Length': String(TEXT.length) })],
  ['a length behind the chunks\' header', chunked(`0\r\n\r\n${post()}`, { 'Content-Length': String(TEXT.length), ...CHUNKED })],
  ['an encoding that is no encoding, and a length', post({ 'Transfer-Encoding': 'xchunked' })],
  ['an encoding with a space before its colon', post({ 'Transfer-Encoding ': 'chunked' })],
  ['chunks that are not the last encoding', chunked(chunk, { ...CHUNKED, 'Transfer-Encoding': 'chunked, identity' })],
  ['two lengths', post({ 'Content-Length': `${TEXT.length}\r\nContent-Length: ${TEXT.length - 1}` })],
  ['one length twice', post({ 'Content-Length': `${TEXT.length}, ${TEXT.length}` })],
  ...['-1', '+46', '0x2e', '4 6', '', '99999999999999999999'].map((length) => [`length ${length}`, post({ 'Content-Length': length })] as const),
  ...['zz', '-1', '0x2e', '', 'ffffffffffffffffff', '2e x'].map((size) => [`chunk size ${JSON.stringify(size)}`, chunked(`${size}\r\n${TEXT}\r\n0\r\n\r\n`)] as const),
  ['a chunk that is longer than it says', chunked(chunk.replace('}', '}}') + '0\r\n\r\n')],
  ['chunks that end with LF alone', chunked(chunk.replaceAll('\r\n', '\n') + '0\n\n')],
  ['20,000 bytes of chunk extensions', chunked(`2e;${'x'.repeat(20_000)}\r\n${TEXT}\r\n0\r\n\r\n`)],
  ['a method in small letters', post().replace('POST', 'post')],
  ['a line break in the room', post().replace('/r/', '/r\r\n/')],
  ['a byte in the room that is no character', post().replace('/r/', '/r\xe9/')],
  ['a control character in a header', post({ 'Idempotency-Key': 'a\x01b' })],
  ['no Host', post({ Host: undefined })],
  ['two Hosts', post({ Host: 'a\r\nHost: b' })]
] as ReadonlyArray<readonly [string, string]>).map(([what, bytes]) => [what, 400, 'INVALID_REQUEST', bytes])

const ADDRESSES: Case[] = [
  ...['..', '.', '%2e%2e', '%2E', 'a%2fb', '%2f', 'a%5cb', 'a\\b', 'r%00', '%00', 'r%0d%0a', 'r%0d%0aX:%20y', 'r;x=1', 'r%20', '%72%72%e2%82%ac', 'x'.repeat(129)].map((roomId): Case =>
    [`room ${roomId}`, 400, 'INVALID_REQUEST', at(roomId)]),
  ['no room', 400, 'INVALID_REQUEST', at('')],
  ...['%', '%zz', '%c0%af', '%e0%a4%a'].map((roomId): Case => [`malformed room ${roomId}`, 400, 'INVALID_REQUEST', at(roomId)]),
  ['a room that is far too long', 414, 'URI_TOO_LONG', at('x'.repeat(400))],
  ...['//api/message/room/r/broadcast', '/API/message/room/r/broadcast', '/api/message/room/r/broadcast/', '/docs/../api/message/room/r/broadcast', '/api/message/room/r%2fbroadcast', '*']
    .map((path): Case => [`address ${path}`, 404, 'NOT_FOUND', post({}, TEXT, `POST ${path} HTTP/1.1`)]),
  ...['TRACE', 'PROPFIND', 'PUT', 'PATCH', 'DELETE', 'PURGE'].map((method): Case => [method, 404, 'NOT_FOUND', post().replace('POST', method)]),
  ['a file beside the docs', 404, 'NOT_FOUND', ask('GET /docs/static/../../package.json')],
  ['a query that is no number', 400, 'INVALID_REQUEST', ask('GET /api/rooms?limit=%E0%A4%A')],
  ['a query with one key twice', 400, 'INVALID_REQUEST', ask('GET /api/rooms/r/events?since=1&since=2')],
  ['an expectation that cannot be met', 417, 'INVALID_REQUEST', post({ Expect: 'a miracle' })]
]

/** Opens a room with a watching member, and checks from outside that it is unchanged. */
async function watched (t: Test, options: BuildOptions = {}): Promise<Server & { logs: Array<{ level: number }>, isUntouched: () => Promise<void> }> {
  const server = await listen(t, options)
  const shop = await Peer.connect(t, server.url)
  await shop.join('r')
  return {
    ...server,
    isUntouched: async () => {
      await shop.settled()
      t.strictSame(shop.events, [], 'no event was published')
      t.match(await server.app.broker.read('r'), { seq: 0 }, 'the log is empty')
    }
  }
}

/** Sends these bytes; returns the only answer that came until the server closed. */
async function answer (t: Test, port: number, bytes: string): Promise<{ status: number, head: string, body: Record<string, unknown> | null, rest: string }> {
  const peer = await RawPeer.dial(t, port)
  peer.write(Buffer.from(bytes, 'latin1'))
  const [head = '', body = '', ...rest] = String(await peer.over(15_000)).split('\r\n\r\n')
  peer.leave()
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]), head, body: body === '' ? null : JSON.parse(body), rest: rest.join() }
}

const envelope = (code: string) => ({ success: false, code, error: /./, requestId: /./, timestamp: Number })

for (const [what, cases] of Object.entries({ 'content type': CONTENT_TYPES, body: BODIES, framing: FRAMING, address: ADDRESSES })) {
  t.test(`A request with a wrong ${what} gets a single answer in the envelope, and publishes nothing`, async (t) => {
    const server = await watched(t)
    const before = openThings(server)
    await forEach(cases, async ([name, status, code, bytes]) => {
      t.match(await answer(t, server.port, bytes), { status, body: envelope(code), rest: '' }, name)
    })
    await server.isUntouched()
    await backTo(before, server)
    t.strictSame(server.logs.filter(({ level }) => level > 40), [])
  })
}

t.test('Without a valid key, the answer to every request is 401', async (t) => {
  const server = await watched(t, { env: { API_KEYS: 'a-true-key,another' } })
  const before = openThings(server)
  await forEach([
    undefined, '', 'Bearer', 'Bearer ', 'Bearer a-true-ke', 'Bearer a-true-keyy', 'Bearer A-TRUE-KEY', 'Bearer a-true-key,another', 'Bearer a-true-key another', 'Basic a-true-key', 'a-true-key',
    'Bearer undefined', 'Bearer null', 'Bearer __proto__', `Bearer ${'x'.repeat(8_000)}`, 'Bearer wrong\r\nAuthorization: Bearer a-true-key'
  ], async (authorization) => {
    const headers = { Authorization: authorization, 'X-API-Key': 'a-true-key', Cookie: 'authorization=Bearer a-true-key' }
    for (const bytes of [post(headers), post(headers, '{'), ask('GET /api/rooms?authorization=a-true-key', headers), ask('DELETE /api/rooms/r', headers), ask('GET http://localhost/api/rooms/r', headers)]) {
      const { status, head, body } = await answer(t, server.port, bytes)
      t.match({ status, head, body }, { status: 401, head: /www-authenticate: Bearer/, body: envelope('UNAUTHORIZED') }, String(authorization))
    }
  })
  await server.isUntouched()
  await backTo(before, server)
  t.notMatch(JSON.stringify(server.logs), 'a-true-key', 'no key is logged')
})

t.test('A forged X-Forwarded-For does not raise the limit on requests', async (t) => {
  /** Sends six requests in one packet, each with another forwarded address; returns how many were served. */
  const served = async (trusted: string | undefined, forwarded: (n: number) => string) => {
    const { port } = await listen(t, { env: { REQUESTS_PER_SECOND: '2', ...(trusted !== undefined && { TRUST_PROXY: trusted }) } })
    const peer = await RawPeer.dial(t, port)
    for (let n = 0; n < 6; n++) {
      const headers = { 'X-Forwarded-For': forwarded(n), 'X-Real-IP': `192.0.2.${n}`, Forwarded: `for=192.0.2.${n}`, Connection: n === 5 ? 'close' : 'keep-alive' }
      peer.write(request('GET /api/server/status HTTP/1.1', headers))
    }
    const statuses = [...String(await peer.over()).matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)
    t.equal(statuses.length, 6)
    return statuses.filter((status) => status === '200').length
  }
  t.ok(await served(undefined, (n) => `192.0.2.${n}`) <= 2, 'no proxy is trusted')
  t.ok(await served('192.0.2.1', (n) => `203.0.113.${n}, 192.0.2.1`) <= 2, 'the trusted proxy is another address')
  t.ok(await served('127.0.0.1', (n) => `203.0.113.${n}, 198.51.100.7`) <= 2, 'addresses before the one that the proxy saw do not count')
  t.ok(await served('127.0.0.1', (n) => `203.0.113.${n}\r\nX-Forwarded-For: 198.51.100.7`) <= 2, 'the forged address is in a header of its own')
  t.equal(await served('127.0.0.1', (n) => `198.51.100.${n}`), 6, 'the address from the trusted proxy counts')
})

t.test('Method overrides, unusual queries and unusual Accept headers change nothing', async (t) => {
  const server = await watched(t)
  const disguise = { 'X-HTTP-Method-Override': 'DELETE', 'X-HTTP-Method': 'DELETE', 'X-Method-Override': 'DELETE', 'X-Original-URL': '/api/rooms', 'X-Rewrite-URL': '/api/rooms' }
  for (const [what, bytes] of [
    ['a disguise', ask('GET /api/rooms/r', disguise)],
    ['a disguise in the query', ask('GET /api/rooms/r?_method=DELETE&method=DELETE')],
    ['a query that reaches for prototypes', ask('GET /api/rooms/r?constructor[prototype][x]=1&__proto__.x=3')],
    ['an answer as a picture', ask('GET /api/rooms/r', { Accept: 'image/png', 'Accept-Charset': 'utf-7', 'Accept-Encoding': 'br;q=1' })]
  ] as const) t.match(await answer(t, server.port, bytes), { status: 200, body: { success: true, data: { roomId: 'r', seq: 0 } }, rest: '' }, what)
  t.equal(Reflect.get({}, 'x'), undefined)
  t.match(await answer(t, server.port, post(disguise, '{')), { status: 400 })
  t.match(await answer(t, server.port, ask('HEAD /api/rooms/r')), { status: 200, body: null, rest: '' })
  t.match(await answer(t, server.port, ask('HEAD /api/rooms/r/events', { Accept: 'text/event-stream' })), { status: 404, body: null, rest: '' }, 'no stream for a HEAD')
  t.match(await answer(t, server.port, ask('OPTIONS /api/message/room/r/broadcast')), { status: 204, body: null })
  t.match(await answer(t, server.port, ask('CONNECT localhost:80')), { head: '' }, 'a CONNECT is closed')
  await server.isUntouched()
})

t.test('A body that stops arriving is cut within ten seconds, and an answer that has begun gets no second one', async (t) => {
  const server = await watched(t)
  const before = openThings(server)
  const begin = Date.now()
  const stream = { Accept: 'text/event-stream', Connection: 'keep-alive' }
  const stalled = [post({ 'Content-Length': String(TEXT.length + 1) }), post({ 'Content-Length': '10' }, ''), chunked(chunk), chunked(`${chunk}0\r\n`), chunked('2')]
  await Promise.all([
    ...stalled.map(async (bytes) => {
      const { status, body, rest } = await answer(t, server.port, bytes)
      t.match({ status, body, rest }, { status: 408, body: envelope('INVALID_REQUEST'), rest: '' })
    }),
    ...[ask('GET /api/rooms/r/events', { ...stream, 'Content-Length': '5' }), ask('GET /api/rooms/r/events', stream)].map(async (bytes, i) => {
      const peer = await RawPeer.dial(t, server.port)
      peer.write(bytes)
      while (!peer.answer.includes('ROOM_JOINED')) await new Promise((resolve) => setImmediate(resolve))
      if (i === 1) peer.write('garbage\r\n\r\n')
      const received = String(await peer.over(15_000))
      t.equal(received.split('HTTP/1.1 ').length - 1, 1, 'the stream ends, and no other answer is written into it')
    })
  ])
  await backTo(before, server, begin + 10_000 - Date.now())
  await server.isUntouched()
})
