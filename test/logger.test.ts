// Output of the process: JSON for machines in production, lines of the seed for people otherwise.
import { once } from 'node:events'
import Module from 'node:module'
import { PassThrough, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import t from 'tap'
import type { Config } from '../src/config.js'
import { createLogger, batchLines } from '../src/logger.js'

const ISO = '\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z'

/** A logger for people, and its next output. */
function forPeople (t: Test, LOG_LEVEL: Config['LOG_LEVEL'] = 'debug', NODE_ENV = 'development') {
  const output = new PassThrough({ encoding: 'utf8' })
  t.teardown(() => output.destroy())
  const written = async (): Promise<string> => String((await once(output, 'data'))[0])
  return { log: createLogger({ NODE_ENV, LOG_LEVEL }, output), written }
}

t.test('in production a log line is JSON, with its fields and its sentence', async (t) => {
  const lines: string[] = []
  const output = new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      lines.push(line)
      done()
    }
  })
  const log = createLogger({ NODE_ENV: 'production', LOG_LEVEL: 'info' }, output)
  log.info({ roomId: 'r', seq: 1 }, 'event relayed')
  log.error({ err: new Error('a bug') }, 'message handling failed')
  log.debug('below the level')
  t.equal(lines.length, 2)
  for (const line of lines) t.match(line, /^\{.*\}\n$/)
  t.match(JSON.parse(lines[0]!), { level: 30, time: Number, msg: 'event relayed', roomId: 'r', seq: 1 })
  t.match(JSON.parse(lines[1]!), { level: 50, msg: 'message handling failed', err: { message: 'a bug', stack: String } })
})

t.test('outside production a log line has the format of the seed', async (t) => {
  for (const NODE_ENV of ['development', 'test']) {
    const { log, written } = forPeople(t, 'debug', NODE_ENV)
    const next = written()
    log.info({ roomId: 'payment_123' }, 'room created')
    const line = await next
    t.match(line, new RegExp(`^\\[INFO\\] ${ISO} - room created \\{"roomId":"payment_123"\\}\\n$`))
    t.ok(Math.abs(Date.now() - Date.parse(line.split(' ')[1]!)) < 60_000, 'the time is now, in UTC')
  }
})

t.test('a log call needs no fields, may have any level, and writes one line for any text', async (t) => {
  const { log, written } = forPeople(t)
  for (const [write, expected] of [
    [() => log.info('server stopping'), '\\[INFO\\] TIME - server stopping'],
    [() => log.warn({ a: { b: [1, 'x'] }, c: null }, 'careful'), '\\[WARN\\] TIME - careful \\{"a":\\{"b":\\[1,"x"\\]\\},"c":null\\}'],
    [() => log.debug({ text: 'two\nlines "é" {msg}' }, 'sentence'), '\\[DEBUG\\] TIME - sentence \\{"text":"two\\\\nlines \\\\"é\\\\" \\{msg\\}"\\}'],
    [() => log.fatal('the end'), '\\[FATAL\\] TIME - the end']
  ] as const) {
    const next = written()
    write()
    t.match(await next, new RegExp(`^${expected.replace('TIME', ISO)}\\n$`))
  }
})

t.test('an error is logged with its stack', async (t) => {
  const { log, written } = forPeople(t)
  const next = written()
  log.error({ err: new Error('a bug') }, 'message handling failed')
  t.match(await next, new RegExp(`^\\[ERROR\\] ${ISO} - message handling failed[^]*a bug[^]*logger\\.test`))
})

t.test('a line below the level is not written', async (t) => {
  const { log, written } = forPeople(t, 'warn')
  const next = written()
  log.info('too quiet')
  log.warn('loud enough')
  t.match(await next, /loud enough/)
})

t.test('a logger without a destination writes to standard output', async (t) => {
  for (const NODE_ENV of ['production', 'development']) {
    const log = createLogger({ NODE_ENV, LOG_LEVEL: 'silent' })
    t.equal(log.level, 'silent')
    log.fatal('a silent line')
  }
})

t.test('lines within a hundredth of a second are one write, unless they are larger than a pipe', async (t) => {
  const written: string[] = []
  const output = batchLines({ write: (lines) => { written.push(lines.toString()) } })
  output.write('a\n')
  output.write('b\n')
  t.strictSame(written, [])
  await sleep(30)
  t.strictSame(written.splice(0), ['a\nb\n'])
  const long = `${'x'.repeat(65_536)}\n`
  output.write('c\n')
  output.write(long)
  t.strictSame(written.splice(0), ['c\n', long], 'the lines are in order')
  output.write('d\n')
  await sleep(30)
  t.strictSame(written.splice(0), ['d\n'])
  const sentence = `${'ã€😀"'.repeat(1_000)}\n`
  for (let n = 0; n < 12; n++) output.write(sentence)
  t.ok(written.length > 0 && written.every((lines) => lines.endsWith('\n')), 'no line is cut')
  await sleep(30)
  t.equal(written.join(''), sentence.repeat(12), 'every character is written')
})

t.test('the last lines are written when the process exits', async (t) => {
  const written: string[] = []
  const before = process.listeners('exit')
  const output = batchLines({ write: (lines) => { written.push(lines.toString()) } })
  const [atExit] = process.listeners('exit').filter((listener) => !before.includes(listener))
  t.teardown(() => process.off('exit', atExit!))
  output.write('the end\n')
  atExit!.call(process, 0)
  t.strictSame(written, ['the end\n'])
  await sleep(30)
  t.strictSame(written, ['the end\n'], 'the last line is written once')
})

t.test('a fatal line is written at once', async (t) => {
  const written: string[] = []
  const log = createLogger({ NODE_ENV: 'production', LOG_LEVEL: 'info' }, batchLines({ write: (lines) => { written.push(lines.toString()) } }))
  log.info('before')
  t.strictSame(written, [])
  log.fatal('the end')
  t.match(written.join(''), /"before".*\n.*"the end"/)
})

t.test('without pino-pretty the log is JSON, and says so; a package that cannot be read is an error', async (t) => {
  const internals = Module as unknown as { _load: (name: string, ...rest: unknown[]) => unknown }
  const load = internals._load
  t.teardown(() => { internals._load = load })
  /** Lets the package fail to load with this code. */
  const failWith = (code: string) => {
    internals._load = function (name, ...rest) {
      if (name === 'pino-pretty') throw Object.assign(new Error('Cannot find module'), { code })
      return load.call(this, name, ...rest)
    }
  }
  failWith('MODULE_NOT_FOUND')
  const { written } = forPeople(t)
  t.match(JSON.parse(await written()), { level: 30, msg: /^log lines are JSON: .* npm install pino-pretty$/ })
  failWith('EACCES')
  t.throws(() => createLogger({ NODE_ENV: 'development', LOG_LEVEL: 'info' }), { code: 'EACCES' })
})
