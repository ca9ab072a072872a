// Trouble with the disk: a full one refuses changes and heals, a failed write or sync ends the process before anyone learns of the event.
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { DISK_FULL } from '../../../src/broker/journal/journal-broker.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import type { RoomView } from '../../../src/broker/broker.js'
import { until } from '../../until.js'
import { RETENTION } from '../contract.js'
import { FaultyDisk } from './faulty-disk.js'
import { crash, freshFolder, Machine, type Run } from './fresh.js'

const BALLAST = 4_096

/** Error in place of the end of the process. */
const PROCESS_ENDED = { name: 'ProcessEnded' }

const event = (roomId: string, n: number) => draftEvent({ type: 'CLICKED_PAY', payload: { roomId, n } }, { source: 'device', timestamp: n })

async function fill (run: Run, faulty: FaultyDisk): Promise<number> {
  for (let n = 1; ; n++) {
    const published = await run.broker.publish('r', event('r', n), true)
    if ('code' in published) return n - 1
    if (n === 3) faulty.space = 300
  }
}

t.test('a full disk', (t) => {
  t.test('takes what was accepted, refuses everything else with UNAVAILABLE, and heals by itself', async (t) => {
    const faulty = new FaultyDisk()
    const changes: string[] = []
    const machine = new Machine(freshFolder(t), { disk: faulty.disk, onSpace: (change) => { changes.push(change) } })
    const run = await machine.start()
    const { broker } = run
    await broker.createRoom('due', { ttl: 1_000 })
    const accepted = await fill(run, faulty)
    t.strictSame(changes, ['full'])
    t.equal(broker.ready(), false)
    t.equal(broker.unreadyReason(), DISK_FULL)
    for (const refused of [
      broker.publish('r', event('r', 99), true), broker.createRoom('new'), broker.subscribe('new'), broker.closeRoom('r')
    ]) t.match(await refused, { code: 'UNAVAILABLE' })
    t.equal(await broker.subscribe('r'), undefined, 'what is there can be joined and read')
    t.match(broker.read('r'), { seq: accepted })
    machine.time += 2_000
    await broker.tick()
    t.match(broker.read('due'), { state: { status: 'pending' } }, 'no room expires: that could not be recorded')
    t.equal(broker.ready(), false)

    faulty.space = 1_000_000
    await broker.tick()
    t.strictSame(changes, ['full', 'free'])
    t.equal(broker.ready(), true)
    t.equal(broker.unreadyReason(), undefined)
    t.match(broker.read('due'), { state: { status: 'expired' } })
    t.match(await broker.publish('r', event('r', 100), true), { seq: accepted + 1 })
    crash(run)
    const next = await machine.start()
    t.match(next.broker.read('r'), { seq: accepted + 1 }, 'all that was accepted is there')
    await next.broker.close()
  })

  t.test('stays full where nothing is freed, also over a start', async (t) => {
    const faulty = new FaultyDisk()
    const machine = new Machine(freshFolder(t), { disk: faulty.disk })
    const run = await machine.start()
    const accepted = await fill(run, faulty)
    crash(run)
    faulty.space = 0
    const changes: string[] = []
    const second = await machine.start({ onSpace: (change) => { changes.push(change) } })
    t.strictSame(changes, ['full'])
    t.match(second.broker.read('r'), { seq: accepted }, 'rooms are served')
    t.match(await second.broker.publish('r', event('r', 0), true), { code: 'UNAVAILABLE' })
    await second.broker.tick()
    t.equal(second.broker.ready(), false)
    second.broker.nameRoom('order', 'r')
    faulty.space = 1_000_000
    await second.broker.tick()
    t.equal(second.broker.ready(), true)
    t.match(await second.broker.publish('r', event('r', 1), true), { seq: accepted + 1 })
    crash(second)
    const third = await machine.start()
    t.match(third.broker.read('r'), { seq: accepted + 1 })
    t.equal(third.broker.roomNamed('order'), 'r')
    await third.broker.close()
  })

  t.test('a start without space for a segment can be stopped', async (t) => {
    const faulty = new FaultyDisk()
    const machine = new Machine(freshFolder(t), { disk: faulty.disk })
    crash(await machine.start())
    faulty.space = 0
    machine.bootId = 'boot-2'
    const { broker, folder } = await machine.start({ ballastBytes: BALLAST * 2 })
    t.equal(folder.isComplete, false)
    await broker.close()
  })

  t.test('the ballast is taken for the next segment, too', async (t) => {
    const faulty = new FaultyDisk()
    const machine = new Machine(freshFolder(t), { disk: faulty.disk, segmentBytes: 1_000 })
    const run = await machine.start()
    for (let n = 1; run.folder.segments.size < 1_000; n++) await run.broker.publish('r', event('r', n), true)
    faulty.space = 10
    await until('the next segment has no space', () => !run.broker.ready())
    t.equal(run.folder.segments.number, 1)
    await run.broker.tick()
    t.ok(run.broker.ready(), 'the space of the ballast is free again, and it is laid')
    faulty.space = 1_000_000
    await run.broker.publish('r', event('r', 0), true)
    await until('there is a next segment', () => run.folder.segments.number === 2)
    await run.broker.close()
  })
  t.end()
})

