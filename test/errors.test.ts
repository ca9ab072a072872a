// The catalogue of errors and close codes: each entry tells a client, by the book, what it can do.
import { STATUS_CODES } from 'node:http'
import fc from 'fast-check'
import t from 'tap'
import { CLOSE, codeForStatus, ERROR_CODES, ERRORS, Failure } from '../src/errors.js'

t.test('every code has a sentence for people and a status for HTTP', async (t) => {
  t.strictSame(ERROR_CODES, Object.keys(ERRORS))
  for (const code of ERROR_CODES) {
    const { message, status } = ERRORS[code]
    t.match(code, /^[A-Z]+(_[A-Z]+)*$/)
    t.match(message, /^[A-Z].*[^.]\.$/, `${code}: ${message}`)
    t.ok(status >= 400 && status <= 599 && STATUS_CODES[status], `${code}: ${status} is an error that HTTP knows`)
  }
  t.equal(new Set(ERROR_CODES.map((code) => ERRORS[code].message)).size, ERROR_CODES.length, 'no two say the same')
})

t.test('what is the server\'s fault or may change can be tried again, what is wrong in itself cannot', async (t) => {
  for (const code of ERROR_CODES) {
    const { status, retryable } = ERRORS[code]
    if (status >= 500) t.equal(retryable, true, code)
    if ([400, 404, 413, 414, 415].includes(status)) t.equal(retryable, false, code)
  }
  for (const code of ['UNAVAILABLE', 'INTERNAL', 'ROOM_FULL'] as const) t.equal(ERRORS[code].retryable, true, code)
  for (const code of ['ID_CONFLICT', 'TOO_MANY_ROOMS'] as const) t.equal(ERRORS[code].retryable, false, code)
})

t.test('every close code is in the range that tells a client what to do', async (t) => {
  const reasons = Object.values(CLOSE)
  for (const { code, reason } of reasons) {
    // Never 1000: clients in the field do not come back after it.
    t.ok([1003, 1007, 1009, 1012].includes(code) || (code >= 4000 && code <= 4999), `${code}`)
    t.ok(reason.length > 0 && Buffer.byteLength(reason) <= 123, `${code}: the reason fits a close frame (RFC 6455 §5.5)`)
  }
  t.equal(new Set(reasons.map(({ code }) => code)).size, reasons.length, 'one meaning each')
  t.match(CLOSE, { UNSUPPORTED_DATA: { code: 1003 }, RESTARTING: { code: 1012 }, TOO_SLOW: { code: 4001 }, NO_PONG: { code: 4003 } })
  const closing = ERROR_CODES.flatMap((code) => (ERRORS[code] as { closeCode?: number }).closeCode ?? [])
  for (const code of closing) t.ok(code >= 4000 && code <= 4999, `${code}`)
})

t.test('a failure is a value that knows its entry in the catalogue', async (t) => {
  const failure = new Failure('ROOM_FULL')
  t.strictSame([failure.code, failure.message, failure.details, failure.status, failure.retryable], ['ROOM_FULL', ERRORS.ROOM_FULL.message, undefined, 409, true])
  const details = [{ key: 'payload.amount', rule: 'must not be negative' }]
  const exact = new Failure('INVALID_FRAME', 'payload.amount: must not be negative', details)
  t.strictSame([exact.message, exact.details, exact.status, exact.retryable], ['payload.amount: must not be negative', details, 400, false])
  t.notOk(failure instanceof Error, 'what throws is a bug')
})

t.test('a status that a library chose gets a code of its own class', async (t) => {
  for (const [status, code] of [
    [400, 'INVALID_REQUEST'], [404, 'NOT_FOUND'], [405, 'INVALID_REQUEST'], [413, 'PAYLOAD_TOO_LARGE'], [414, 'URI_TOO_LONG'], [415, 'UNSUPPORTED_MEDIA_TYPE'],
    [418, 'INVALID_REQUEST'], [499, 'INVALID_REQUEST'], [500, 'INTERNAL'], [502, 'INTERNAL'], [503, 'UNAVAILABLE'], [599, 'INTERNAL']
  ] as const) t.equal(codeForStatus(status), code, `${status}`)
  for (const status of [0, 200, 302, 399, 600, NaN]) t.equal(codeForStatus(status), 'INTERNAL', `${status} is no error of the client's`)
  fc.assert(fc.property(fc.integer({ min: 400, max: 599 }), (status) => Math.floor(ERRORS[codeForStatus(status)].status / 100) === Math.floor(status / 100)))
})
