// Data folder: what the log says of a folder, and the exit code of a failed write.
import fs, { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { journalBroker } from '../src/broker/journal/restore.js'
import { draftEvent } from '../src/broker/event-draft.js'
import { EX_IOERR, openDataFolder } from '../src/data-folder.js'

interface Line { readonly level: string, readonly fields: object, readonly sentence: string }

async function open (dir: string, config: { DATA_SYNC?: 'none' | 'second' | 'always' } = {}) {
  const lines: Line[] = []
  const write = (level: string) => (fields: object, sentence: string) => { lines.push({ level, fields, sentence }) }
  const clocks = { now: () => Date.now(), monotonic: () => performance.now() }
  const folder = (await openDataFolder({
    config: { DATA_DIR: dir, DATA_SYNC: 'second', ...config },
    log: { info: write('info'), warn: write('warn'), error: write('error'), fatal: write('fatal') },
    exit: (code) => { throw new Error(`exit ${code}`) },
    ...clocks
  }))!
  const broker = journalBroker(folder, { logSize: 5, retention: 60_000, newEpoch: () => 'epoch', isHeld: () => false, ...clocks })
  return { broker, folder, lines, sentences: () => lines.map(({ level, sentence }) => `${level}: ${sentence}`) }
}

function freshFolder (t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'data-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const event = () => draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r' } }, { source: 'device', timestamp: 1 })

/** Lets writes of this process fail until the function has returned. */
async function failingWrites<T> (code: string, work: () => T): Promise<Awaited<T>> {
  const { writeSync } = fs
  fs.writeSync = (() => { throw Object.assign(new Error(code), { code }) }) as typeof fs.writeSync
  try {
    return await work()
  } finally {
    fs.writeSync = writeSync
  }
}

t.test('without DATA_DIR there is no folder', async (t) => {
  t.equal(await openDataFolder({ config: { DATA_SYNC: 'second' } } as never), undefined)
})

t.test('a start says how many rooms it restored', async (t) => {
  const dir = join(freshFolder(t), 'of', 'its own')
  const first = await open(dir)
  t.match(first.lines, [{ level: 'info', fields: { rooms: 0, events: 0, ms: Number, sync: 'second' }, sentence: 'rooms restored' }])
  first.broker.publish('r', event(), true)
  await first.broker.close()
  const second = await open(dir, { DATA_SYNC: 'none' })
  t.match(second.lines, [{ fields: { rooms: 1, closed: 0, events: 1, sync: 'none' } }])
  await second.broker.close()
})

t.test('a start says that a tail was cut off, and that all rooms have new epochs', async (t) => {
  const dir = freshFolder(t)
  const first = await open(dir)
  first.broker.publish('r', event(), true)
  first.broker.publish('r', event(), true)
  const { size } = first.folder.segments
  first.folder.release()
  first.folder.segments.close()
  truncateSync(join(dir, '000000000001.log'), size - 1)
  const second = await open(dir)
  t.strictSame(second.sentences(), ['warn: journal ends with an interrupted write, which was cut off', 'info: rooms restored'])
  await second.broker.close()
  const copy = join(dir, 'copy')
  mkdirSync(copy)
  fs.copyFileSync(join(dir, '000000000001.log'), join(copy, '000000000001.log'))
  const third = await open(copy)
  t.strictSame(third.sentences().slice(1), ['warn: the last events may be missing: all rooms have new epochs, and clients get recovered: false'])
  await third.broker.close()
})

t.test('a full disk is said once, and so is its end', async (t) => {
  const { broker, sentences } = await open(freshFolder(t))
  broker.publish('r', event(), true)
  let calls = 0
  const { writeSync } = fs
  fs.writeSync = ((...args: Parameters<typeof writeSync>) => {
    if (calls++ === 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    return writeSync(...args)
  }) as typeof fs.writeSync
  t.teardown(() => { fs.writeSync = writeSync })
  broker.publish('r', event(), true)
  t.match(broker.publish('r', event(), true), { code: 'UNAVAILABLE' })
  await broker.tick()
  t.strictSame(sentences().slice(1), ['error: disk is full: rooms can be read only', 'info: disk has space again'])
  await broker.close()
})

t.test('a failed write ends the process with EX_IOERR, and the next start says so', async (t) => {
  const dir = freshFolder(t)
  const { broker, folder, lines } = await open(dir)
  await t.rejects(failingWrites('EIO', () => broker.publish('r', event(), true)), { message: `exit ${EX_IOERR}` })
  t.match(lines.at(-1), { level: 'fatal', fields: { err: { code: 'EIO' } }, sentence: 'journal cannot be written, stopping' })
  folder.release()
  folder.segments.close()
  const next = await open(dir)
  t.equal(next.sentences()[1], 'warn: the last process could not write to its disk: all segments of the journal were written anew')
  await next.broker.close()
})

t.test('a folder that cannot be used is an error for the operator; other errors are not', async (t) => {
  const dir = freshFolder(t)
  writeFileSync(join(dir, 'file'), '')
  await t.rejects(open(join(dir, 'file')), { name: 'JournalError', message: /^DATA_DIR cannot be used: EEXIST/ })
  await t.rejects(open(join(dir, 'file', 'below')), { name: 'JournalError', message: /^DATA_DIR cannot be used: ENOTDIR/ })
  await t.rejects(failingWrites('EIO', () => open(join(dir, 'data'))), { message: `exit ${EX_IOERR}` })
  writeFileSync(join(dir, '000000000001.log'), 'x'.repeat(100))
  await t.rejects(open(dir), { name: 'JournalError', message: /is not a segment/ })
  mkdirSync(join(dir, '000000000002.log'))
  fs.unlinkSync(join(dir, '000000000001.log'))
  await t.rejects(open(dir), { code: 'EISDIR' })
})
