// Requests made from the document: valid, almost valid or hostile ones to its operations, and requests to addresses that it does not have.
import { Values, BODIES, harmful } from './values.js'
import type { Random } from './random.js'

export interface Request {
  readonly method: string
  /** Request target: path and query, unchanged. */
  readonly target: string
  /** Header values; an array is sent as several lines. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: Buffer | undefined
  /** True if the whole request is valid by the document, apart from its credentials. */
  readonly fits: boolean
  /** Transport: over a real connection, or injected into the server without one. */
  readonly over: 'socket' | 'inject'
}

type Operation = any

const SEGMENTS = [
  '', '.', '..', '%2e%2e', '%2E', 'a%2fb', 'a/b', '..%2f..%2fetc', '%5c', '%00', 'r%00', '%', '%zz', '%c0%af', '%e0%a4%a', 'r;x=1', 'r%0d%0aX:%20y', 'r%20', '%72%30', '%f0%9f%92%a5', 'r?x', 'r%3Fx', 'r%23',
  'x'.repeat(129), '%61'.repeat(129), 'x'.repeat(385), 'x'.repeat(2000), '4111111111111111', '__proto__', 'constructor', '-', '~', ':'
]
const PATHS = [
  '/nope', '/api', '/api/', '/api/rooms/', '//api/rooms', '/API/ROOMS', '/api/rooms/r0/', '/api/rooms/r0/nope', '/api//rooms', '/%61pi/rooms', '/api/rooms%2fr0', '/.env', '/../../etc/passwd', '/health/', '/Health', '/%',
  '/%zz', '/%00', '/api/message/room/r0', '/api/server', '/favicon.ico', '/index.php?a=b', '/;', '/*', '/api/rooms/r0/events/1', '/metrics/x', `/${'x'.repeat(3000)}`, '/constructor', '/__proto__', '/docs', '/playground'
]
const QUERIES = [
  'limit=%zz', 'since=1&since=2', 'a[b]=c', '__proto__=1', '__proto__[x]=1', 'limit=1e3', 'limit=0x10', 'limit=', 'limit', '&&&', '=', '?', 'since=9007199254740993', 'since=-0', 'since=1.5', 'since=Infinity',
  'cursor=99999999999999999', 'cursor=-1', 'role=device3', 'deviceId=%00', 'deviceId=%ff', `deviceId=${'x'.repeat(129)}`, 'epoch=', `epoch=${'x'.repeat(65)}`, 'deviceId=4111111111111111', 'constructor[prototype][x]=1',
  'limit=10;since=2', `q=${'x'.repeat(3000)}`, 'limit=%20%205', 'card=4111111111111111', 'cvv=123', 'since=null', 'limit=true'
]
const CONTENT_TYPES = [
  'text/plain', 'application/xml', '', 'application/jsonx', 'application/json, text/plain', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', '*/*', 'application/vnd.api+json', '__proto__', 'json', ';'
]
/** Variants that are still JSON. */
const JSON_TYPES = ['application/json', 'application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;charset=utf-16']
const STREAM = 'text/event-stream'
const ACCEPTS = ['*/*', 'application/json', 'text/html', '', 'image/png;q=0.1', 'text/event-stream;q=0', `${'a/b,'.repeat(500)}c/d`, 'text/event-streams', '\xff']
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE', 'QUERY']
const EXTRA: ReadonlyArray<Readonly<Record<string, string | string[]>>> = [
  { 'x-forwarded-for': '203.0.113.9, 10.0.0.1' }, { 'x-http-method-override': 'DELETE' }, { 'content-encoding': 'gzip' }, { 'content-encoding': 'br, br, br' }, { origin: 'https://evil.example' }, { origin: 'null' },
  { origin: 'https://shop.example', 'access-control-request-method': 'POST' }, { upgrade: 'websocket' }, { upgrade: 'h2c', 'http2-settings': 'AAMAAABkAARAAAAAAAIAAAAA' }, { range: 'bytes=0-1' }, { 'if-none-match': '*' },
  { 'last-event-id': 'abc:1' }, { 'last-event-id': ':::' }, { 'last-event-id': 'x'.repeat(129) }, { 'last-event-id': '' }, { 'last-event-id': '4111111111111111' }, { 'last-event-id': 'abc:999999999999999' },
  { 'idempotency-key': '' }, { 'idempotency-key': 'x'.repeat(255) }, { 'idempotency-key': 'x'.repeat(256) }, { 'idempotency-key': '\xe9\xff' }, { 'idempotency-key': '4111 1111 1111 1111' }, { 'accept-encoding': 'gzip;q=x' },
  { cookie: 'a=b; '.repeat(300) }, { te: 'trailers' }, { 'x-request-id': '\t' }
]
/** Headers that only a connection can carry. */
const RAW_EXTRA: typeof EXTRA = [
  { 'idempotency-key': ['a', 'b'] }, { 'last-event-id': ['a:1', 'b:2'] }, { authorization: ['Bearer key', 'Bearer other'] }, { accept: ['application/json', 'text/html'] }, { 'content-type': ['application/json', 'text/plain'] },
  { host: ['a', 'b'] }, { host: [] }, { expect: 'miracles' }, { expect: '100-continue' }, { 'transfer-encoding': 'chunked' }, { many: Array(120).fill('x') }, { big: 'x'.repeat(17_000) }, { connection: 'close' }, { connection: 'upgrade, keep-alive' }
]
const WRONG_CREDENTIALS = ['', 'Bearer', 'Bearer ', 'Bearer wrong', 'Basic a2V5', 'Bearer a.b.c', 'Bearer ..', `Bearer ${'x'.repeat(5000)}`, '\xff']
const LENGTHS = ['5', '0', '-1', 'x', '99999999999', '1e3', '']

export class Requests {
  readonly #operations: ReadonlyArray<{ path: string, method: string, operation: Operation }>
  readonly #values: Values
  readonly #random: Random
  readonly #credentials: readonly string[]

  /** @param credentials values of `Authorization` that the server accepts */
  constructor (document: { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }, random: Random, credentials: readonly string[]) {
    this.#operations = Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item).flatMap(([method, operation]) => {
      // Operations on a room come more often, and closing a room less, or most rooms would be closed.
      const weight = method === 'delete' || !path.startsWith('/api/') ? 1 : 4
      return Array<{ path: string, method: string, operation: Operation }>(weight).fill({ path, method: method.toUpperCase(), operation })
    }))
    this.#values = new Values(document, random)
    this.#random = random
    this.#credentials = credentials
  }

  next (): Request {
    const { chance, pick } = this.#random
    if (chance(0.06)) return this.#elsewhere()
    const { path, method, operation } = pick(this.#operations)
    // Either one part is invalid, or each of them may be.
    const parts = ['path', 'query', 'headers', 'body', 'type', 'accept', 'method', 'extra']
    const off = chance(0.4) ? [] : chance(0.7) ? [pick(parts)] : parts.filter(() => chance(0.4))
    const isOff = (part: string) => off.includes(part)
    const parameters = (place: string) => (operation.parameters ?? []).filter((parameter: Operation) => parameter.in === place)
    const stream = path.endsWith('/events') && method === 'GET' && chance(0.3)
    const body = this.#body(operation, isOff('body'))
    const headers = {
      ...this.#authorization(),
      ...this.#headers(parameters('header')),
      ...(body && { 'content-type': isOff('type') ? pick(CONTENT_TYPES) : pick(JSON_TYPES) }),
      ...(isOff('accept') ? { accept: pick(ACCEPTS) } : stream && { accept: STREAM }),
      ...(isOff('headers') && pick(EXTRA)),
      ...(isOff('extra') && pick(EXTRA))
    }
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
      isOff('path') ? pick(SEGMENTS) : encodeURIComponent(String(this.#values.fitting(parameters('path').find((parameter: Operation) => parameter.name === name).schema, name))))
    const query = isOff('query') ? pick(QUERIES) : String(new URLSearchParams(this.#fitting(parameters('query'))))
    return this.#sent({ method: isOff('method') ? pick(METHODS) : method, target: filled + (query && `?${query}`), headers, body, fits: off.length === 0 })
  }

  #elsewhere (): Request {
    const { chance, pick } = this.#random
    const body = chance(0.3) ? pick(BODIES) : undefined
    const headers = { ...this.#authorization(), ...(body && { 'content-type': pick([...JSON_TYPES, ...CONTENT_TYPES]) }), ...(chance(0.3) && pick(EXTRA)) }
    return this.#sent({ method: pick(METHODS), target: pick(PATHS), headers, body, fits: false })
  }

  /** Chooses the transport. A stream does not end, so it needs a connection that can be closed. */
  #sent (request: Omit<Request, 'over'>): Request {
    const { chance, pick } = this.#random
    // Without a connection, segments of dots would be removed from the address on the way.
    const over = request.headers.accept === STREAM || /\/(?:\.|%2e){1,2}(?:[/?]|$)/i.test(request.target) || chance(0.25) ? 'socket' : 'inject'
    if (request.fits) return { ...request, over }
    if (over === 'socket') return { ...request, over, headers: { ...request.headers, ...(chance(0.25) && pick(RAW_EXTRA)) } }
    return { ...request, over, headers: { ...request.headers, ...(request.body && chance(0.05) && { 'content-length': pick(LENGTHS) }) } }
  }

  #authorization (): Record<string, string> {
    const { chance, pick } = this.#random
    if (this.#credentials.length === 0 || chance(0.15)) return chance(0.5) ? {} : { authorization: pick(WRONG_CREDENTIALS) }
    return { authorization: pick(this.#credentials) }
  }

  #fitting (parameters: readonly Operation[]): Record<string, string> {
    const chosen = parameters.filter(({ required }) => required || this.#random.chance(0.4))
    return Object.fromEntries(chosen.map(({ name, schema }) => [name, String(this.#values.fitting(schema, name))]))
  }

  /** Encodes a text as UTF-8, one character for each byte. */
  #headers (parameters: readonly Operation[]): Record<string, string> {
    return Object.fromEntries(Object.entries(this.#fitting(parameters)).map(([name, value]) => [name, Buffer.from(value).toString('latin1')]))
  }

  #body ({ requestBody }: Operation, isOff: boolean): Buffer | undefined {
    const { chance, pick } = this.#random
    if (!requestBody) return isOff ? pick(BODIES) : undefined
    const { schema } = requestBody.content['application/json']
    if (!isOff) return !requestBody.required && chance(0.2) ? undefined : Buffer.from(JSON.stringify(this.#values.fitting(schema)))
    if (chance(0.25)) return pick([...BODIES, undefined])
    if (chance(0.2)) return Buffer.from(pick(['null', '[]', '"x"', '5', 'true']))
    return Buffer.from(JSON.stringify(chance(0.8) ? this.#values.near(schema) : harmful(this.#random)))
  }
}