t.test('a kernel that takes a part of a write gets the rest', async (t) => {
  const faulty = new FaultyDisk()
  faulty.chunk = 7
  const machine = new Machine(freshFolder(t), { disk: faulty.disk })
  const run = await machine.start()
  for (let n = 1; n <= 3; n++) await run.broker.publish('r', event('r', n), true)
  crash(run)
  const next = await machine.start()
  t.match(next.broker.read('r'), { seq: 3 })
  await next.broker.close()
})

t.test('a failed write ends the process before the event is told', async (t) => {
  for (const code of ['EIO', 'EROFS']) {
    const faulty = new FaultyDisk()
    const run = await new Machine(freshFolder(t), { disk: faulty.disk }).start()
    run.broker.publish('r', event('r', 1), true)
    faulty.faults.set('writeSync', code)
    t.throws(() => run.broker.publish('r', event('r', 2), true), PROCESS_ENDED)
    faulty.faults.clear()
    crash(run)
  }
})

t.test('a full disk without ballast ends the process', async (t) => {
  const faulty = new FaultyDisk()
  const run = await new Machine(freshFolder(t), { disk: faulty.disk, ballastBytes: 0 }).start()
  faulty.space = 10
  t.throws(() => run.broker.publish('r', event('r', 1), true), PROCESS_ENDED)
  crash(run)
})

t.test('a failed sync ends the process and is not repeated', async (t) => {
  let ended = 0
  for (const sync of ['second', 'always'] as const) {
    const faulty = new FaultyDisk()
    const run = await new Machine(freshFolder(t), {
      disk: faulty.disk,
      sync,
      onFatal: () => {
        ended++
        return undefined as never
      }
    }).start()
    faulty.faults.set('fdatasync', 'EIO')
    let isTold = false
    const published = Promise.resolve(run.broker.publish('r', event('r', 1), true)).then(() => { isTold = true })
    await run.broker.tick().catch(() => {})
    await until('the process is ended', () => ended > 0)
    if (sync === 'always') t.equal(isTold, false)
    void published
    ended = 0
    await turn()
    crash(run)
  }
})

t.test('trouble with the next segment, the ballast or the clean stop ends the process', async (t) => {
  for (const call of ['openSync', 'statSync', 'fdatasyncSync'] as const) {
    const faulty = new FaultyDisk()
    const machine = new Machine(freshFolder(t), { disk: faulty.disk })
    const run = await machine.start()
    run.broker.publish('r', event('r', 1), true)
    faulty.space = 0
    run.broker.publish('r', event('r', 2), true)
    faulty.space = 1_000_000
    faulty.faults.set(call, 'EIO')
    await t.rejects(call === 'fdatasyncSync' ? run.broker.close() : run.broker.tick(), PROCESS_ENDED, call)
    faulty.faults.clear()
    crash(run)
  }
})

t.test('a closed journal takes nothing more', async (t) => {
  const machine = new Machine(freshFolder(t))
  const { broker } = await machine.start()
  await broker.publish('r', event('r', 1), true)
  await broker.close()
  t.match(await broker.publish('r', event('r', 2), true), { code: 'UNAVAILABLE' })
  machine.time += RETENTION / 2
  const next = await machine.start()
  t.match(next.broker.read('r') as RoomView, { seq: 1 })
  await next.broker.close()
})
