// Log calls as libraries and bugs make them: the parts of an error that are written, in both formats, and the parts that never are.
import t from 'tap'
import type { Logger } from 'pino'
import type { Config } from '../src/config.js'
import { createLogger } from '../src/logger.js'

const PAYLOAD = { amount: 98765431.27, cpf: '529.982.247-25', email: 'maria.souza@example.com', key: 'idem-9f31c7' }
const SETTINGS = {
  REDIS_URL: 'redis://payments:p%40ss-of-redis@redis.example:6379',
  API_KEYS: 'key-of-a-backend,read:key-of-a-reader,tiny',
  TOKEN_SECRET: 'secret-of-tokens-0123456789abcdef,older-secret-of-tokens-0123456789'
}
const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoicGF5bWVudF8xIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4'
const MARKS = [
  ...Object.values(PAYLOAD).map(String), 'p%40ss-of-redis', 'p@ss-of-redis', 'key-of-a-backend', 'key-of-a-reader', ...SETTINGS.TOKEN_SECRET.split(','), TOKEN, 'hidden'
]
const FORMATS = ['production', 'development']
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

/** A logger with all its output, and its new output since the last call of `news`. */
function logger (NODE_ENV: string): { log: Logger, output: () => string, news: () => string } {
  const lines: string[] = []
  let seen = 0
  const news = () => {
    const text = lines.slice(seen).join('')
    seen = lines.length
    return text
  }
  const settings = { NODE_ENV, LOG_LEVEL: 'trace', ...SETTINGS } as Config
  return { log: createLogger(settings, { write: (line: string) => { lines.push(line) } }), output: () => lines.join(''), news }
}

const thrownBy = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

const frame = JSON.stringify({ type: 'CLICKED_PAY', payload: PAYLOAD })
const redisError = (message: string) => Object.assign(new Error(message), {
  name: 'ReplyError', command: { name: 'evalsha', args: ['9f3', 3, 'wsp:{payment_1}', frame, `request ${PAYLOAD.key}`] }
})

/** Errors as libraries throw them, each with a pattern of its written part. */
const ERRORS: Record<string, [error: unknown, written: RegExp]> = {
  'a script that Redis refuses': [redisError('OOM command not allowed when used memory > \'maxmemory\'.'), /OOM command not allowed when used memory > …/],
  'a room that moves': [redisError('MOVED 4711 127.0.0.1:7001'), /MOVED 4711 127\.0\.0\.1:7001/],
  'a server that quotes an unknown command': [
    redisError(`ERR unknown command 'EVALSHA', with args beginning with: '${frame}' '${PAYLOAD.key}' `), /ERR unknown command …/],
  'a server that knows no HELLO': [new Error('ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `p@ss-of-redis`, '), /ERR unknown command …/],
  'a password in a message': [new Error('WRONGPASS for payments with p@ss-of-redis or p%40ss-of-redis'), /WRONGPASS for payments with \[redacted\] or \[redacted\]/],
  'an address with a password': [new TypeError('Failed to parse URL from redis://payments:hidden@redis.example'), /Failed to parse URL from \[redacted\]/],
  'an address that is none': [thrownBy(() => new URL(`${PAYLOAD.email}?token=${TOKEN}`)), /ERR_INVALID_URL/],
  'a body that is no JSON': [thrownBy(() => JSON.parse(`[${frame}, ${PAYLOAD.cpf}]`)), /SyntaxError/],
  'a text that is no JSON': [thrownBy(() => JSON.parse(PAYLOAD.email)), /SyntaxError: Unexpected token/],
  'a key that is looked for in a text': [thrownBy(() => 'amount' in (PAYLOAD.cpf as never)), /TypeError: Cannot use …/],
  'numbers of people in a message': [new RangeError(`no such person ${PAYLOAD.cpf}, nor 52998224725, nor ${PAYLOAD.email}`), /no such person \[redacted\], nor \[redacted\]/],
  'a validation': [Object.assign(new Error('body/payload must be object'), { code: 'FST_ERR_VALIDATION', statusCode: 400, validation: [{ data: PAYLOAD }] }), /body\/payload must be object/],
  'a packet that is no HTTP': [Object.assign(new Error('Parse Error: Invalid method'), { code: 'HPE_INVALID_METHOD', rawPacket: Buffer.from(frame) }), /HPE_INVALID_METHOD/],
  'a token that has expired': [Object.assign(new Error('"exp" claim timestamp check failed'), { code: 'ERR_JWT_EXPIRED', payload: PAYLOAD, token: TOKEN }), /ERR_JWT_EXPIRED/],
  'a request that failed': [Object.assign(new Error('fetch failed'), { config: { headers: { authorization: 'Bearer key-of-a-backend' } }, data: frame }), /fetch failed/],
  'a cause': [new Error('the room is broken', { cause: redisError('OOM') }), /the room is broken[^]*OOM/],
  'a cause that is no error': [new Error('the room is broken', { cause: PAYLOAD }), /the room is broken/],
  'several at once': [new AggregateError([redisError('READONLY'), redisError('NOSCRIPT')], 'all of them'), /READONLY[^]*NOSCRIPT/],
  'a class of its own': [new (class RoomError extends Error { readonly payload = PAYLOAD })('broken'), /RoomError/],
  'an object that was thrown': [{ message: 'thrown', ...PAYLOAD, toJSON: () => PAYLOAD }, /thrown/],
  'a name from outside': [Object.assign(new Error('x'), { name: frame, code: `${PAYLOAD.email} "` }), /"?x"?/]
}
const cyclic = redisError('it is its own cause')
ERRORS.circle = [Object.assign(cyclic, { cause: cyclic, errors: [cyclic] }), /it is its own cause/]

