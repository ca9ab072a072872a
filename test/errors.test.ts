// Catalogue of errors and close codes: status, sentence, retryability and range of each entry.
import { STATUS_CODES } from 'node:http'
import fc from 'fast-check'
import t from 'tap'
import { CLOSE, codeForStatus, ERROR_CODES, ERRORS, Failure } from '../src/errors.js'

t.test('every error code has a sentence and an HTTP status', async (t) => {
  t.strictSame(ERROR_CODES, Object.keys(ERRORS))
  for (const code of ERROR_CODES) {
    const { message, status } = ERRORS[code]
    t.match(code, /^[A-Z]+(_[A-Z]+)*$/)
    t.match(message, /^[A-Z].*[^.]\.$/, `${code}: ${message}`)
    t.ok(status >= 400 && status <= 599 && STATUS_CODES[status], `${code}: ${status} is an error that HTTP knows`)
  }
  t.equal(new Set(ERROR_CODES.map((code) => ERRORS[code].message)).size, ERROR_CODES.length, 'no two codes have the same sentence')
})

t.test('errors of the server and temporary errors are retryable, and invalid requests are not', async (t) => {
  for (const code of ERROR_CODES) {
    const { status, retryable } = ERRORS[code]
    if (status >= 500) t.equal(retryable, true, code)
    if ([400, 404, 413, 414, 415].includes(status)) t.equal(retryable, false, code)
  }
  for (const code of ['UNAVAILABLE', 'INTERNAL', 'ROOM_FULL', 'ROOM_TAKEN'] as const) t.equal(ERRORS[code].retryable, true, code)
  for (const code of ['ID_CONFLICT', 'TOO_MANY_ROOMS'] as const) t.equal(ERRORS[code].retryable, false, code)
})

t.test('every close code is in a range that clients know', async (t) => {
  const reasons = Object.values(CLOSE)
  for (const { code, reason } of reasons) {
    // Code 1000 is excluded: existing clients do not reconnect after it.
    t.ok([1003, 1007, 1009, 1012].includes(code) || (code >= 4000 && code <= 4999), `${code}`)
    t.ok(reason.length > 0 && Buffer.byteLength(reason) <= 123, `${code}: the reason fits a close frame (RFC 6455 §5.5)`)
  }
  t.equal(new Set(reasons.map(({ code }) => code)).size, reasons.length, 'each close code has one meaning')
  t.match(CLOSE, { UNSUPPORTED_DATA: { code: 1003 }, RESTARTING: { code: 1012 }, TOO_SLOW: { code: 4001 }, NO_PONG: { code: 4003 } })
  const closing = ERROR_CODES.flatMap((code) => (ERRORS[code] as { closeCode?: number }).closeCode ?? [])
  for (const code of closing) t.ok(code >= 4000 && code <= 4999, `${code}`)
})

t.test('a failure is a value with its entry of the catalogue', async (t) => {
  const failure = new Failure('ROOM_FULL')
  t.strictSame([failure.code, failure.message, failure.details, failure.status, failure.retryable], ['ROOM_FULL', ERRORS.ROOM_FULL.message, undefined, 409, true])
  const details = [{ key: 'payload.amount', rule: 'must not be negative' }]
  const exact = new Failure('INVALID_FRAME', 'payload.amount: must not be negative', details)
  t.strictSame([exact.message, exact.details, exact.status, exact.retryable], ['payload.amount: must not be negative', details, 400, false])
  t.notOk(failure instanceof Error, 'a failure is no Error')
})

t.test('a status of a library maps to a code of the same class', async (t) => {
  for (const [status, code] of [
    [400, 'INVALID_REQUEST'], [404, 'NOT_FOUND'], [405, 'INVALID_REQUEST'], [413, 'PAYLOAD_TOO_LARGE'], [414, 'URI_TOO_LONG'], [415, 'UNSUPPORTED_MEDIA_TYPE'],
    [418, 'INVALID_REQUEST'], [499, 'INVALID_REQUEST'], [500, 'INTERNAL'], [502, 'INTERNAL'], [503, 'UNAVAILABLE'], [599, 'INTERNAL']
  ] as const) t.equal(codeForStatus(status), code, `${status}`)
  for (const status of [0, 200, 302, 399, 600, NaN]) t.equal(codeForStatus(status), 'INTERNAL', `${status} is no client error`)
  fc.assert(fc.property(fc.integer({ min: 400, max: 599 }), (status) => Math.floor(ERRORS[codeForStatus(status)].status / 100) === Math.floor(status / 100)))
})
