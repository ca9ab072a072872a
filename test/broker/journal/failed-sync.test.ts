// Failed syncs: the kernel drops what it could not write, shows it all the same, and reports success the next time. Nothing of that reaches a client as if it were kept.
import fs, { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { draftEvent } from '../../../src/broker/event-draft.js'
import { SYSTEM_DISK, type Disk } from '../../../src/broker/journal/disk.js'
import { FAILED } from '../../../src/broker/journal/failed-sync.js'
import { CLEAN } from '../../../src/broker/journal/folder.js'
import { DATA_SYNCS } from '../../../src/broker/journal/data-sync.js'
import { segmentName } from '../../../src/broker/journal/segment-header.js'
import type { RoomView } from '../../../src/broker/broker.js'
import { until } from '../../until.js'
import { FaultyDisk } from './faulty-disk.js'
import { crash, freshFolder, Machine, type Run } from './fresh.js'

const publish = ({ broker }: Run, n: number) => broker.publish('r', draftEvent({ type: 'NOTE', payload: { roomId: 'r', n } as never }, { source: 'device', timestamp: n }), true)
const read = async ({ broker }: Run, from = { seq: 0 }) => await broker.read('r', from) as RoomView
const eio = () => Object.assign(new Error('EIO: by the test'), { code: 'EIO' })

/** Disk as Linux treats it: pages whose write has failed are clean afterwards, and are never written, although they can be read. */
class ForgetfulDisk {
  /** Bytes that are on the disk, by inode. */
  readonly #durable = new Map<number, Buffer>()
  /** Bytes that a sync has dealt with, written or dropped. */
  readonly #clean = new Map<number, number>()
  fails = false
  syncs = 0

  readonly disk: Disk = {
    ...SYSTEM_DISK,
    unlinkSync: (path) => {
      this.#forget(path)
      fs.unlinkSync(path)
    },
    renameSync: (from, to) => {
      this.#forget(to)
      fs.renameSync(from, to)
    },
    fdatasyncSync: (fd) => this.#sync(fd),
    fdatasync: ((fd: number, done: (error: Error | null) => void) => {
      let failure: Error | null = null
      try {
        this.#sync(fd)
      } catch (error) {
        failure = error as Error
      }
      setImmediate(() => done(failure))
    }) as Disk['fdatasync']
  }

  /** The number of a file that is gone may be given to another one. */
  #forget (path: fs.PathLike): void {
    const { ino } = statSync(path)
    this.#durable.delete(ino)
    this.#clean.delete(ino)
  }

  #sync (fd: number): void {
    this.syncs++
    const { ino, size } = fs.fstatSync(fd)
    const bytes = readFileSync(`/proc/self/fd/${fd}`)
    const durable = Buffer.alloc(size)
    this.#durable.get(ino)?.copy(durable)
    if (!this.fails) bytes.copy(durable, this.#clean.get(ino) ?? 0, this.#clean.get(ino) ?? 0)
    this.#durable.set(ino, durable)
    this.#clean.set(ino, size)
    if (!this.fails) return
    this.fails = false
    throw eio()
  }

  losePower (dir: string): void {
    for (const name of readdirSync(dir).filter((name) => name.endsWith('.log'))) {
      const path = join(dir, name)
      writeFileSync(path, this.#durable.get(statSync(path).ino) ?? Buffer.alloc(0))
    }
  }
}

const withoutProc = !existsSync('/proc/self/fd') && 'needs /proc'

for (const sync of DATA_SYNCS) {
  t.test(`DATA_SYNC=${sync}: a failed sync is not repeated, and what the next process tells is on the disk`, { skip: withoutProc }, async (t) => {
    const forgetful = new ForgetfulDisk()
    let ends = 0
    const machine = new Machine(freshFolder(t), { sync, disk: forgetful.disk, stall: undefined })
    const run = await machine.start({ onFatal: () => { ends++; return undefined as never } })
    await publish(run, 1)
    const { epoch } = await read(run)
    forgetful.fails = true
    let isTold = false
    void Promise.resolve(publish(run, 2)).then(() => { isTold = true })
    if (sync !== 'always') {
      run.folder.journal.flush()
      run.folder.journal.syncLater()
    }
    await until('the process ends', () => ends === 1)
    const { syncs } = forgetful
    await run.broker.tick()
    run.folder.journal.syncLater()
    await new Promise((resolve) => setTimeout(resolve, 20))
    t.equal(forgetful.syncs, syncs, 'no other sync')
    t.equal(isTold, sync !== 'always')
    t.ok(existsSync(join(machine.dir, FAILED)))
    crash(run)

    const second = await machine.start()
    t.strictSame([second.folder.hasFailed, second.folder.isComplete, existsSync(join(machine.dir, FAILED))], [true, false, false])
    const view = await read(second, { seq: 1, epoch } as never)
    t.match(view, { seq: 2, recovered: false, entries: { length: 2 } }, 'a client learns that something may be missing')
    t.not(view.epoch, epoch)
    crash(second)
    forgetful.losePower(machine.dir)
    machine.bootId = 'boot-2'
    const third = await machine.start()
    t.match(await read(third), { seq: 2 }, 'all that the second process told is there')
    await third.broker.close()
    const fourth = await machine.start()
    t.ok(fourth.folder.isComplete)
    t.notOk(fourth.folder.hasFailed)
    await fourth.broker.close()
  })
}

t.test('in mode always the next start syncs what the last process has written and not synced', { skip: withoutProc }, async (t) => {
  const forgetful = new ForgetfulDisk()
  const machine = new Machine(freshFolder(t), { sync: 'always', disk: forgetful.disk })
  const run = await machine.start()
  await publish(run, 1)
  void publish(run, 2)
  run.folder.journal.flush()
  crash(run)
  const second = await machine.start()
  const { epoch, seq } = await read(second)
  t.equal(seq, 2)
  crash(second)
  forgetful.losePower(machine.dir)
  machine.bootId = 'boot-2'
  const third = await machine.start()
  t.match(await read(third, { seq, epoch } as never), { seq: 2, epoch, recovered: true })
  await third.broker.close()
})

t.test('each call that may hide a failure leaves the mark, a full disk does not', async (t) => {
  for (const [call, code] of [['fsyncSync', 'EIO'], ['fdatasyncSync', 'ENOSPC'], ['writeSync', 'EIO'], ['writeSync', 'ENOSPC']] as const) {
    const faulty = new FaultyDisk()
    const machine = new Machine(freshFolder(t), { disk: faulty.disk, ballastBytes: 0 })
    crash(await machine.start())
    faulty.faults.set(call, code)
    // On a full disk a start goes on.
    const outcome = await machine.start().then((run) => run, () => undefined)
    faulty.faults.clear()
    if (outcome) crash(outcome)
    t.equal(existsSync(join(machine.dir, FAILED)), call !== 'writeSync' || code !== 'ENOSPC', `${call} ${code}`)
  }
})

t.test('a disk that takes no mark ends the process all the same', async (t) => {
  const faulty = new FaultyDisk()
  const machine = new Machine(freshFolder(t), { disk: faulty.disk })
  const run = await machine.start()
  for (const call of ['writeSync', 'openSync'] as const) faulty.faults.set(call, 'EIO')
  t.throws(() => publish(run, 1), { name: 'ProcessEnded', message: /EIO/ })
  faulty.faults.clear()
  t.notOk(existsSync(join(machine.dir, FAILED)))
  crash(run)
})

t.test('segments that cannot be written anew stop the start with a sentence, and the mark stays', async (t) => {
  const faulty = new FaultyDisk()
  const machine = new Machine(freshFolder(t), { disk: faulty.disk })
  const run = await machine.start()
  await publish(run, 1)
  crash(run)
  writeFileSync(join(machine.dir, FAILED), '')
  writeFileSync(join(machine.dir, CLEAN), '')
  faulty.space = 10
  await t.rejects(machine.start(), { name: 'JournalError', message: /has no space to write its segments anew/ })
  faulty.space = Infinity
  faulty.faults.set('openSync', 'EIO')
  await t.rejects(machine.start(), { code: 'EIO' })
  faulty.faults.clear()
  // Other content than a moment before, from a disk that has lost it.
  let reads = 0
  const flaky: Disk = {
    ...faulty.disk,
    readFileSync: ((path: string) => {
      const bytes = fs.readFileSync(path)
      if (path.endsWith(segmentName(1)) && ++reads === 1) bytes[bytes.length - 2]! ^= 1
      return bytes
    }) as Disk['readFileSync']
  }
  await t.rejects(machine.start({ disk: flaky }), { name: 'JournalError', message: /is damaged/ })
  t.ok(existsSync(join(machine.dir, FAILED)))
  const next = await machine.start()
  t.match(await read(next), { seq: 1 })
  await next.broker.close()
  t.notOk(readdirSync(machine.dir).some((name) => name.endsWith('.new')))
})

t.test('without space for the new epochs the mark stays, and the next start begins others', async (t) => {
  const faulty = new FaultyDisk()
  const machine = new Machine(freshFolder(t), { disk: faulty.disk })
  const run = await machine.start()
  await publish(run, 1)
  crash(run)
  writeFileSync(join(machine.dir, FAILED), '')
  faulty.space = statSync(join(machine.dir, segmentName(1))).size + 10
  const second = await machine.start({ ballastBytes: 1_000_000 })
  t.notOk(second.broker.ready())
  t.ok(existsSync(join(machine.dir, FAILED)))
  const { epoch } = await read(second)
  crash(second)
  faulty.space = Infinity
  const third = await machine.start()
  t.not((await read(third)).epoch, epoch)
  t.notOk(existsSync(join(machine.dir, FAILED)))
  await third.broker.close()
})
