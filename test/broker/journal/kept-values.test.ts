// Kept values: what other parts of the server keep in the journal is there after a start, with the change that was its cause or not at all.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { RoomChange } from '../../../src/broker/broker.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import { SYSTEM_DISK, type Disk } from '../../../src/broker/journal/disk.js'
import { inspect, type Finding } from '../../../src/broker/journal/inspect.js'
import { HEADER_BYTES, segmentName } from '../../../src/broker/journal/segment-header.js'
import { until } from '../../until.js'
import { STALL } from '../contract.js'
import { FaultyDisk } from './faulty-disk.js'
import { crash, freshFolder, Machine, type Run, type RunOptions } from './fresh.js'

const ENDS: Readonly<Record<string, (run: Run) => Promise<void>>> = {
  'a clean stop': ({ broker }) => broker.close(),
  'the sudden end of the process': async (run) => crash(run)
}

/** Keeps a value with each change. */
const keepAll: RunOptions = { keepWith: ({ roomId, cause, seq, type }: RoomChange) => ({ key: `change/${roomId} ${cause} ${seq}`, value: { type: type ?? null } }) }

const publish = ({ broker }: Run, roomId: string, type: string, key?: string) =>
  broker.publish(roomId, draftEvent({ type, payload: { roomId, note: 'olá' } as never }, { source: 'api', verified: true, timestamp: 5, idempotencyKey: key, ...(key === 'with ttl' && { ttl: 90_000 }) }), true)
const keysOf = ({ folder: { kept } }: Run) => kept.under('change/').map(([key]) => key)
const segmentsOf = ({ dir }: Machine) => readdirSync(dir).filter((name) => name.endsWith('.log'))
const synced = ({ folder }: Run) => new Promise<void>((resolve) => { folder.journal.whenSynced(resolve) })

for (const [name, end] of Object.entries(ENDS)) {
  t.test(`after ${name}`, (t) => {
    t.test('the last value of each key is there, in the order of the first ones', async (t) => {
      const machine = new Machine(freshFolder(t))
      const first = await machine.start()
      const { kept } = first.folder
      for (const key of ['a', 'b', 'c', 'd']) kept.put({ key: `x/${key}`, value: { key, text: 'olá' } })
      kept.put({ key: 'y', value: [1] })
      kept.put({ key: 'x/a', value: { key: 'another' } })
      kept.remove('x/b')
      kept.remove('x/none')
      kept.put({ key: 'x/b', value: { key: 'again' } })
      kept.remove('x/c')
      const expected = [['a', { key: 'another' }], ['d', { key: 'd', text: 'olá' }], ['b', { key: 'again' }]]
      t.strictSame(kept.under('x/'), expected)
      first.folder.journal.flush()
      await end(first)
      const second = await machine.start()
      t.strictSame(second.folder.kept.under('x/'), expected)
      t.strictSame(second.folder.kept.get('y'), [1])
      t.equal(second.folder.kept.get('x/c'), undefined)
      t.equal(second.folder.kept.size, 4)
      second.folder.kept.put({ key: 'x/e', value: {} })
      t.strictSame(second.folder.kept.under('x/').map(([key]) => key), ['a', 'd', 'b', 'e'])
      second.folder.journal.flush()
      await end(second)
      const third = await machine.start()
      t.strictSame(third.folder.kept.under('x/').map(([key]) => key), ['a', 'd', 'b', 'e'])
      await third.broker.close()
    })

    t.test('a value that is kept with a change of a room is there, of each cause that may have one', async (t) => {
      const machine = new Machine(freshFolder(t), keepAll)
      const first = await machine.start()
      await first.broker.createRoom('r', { ttl: 3_600_000, reference: 'order 1' })
      await publish(first, 'open', 'NOTE')
      await publish(first, 'r', 'CLICKED_PAY', 'key é')
      await publish(first, 'r', 'PAYMENT_PENDING', 'with ttl')
      await publish(first, 'r', 'PAYMENT_SUCCESS')
      await first.broker.createRoom('paused')
      await publish(first, 'paused', 'CLICKED_PAY')
      await first.broker.tick()
      machine.time += STALL
      await first.broker.tick()
      await first.broker.closeRoom('r')
      const keys = ['r event 1', 'r event 2', 'r event 3', 'paused event 1', 'paused stalled 1', 'r closed 3']
      t.strictSame(keysOf(first), keys)
      await end(first)
      const second = await machine.start()
      t.strictSame(keysOf(second), keys)
      t.strictSame(second.folder.kept.get('change/r event 2'), { type: 'PAYMENT_PENDING' })
      t.match(second.broker.read('paused', { seq: 0 }), { seq: 1, entries: { length: 1 } }, 'the events are read behind it')
      t.match(await publish(second, 'paused', 'CLICKED_PROCEED', 'key'), { seq: 2, isNew: true })
      t.strictSame(keysOf(second), [...keys, 'paused event 2'])
      await second.broker.close()
    })
    t.end()
  })
}

