// Folder of a journal: torn tails are cut, damage and newer formats stop the start, a copy proves nothing, and one process uses it at a time.
import fs, { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Published, RoomView } from '../../../src/broker/broker.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import { lockFolder } from '../../../src/broker/journal/folder-lock.js'
import { CLEAN } from '../../../src/broker/journal/folder.js'
import { HEADER_BYTES, segmentName } from '../../../src/broker/journal/segment-header.js'
import { crash, freshFolder, Machine, type Run, type RunOptions } from './fresh.js'

const event = (roomId: string, n: number, text = '') => draftEvent({ type: 'NOTE', payload: { roomId, n, text } as never }, { source: 'device', timestamp: n })

/** A folder with one room of four events, and the sizes of its segment after each of them. */
async function written (t: Test, options: RunOptions = {}, end: (run: Run) => Promise<void> | void = crash) {
  const machine = new Machine(freshFolder(t), options)
  const run = await machine.start()
  const sizes: number[] = []
  let epoch = ''
  for (let n = 1; n <= 4; n++) {
    epoch = (await run.broker.publish('r', event('r', n), true) as Published).epoch
    sizes.push(run.folder.segments.size)
  }
  await end(run)
  const path = join(machine.dir, segmentName(1))
  const flip = (at: number) => {
    const bytes = readFileSync(path)
    bytes[at]! ^= 1
    writeFileSync(path, bytes)
  }
  return { machine, path, sizes, epoch, flip }
}

const DAMAGED = { name: 'JournalError', message: /damaged at byte \d+; restore a backup/ }

t.test('the end of an interrupted write is cut off, and the event in it is gone', async (t) => {
  for (const harm of ['short', 'flip'] as const) {
    const { machine, path, sizes, epoch, flip } = await written(t)
    if (harm === 'short') truncateSync(path, sizes[3]! - 1)
    else flip(sizes[3]! - 3)
    const tails: object[] = []
    const run = await machine.start({ onTorn: (tail) => { tails.push(tail) } })
    t.match(tails, [{ segment: 1, at: sizes[2], bytes: Number }])
    t.match(run.broker.read('r'), { seq: 3, epoch }, 'nobody was told of the fourth')
    t.match(await run.broker.publish('r', event('r', 4), true), { seq: 4 })
    crash(run)
    const next = await machine.start({ onTorn: () => t.fail('it is cut off once') })
    t.match(next.broker.read('r'), { seq: 4 })
    await next.broker.close()
  }
})

t.test('damage anywhere else stops the start', async (t) => {
  const middle = await written(t)
  middle.flip(middle.sizes[1]! - 3)
  await t.rejects(middle.machine.start(), DAMAGED)
  await t.rejects(middle.machine.start(), DAMAGED, 'each time, and the file stays as it is')
  const length = await written(t)
  length.flip(length.sizes[0]! + 1)
  await t.rejects(length.machine.start(), DAMAGED)
  const last = await written(t, {}, ({ broker }) => broker.close())
  last.flip(last.sizes[3]! - 3)
  await t.rejects(last.machine.start(), DAMAGED, 'a clean stop leaves no interrupted write')
  const header = await written(t)
  header.flip(50)
  await t.rejects(header.machine.start(), { name: 'JournalError', message: /the header of .* is damaged/ })
  const earlier = await written(t)
  crash(await earlier.machine.start())
  truncateSync(earlier.path, earlier.sizes[3]! - 1)
  await t.rejects(earlier.machine.start(), DAMAGED, 'a segment that is not the last one')
})

t.test('after a loss of power the log ends at the first hole, unless that place was on the disk', async (t) => {
  const hole = await written(t)
  hole.flip(hole.sizes[1]! - 3)
  hole.machine.bootId = 'boot-2'
  const run = await hole.machine.start()
  t.match(run.broker.read('r', { epoch: hole.epoch, seq: 1 }), { seq: 1, recovered: false })
  await run.broker.close()

  const machine = new Machine(freshFolder(t))
  const synced = await machine.start()
  await synced.broker.publish('r', event('r', 1), true)
  const { size } = synced.folder.segments
  await new Promise<void>((resolve) => { synced.folder.journal.whenSynced(resolve) })
  await synced.broker.publish('r', event('r', 2), true)
  await synced.broker.publish('r', event('r', 3), true)
  crash(synced)
  const path = join(machine.dir, segmentName(1))
  const bytes = readFileSync(path)
  bytes[size - 3]! ^= 1
  writeFileSync(path, bytes)
  machine.bootId = 'boot-2'
  await t.rejects(machine.start(), DAMAGED)
})

t.test('a start that was killed while it began its segment', async (t) => {
  for (const bytes of [0, HEADER_BYTES - 1]) {
    const { machine, epoch } = await written(t)
    writeFileSync(join(machine.dir, segmentName(2)), Buffer.alloc(bytes))
    const run = await machine.start()
    t.match(run.broker.read('r'), { seq: 4, epoch })
    await run.broker.close()
  }
})

t.test('a folder that this version cannot read stops the start with a sentence', async (t) => {
  const newer = await written(t)
  const bytes = readFileSync(newer.path)
  bytes.writeUInt16LE(3, 4)
  writeFileSync(newer.path, bytes)
  await t.rejects(newer.machine.start(), { name: 'JournalError', message: /format 3 of a newer version; this version reads up to format 2/ })
  const foreign = await written(t)
  writeFileSync(foreign.path, 'x'.repeat(100))
  await t.rejects(foreign.machine.start(), { name: 'JournalError', message: /is not a segment of a journal/ })
  const missing = await written(t)
  crash(await missing.machine.start())
  crash(await missing.machine.start())
  unlinkSync(join(missing.machine.dir, segmentName(2)))
  await t.rejects(missing.machine.start(), { name: 'JournalError', message: /000000000002.log is missing/ })
})