/** Ways of an error into the log. */
const CALLS: Record<string, (log: Logger, level: typeof LEVELS[number], error: unknown) => void> = {
  'as err': (log, level, err) => log[level]({ err, roomId: 'payment_1' }, 'message handling failed'),
  'by itself': (log, level, error) => log[level](error instanceof Error ? error : { err: error }),
  'by itself, with a sentence': (log, level, error) => log[level](error instanceof Error ? error : { err: error }, 'message handling failed'),
  'with its message as the sentence': (log, level, err) => log[level]({ err }, (err as Error).message),
  'under another key': (log, level, error) => log[level]({ error, other: error instanceof Error ? error : undefined }, 'message handling failed'),
  'deep in a field': (log, level, error) => log[level]({ err: error, jobs: [{ result: { failed: error instanceof Error ? error : undefined } }] }, 'message handling failed'),
  'of a child logger': (log, level, err) => log.child({ err, last: err instanceof Error ? err : undefined }, { serializers: {} })[level]('message handling failed'),
  'of a logger\'s bindings': (log, level, err) => {
    const child = log.child({ a: 1 })
    child.setBindings({ err })
    child[level]('message handling failed')
  },
  'in place of placeholders': (log, level, error) => log[level]({ err: error }, 'failed: %s %j', error instanceof Error ? error : '', error instanceof Error ? error : '')
}

for (const NODE_ENV of FORMATS) {
  t.test(`${NODE_ENV}: type and message of an error are written, and no data that a library attached`, async (t) => {
    const { log, news } = logger(NODE_ENV)
    for (const [name, [error, written]] of Object.entries(ERRORS)) {
      const wrong = Object.entries(CALLS).flatMap(([way, call]) => LEVELS.flatMap((level) => {
        call(log, level, error)
        const output = news()
        const leaked = MARKS.filter((mark) => output.includes(mark))
        return leaked.length > 0 || !written.test(output) ? [{ way, level, leaked, output }] : []
      }))
      t.strictSame(wrong.slice(0, 1), [], name)
    }
  })
}

t.test('an error is written with its type, code, status, system call, address, command, stack and cause', async (t) => {
  const { log, output } = logger('production')
  const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { code: 'ECONNREFUSED', errno: -111, syscall: 'connect', address: '127.0.0.1', port: 6379 })
  const error = Object.assign(redisError('READONLY You can\'t write against a read only replica.'), { cause, statusCode: 503 })
  log.error({ err: error }, 'Redis rejected a command')
  const { err, msg } = JSON.parse(output()) as { msg: string, err: Record<string, unknown> }
  t.equal(msg, 'Redis rejected a command')
  t.match(err, { type: 'ReplyError', message: 'READONLY You can\'t write against a read only replica.', command: 'evalsha', statusCode: 503, stack: /^ReplyError: READONLY.*\n {4}at .*log-fields\.test/ })
  t.match(err.cause, { type: 'Error', message: 'connect ECONNREFUSED 127.0.0.1:6379', code: 'ECONNREFUSED', errno: -111, syscall: 'connect', address: '127.0.0.1', port: 6379 })
  t.strictSame(Object.keys(err).sort(), ['cause', 'command', 'message', 'stack', 'statusCode', 'type'])
})