t.test('an event and the value that is kept with it are both there or none, wherever the write was cut off', async (t) => {
  const written = new Machine(freshFolder(t), keepAll)
  const run = await written.start()
  await publish(run, 'r', 'CLICKED_PAY', 'key')
  await publish(run, 'r', 'CLICKED_PROCEED')
  await run.broker.closeRoom('r')
  crash(run)
  const bytes = readFileSync(join(written.dir, segmentName(1)))
  const seen = new Set<string>()
  for (let length = HEADER_BYTES; length <= bytes.length; length += 7) {
    const machine = new Machine(freshFolder(t), keepAll)
    writeFileSync(join(machine.dir, segmentName(1)), bytes.subarray(0, length))
    const cut = await machine.start()
    const view = cut.broker.read('r')
    const told = view instanceof Object && 'seq' in view ? view.seq : 0
    const expected = 'code' in (view as object) && (view as { code: string }).code === 'ROOM_CLOSED' ? 3 : told
    t.equal(keysOf(cut).length, expected, `after ${length} bytes`)
    seen.add(String(expected))
    crash(cut)
  }
  t.ok(seen.size >= 3, 'cut within each record')
})

t.test('a record with a kept value is inspected like the others', async (t) => {
  const machine = new Machine(freshFolder(t), keepAll)
  const run = await machine.start()
  await publish(run, 'r', 'CLICKED_PAY', 'key')
  run.folder.kept.put({ key: 'x', value: {} })
  await run.broker.close()
  const found: Finding[] = []
  inspect({ dir: machine.dir, onFinding: (finding) => found.push(finding) })
  t.match(found, [{ what: 'room', roomId: 'r' }, { what: 'event', idempotencyKey: 'key', event: { type: 'CLICKED_PAY', payload: { note: 'olá' } } }])
  t.equal(found.length, 2)
})

t.test('a segment goes when its values are written anew, and what was removed does not come back', async (t) => {
  const machine = new Machine(freshFolder(t), { segmentBytes: 2_000, minBytes: 6_000, ...keepAll })
  const run = await machine.start()
  const { kept, segments } = run.folder
  await publish(run, 'r', 'CLICKED_PAY')
  for (let n = 0; n < 250; n++) kept.put({ key: `x/${n}`, value: { n } })
  kept.remove('x/0')
  await publish(run, 'r', 'CLICKED_PROCEED')
  await run.broker.closeRoom('r')
  const busy = () => { for (let n = 0; n < 20; n++) kept.put({ key: 'busy', value: 'x'.repeat(100) }) }
  await until('the first segments are deleted', async () => {
    busy()
    await synced(run)
    await run.broker.tick()
    return segments.oldest > 3
  })
  const expected = Array.from({ length: 249 }, (_, i) => `${i + 1}`)
  const check = ({ folder: { kept } }: Run) => {
    t.strictSame(kept.under('x/').map(([key]) => key), expected)
    t.strictSame(kept.get('x/7'), { n: 7 })
    t.strictSame(kept.under('change/').map(([key]) => key), ['r event 1', 'r event 2', 'r closed 2'])
  }
  check(run)
  crash(run)
  const next = await machine.start()
  check(next)
  for (const [key] of next.folder.kept.under('')) next.folder.kept.remove(key)
  t.equal(next.folder.kept.liveBytes, 0)
  await next.broker.close()
  const last = await machine.start()
  t.equal(last.folder.kept.size, 0)
  machine.time += 3_600_000
  await last.broker.tick()
  t.equal(segmentsOf(machine).length, 1, 'nothing needs the earlier segments')
  await last.broker.close()
})