t.test('records that do not follow from each other stop the start', async (t) => {
  const order = await written(t)
  const bytes = readFileSync(order.path)
  writeFileSync(order.path, Buffer.concat([bytes.subarray(0, order.sizes[1]), bytes.subarray(order.sizes[2])]))
  await t.rejects(order.machine.start(), { name: 'JournalError', message: /has event 4 of room r where 3 should be/ })
  const unknown = await written(t)
  // A body of one byte, kind 99, with its checksum.
  appendFileSync(unknown.path, Buffer.from([1, 0, 0, 0, 0xcb, 0x5c, 0xd3, 0xfa, 99]))
  const crc = (await import('node:zlib')).crc32(Buffer.from([99]))
  const whole = readFileSync(unknown.path)
  whole.writeUInt32LE(crc, whole.length - 5)
  writeFileSync(unknown.path, whole)
  await t.rejects(unknown.machine.start(), { name: 'JournalError', message: /kind 99/ })
})

t.test('a copy of a folder begins new epochs, however the original stopped', async (t) => {
  for (const end of [crash, ({ broker }: Run) => broker.close()]) {
    const { machine, epoch } = await written(t, {}, end)
    const copy = join(machine.dir, 'copy')
    mkdirSync(copy)
    for (const name of readdirSync(machine.dir).filter((name) => name.endsWith('.log') || name === CLEAN)) copyFileSync(join(machine.dir, name), join(copy, name))
    const run = await new Machine(copy).start()
    const view = run.broker.read('r', { epoch, seq: 2 }) as RoomView
    t.match(view, { seq: 4, recovered: false, entries: { length: 4 } })
    t.not(view.epoch, epoch)
    await run.broker.close()
  }
})

t.test('files can be read by their owner alone', async (t) => {
  const dir = join(freshFolder(t), 'data')
  const run = await new Machine(dir).start()
  await run.broker.publish('r', event('r', 1), true)
  await run.broker.close()
  t.equal(statSync(dir).mode & 0o777, 0o700)
  for (const name of [segmentName(1), 'ballast', CLEAN]) t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name)
})

t.test('one process uses a folder at a time', async (t) => {
  const machine = new Machine(freshFolder(t))
  const first = await machine.start()
  await t.rejects(machine.start(), { name: 'JournalError', message: /another process uses/ })
  const waiting = machine.start({ wait: 20_000, monotonic: () => performance.now() })
  await first.broker.close()
  const second = await waiting
  t.notOk(existsSync(join(machine.dir, 'owner.1')), 'a former owner leaves no name behind')
  await second.broker.close()
})

t.test('of many processes that want a folder at once, one gets it', async (t) => {
  const dir = freshFolder(t)
  const monotonic = () => performance.now()
  let owners = 0
  let most = 0
  let turns = 0
  await Promise.all(Array.from({ length: 12 }, async () => {
    for (let i = 0; i < 3; i++) {
      const release = await lockFolder(dir, { monotonic, wait: 60_000 })
      most = Math.max(most, ++owners)
      turns++
      await new Promise((resolve) => { setImmediate(resolve) })
      owners--
      release()
    }
  }))
  t.equal(turns, 36)
  t.equal(most, 1)
  t.ok(readdirSync(dir).length <= 1, 'the name of the last owner stays, so that no number comes twice')
})

t.test('a folder that cannot be locked', async (t) => {
  const dir = freshFolder(t)
  await t.rejects(lockFolder(join(dir, 'missing'), { monotonic: () => 0 }), { code: 'ENOENT' })
  // A socket without a listener, and a file that is none.
  await new Promise<void>((resolve) => {
    const server = createServer().listen(join(dir, 'owner.7'), () => server.close(() => resolve()))
  })
  writeFileSync(join(dir, 'owner.8'), '')
  const release = await lockFolder(dir, { monotonic: () => 0, wait: 0 })
  t.strictSame(readdirSync(dir), ['owner.9'])
  release()
})

t.test('a claim that another process overtakes is given up, and one that cannot be made is an error', async (t) => {
  const dir = freshFolder(t)
  const { linkSync } = fs
  t.teardown(() => { fs.linkSync = linkSync })
  let calls = 0
  fs.linkSync = ((from, to) => {
    calls++
    if (calls === 1) throw Object.assign(new Error('taken'), { code: 'EEXIST' })
    linkSync(from, to)
    // Two others had this number and the next ones meanwhile, and are gone.
    if (calls === 2) writeFileSync(join(dir, 'owner.5'), '')
  }) as typeof fs.linkSync
  const release = await lockFolder(dir, { monotonic: () => 0, wait: 1 })
  t.equal(calls, 3)
  t.strictSame(readdirSync(dir), ['owner.6'])
  release()
  fs.linkSync = (() => { throw Object.assign(new Error('no links here'), { code: 'EPERM' }) }) as typeof fs.linkSync
  await t.rejects(lockFolder(dir, { monotonic: () => 0 }), { code: 'EPERM' })
  t.strictSame(readdirSync(dir), ['owner.6'])
})