t.test('lines of a message do not count as stack frames, and message and stack are cut', async (t) => {
  const { log, output } = logger('production')
  const error = new Error(`first\n    at ${PAYLOAD.email} (x:1:1)\n${'x'.repeat(100_000)}`)
  error.stack += '\n    at again (y.js:1:1)'.repeat(1_000)
  log.error({ err: error }, 'message handling failed')
  t.notMatch(output(), PAYLOAD.email)
  t.ok(output().length < 5_000, `${output().length} characters`)
})

t.test('texts are written without secrets, tokens and queries; an object of a class is written as the name of the class', async (t) => {
  for (const NODE_ENV of FORMATS) {
    const { log, output } = logger(NODE_ENV)
    log.info({ path: `/api/rooms?token=${TOKEN}&key=hidden`, list: [`Bearer ${TOKEN}`, 'key-of-a-reader'] }, 'Reply was already sent in "/x?token=hidden"')
    log.info(`at redis://payments:p%40ss-of-redis@redis.example, with ${TOKEN}`)
    log.info({ body: Buffer.from(frame), address: 'x', url: new URL('redis://a:hidden@h'), map: new Map([[1, PAYLOAD]]), deep: { a: { b: { c: { d: { e: PAYLOAD } } } } } }, 'objects')
    log.info(new (class Request { body = PAYLOAD })(), 'a class')
    log.info('%s %j', TOKEN, { text: 'key-of-a-backend' })
    for (const mark of MARKS) t.notMatch(output(), mark)
    t.match(output(), '/api/rooms[redacted]')
    t.match(output(), 'redis://[redacted]@redis.example')
    t.match(output(), '[Buffer]')
    t.match(output(), '[Request]')
  }
})

t.test('a request is written as its method and path, and a reply as its status', async (t) => {
  const { log, output } = logger('production')
  const req = { method: 'GET', url: '/api/rooms/r/events?token=hidden', headers: { authorization: 'Bearer hidden' }, ip: '127.0.0.1', body: PAYLOAD }
  log.child({}, { serializers: {} }).warn({ req, res: { statusCode: 500, headers: { 'set-cookie': 'hidden' } }, err: undefined }, 'request errored')
  t.match(JSON.parse(output()), { req: { method: 'GET', url: '/api/rooms/r/events', remoteAddress: '127.0.0.1' }, res: { statusCode: 500 } })
  for (const mark of MARKS) t.notMatch(output(), mark)
})

t.test('a short secret is redacted only as a whole word', async (t) => {
  const { log, output } = logger('production')
  log.info({ text: 'tiny, tinyhouse' }, 'a tiny key')
  t.match(JSON.parse(output()), { text: '[redacted], tinyhouse', msg: 'a [redacted] key' })
})

t.test('fields without secrets are written unchanged', async (t) => {
  const { log, output } = logger('production')
  const fields = { roomId: 'payment_1', seq: 3, duplicate: false, list: [1, 'x', null], at: new Date(0), nothing: null, missing: undefined, email: { a: { b: 1 } } }
  log.info(fields, 'event relayed %d', 7)
  log.info(null, 'no fields')
  log.info('only a sentence?')
  log.info({ err: null, error: 'a text', req: null, res: null }, 'no error')
  const lines = output().trim().split('\n').map((line) => JSON.parse(line) as object)
  t.match(lines, [
    { roomId: 'payment_1', seq: 3, duplicate: false, list: [1, 'x', null], at: '1970-01-01T00:00:00.000Z', nothing: null, email: { a: { b: 1 } }, msg: 'event relayed 7' },
    { msg: 'no fields' }, { msg: 'only a sentence?' }, { err: null, error: 'a text', req: null, res: null, msg: 'no error' }
  ])
})