t.test('on a full disk a known key waits for space, and what is new is still written', async (t) => {
  const faulty = new FaultyDisk()
  const machine = new Machine(freshFolder(t), { disk: faulty.disk, segmentBytes: 3_000, minBytes: 1 })
  const run = await machine.start()
  const { kept, journal, segments } = run.folder
  let saves = 0
  kept.saveAtTick(() => { saves++ })
  kept.put({ key: 'changed', value: 1 })
  kept.put({ key: 'removed', value: 1 })
  kept.put({ key: 'again', value: 1 })
  journal.flush()
  faulty.space = 10
  await run.broker.createRoom('r')
  t.ok(journal.isFull)
  const size = segments.size
  kept.put({ key: 'changed', value: 2 })
  kept.remove('removed')
  kept.remove('again')
  journal.flush()
  t.equal(segments.size, size, 'nothing is written')
  kept.put({ key: 'new', value: 3 })
  kept.put({ key: 'again', value: 4 })
  journal.flush()
  t.ok(segments.size > size)
  await kept.move(segments.number)
  await run.broker.tick()
  t.equal(saves, 0)
  faulty.space = 1_000_000
  await run.broker.tick()
  t.equal(saves, 1)
  crash(run)
  const next = await machine.start()
  t.strictSame(next.folder.kept.under('').sort(), [['again', 4], ['changed', 2], ['new', 3]])
  await next.broker.close()
})

t.test('work of a second is done at the end as well, and nothing is kept after it', async (t) => {
  const machine = new Machine(freshFolder(t))
  const run = await machine.start()
  const { kept } = run.folder
  let ticks = 0
  kept.saveAtTick(() => kept.put({ key: 'ticks', value: ++ticks }))
  kept.saveAtClose(() => kept.put({ key: 'end', value: true }))
  await run.broker.tick()
  t.strictSame(kept.under(''), [['ticks', 1]])
  await run.broker.close()
  kept.put({ key: 'ticks', value: 99 })
  const next = await machine.start()
  t.strictSame(next.folder.kept.under(''), [['ticks', 2], ['end', true]])
  await next.broker.close()
})

t.test('a folder of format 1, before there were kept values, is read', async (t) => {
  const machine = new Machine(freshFolder(t))
  const run = await machine.start()
  await publish(run, 'r', 'CLICKED_PAY')
  await run.broker.close()
  const path = join(machine.dir, segmentName(1))
  const bytes = readFileSync(path)
  bytes.writeUInt16LE(1, 4)
  bytes.writeUInt32LE((await import('node:zlib')).crc32(bytes.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
  writeFileSync(path, bytes)
  const next = await machine.start()
  t.match(next.broker.read('r'), { seq: 1 })
  await next.broker.close()
})

t.test('a segment is there until the value that took the place of its own is on the disk', async (t) => {
  for (const sync of ['none', 'second', 'always'] as const) {
    let held: (() => void) | undefined
    let isHeld = false
    const fdatasync = ((fd: number, done: (error: Error | null) => void) => {
      const call = () => SYSTEM_DISK.fdatasync(fd, done)
      if (isHeld) held = call
      else call()
    }) as Disk['fdatasync']
    const machine = new Machine(freshFolder(t), { sync, disk: { ...SYSTEM_DISK, fdatasync } })
    const first = await machine.start()
    first.folder.kept.put({ key: 'x', value: 1 })
    await first.broker.close()
    const run = await machine.start()
    isHeld = true
    run.folder.kept.put({ key: 'x', value: 2 })
    const ticked = run.broker.tick()
    await until('the sync is called', () => held !== undefined)
    t.equal(segmentsOf(machine)[0], segmentName(1), `${sync}: the only value on the disk`)
    isHeld = false
    held!()
    await ticked
    t.strictSame(segmentsOf(machine), [segmentName(2)])
    await run.broker.close()
  }
})
