// Space of the journal: segments are completed and deleted, and live rooms are written anew, without a change that a client could see.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Published, RoomView } from '../../../src/broker/broker.js'
import { draftEvent, type DraftOptions } from '../../../src/broker/event-draft.js'
import { SYSTEM_DISK, type Disk } from '../../../src/broker/journal/disk.js'
import { payloadOf } from '../../../src/websocket/frame-writer.js'
import { until } from '../../until.js'
import { LOG_SIZE, RETENTION, STALL } from '../contract.js'
import { crash, freshFolder, Machine, type Run } from './fresh.js'

const SMALL = { segmentBytes: 2_000, minBytes: 6_000 }

const draft = (roomId: string, n: number, options: Partial<DraftOptions> = {}) =>
  draftEvent({ type: 'NOTE', payload: { roomId, n, text: 'x'.repeat(100) } as never, id: `id ${n}` }, { source: 'device', timestamp: n, ...options })
const publish = ({ broker }: Run, ...args: Parameters<typeof draft>) => broker.publish(args[0], draft(...args), true) as Published
const segmentsOf = ({ dir }: Machine) => readdirSync(dir).filter((name) => name.endsWith('.log'))
const read = ({ broker }: Run, roomId: string) => broker.read(roomId, { seq: 0 }) as RoomView
/** A view of a room that can be compared. */
const shown = ({ entries, ...rest }: RoomView) => ({ ...rest, texts: entries.map(({ frame }) => payloadOf(frame).toString()) })

/** Publishes and ticks until a number of segments were begun. */
async function roll (run: Run, segments: number): Promise<void> {
  const end = run.folder.segments.number + segments
  for (let n = 0; run.folder.segments.number < end; n++) {
    publish(run, `passing ${run.folder.segments.number} ${n}`, n)
    await run.broker.closeRoom(`passing ${run.folder.segments.number} ${n}`)
    await turn()
    if (n % 10 === 9) await new Promise<void>((resolve) => { run.folder.journal.whenSynced(resolve) })
  }
}

t.test('segments of ended rooms are deleted once their ids are forgotten', async (t) => {
  const machine = new Machine(freshFolder(t), { segmentBytes: 2_000 })
  const run = await machine.start()
  await roll(run, 5)
  await run.broker.tick()
  t.equal(segmentsOf(machine).length, 6, 'closed rooms are remembered')
  machine.time += RETENTION
  await run.broker.tick()
  t.strictSame(segmentsOf(machine), ['000000000006.log'])
  await run.broker.close()
  const next = await machine.start()
  await next.broker.tick()
  t.strictSame(segmentsOf(machine), ['000000000007.log'])
  await next.broker.close()
})

for (const isDormant of [false, true]) {
  t.test(`live rooms of the oldest segment are written anew, ${isDormant ? 'also those that nobody has used since the start' : 'and stay as they are'}`, async (t) => {
    const machine = new Machine(freshFolder(t), SMALL)
    let run = await machine.start()
    await run.broker.createRoom('kept', { ttl: 3_600_000, amount: 5, currency: 'BRL', reference: 'order 1', webhookUrl: 'https://shop.example/hook' })
    await run.broker.createRoom('expired', { ttl: 1 })
    await run.broker.createRoom('closed')
    await run.broker.createRoom('empty')
    await run.broker.closeRoom('closed')
    for (let n = 1; n <= LOG_SIZE + 2; n++) publish(run, 'kept', n, n === 5 ? { source: 'api', verified: true, idempotencyKey: 'key' } : {})
    run.broker.publish('kept', draftEvent({ type: 'PAYMENT_SUCCESS', payload: { roomId: 'kept', amount: 5, currency: 'BRL', transactionId: 't' } }, { source: 'api', verified: true, timestamp: 20 }), false)
    machine.time += 2
    await run.broker.tick()
    machine.time += STALL
    await run.broker.tick()
    const rooms = ['kept', 'expired', 'empty']
    const before = rooms.map((roomId) => shown(read(run, roomId)))
    await roll(run, 8)
    if (isDormant) {
      crash(run)
      run = await machine.start()
    }
    await until('the first segment is deleted', async () => {
      await run.broker.tick()
      return segmentsOf(machine)[0] !== '000000000001.log'
    })
    t.strictSame(rooms.map((roomId) => ({ ...shown(read(run, roomId)), expiresAt: 0 })), before.map((view) => ({ ...view, expiresAt: 0 })))
    crash(run)
    const next = await machine.start()
    t.strictSame(rooms.map((roomId) => ({ ...shown(read(next, roomId)), expiresAt: 0 })), before.map((view) => ({ ...view, expiresAt: 0 })))
    t.match(publish(next, 'kept', 5, { source: 'api', verified: true, idempotencyKey: 'key' }), { isNew: false, seq: 5 })
    t.match(publish(next, 'kept', 7), { duplicate: true, seq: 7 })
    t.equal(await next.broker.roomNamed('order 1'), 'kept')
    t.match(next.broker.read('closed'), { code: 'ROOM_CLOSED' })
    t.match(await next.broker.listRooms({ limit: 10 }), { rooms: [{ roomId: 'kept' }, { roomId: 'expired' }, { roomId: 'empty' }] }, 'the order of the listing')
    t.match(publish(next, 'kept', 99), { seq: LOG_SIZE + 4 })
    const urls: unknown[] = []
    next.broker.listen({
      ...{ entry: () => {}, closed: () => {}, lost: () => {}, remoteMembers: () => {}, stalled: () => {} },
      changed: ({ webhookUrl }) => { urls.push(webhookUrl) },
      advanced: () => t.fail('the milestone was reached before')
    })
    next.broker.publish('kept', draftEvent({ type: 'PAYMENT_REFUNDED', payload: { roomId: 'kept', amount: 5, currency: 'BRL' } }, { source: 'api', verified: true, timestamp: 30 }), false)
    t.strictSame(urls, ['https://shop.example/hook'])
    await next.broker.close()
  })
}

t.test('a journal of live rooms alone is not written anew', async (t) => {
  const machine = new Machine(freshFolder(t), SMALL)
  const run = await machine.start()
  for (let n = 0; run.folder.segments.number < 8; n++) {
    publish(run, `r${n}`, 1)
    await new Promise<void>((resolve) => { run.folder.journal.whenSynced(resolve) })
  }
  await run.broker.tick()
  t.equal(segmentsOf(machine).length, 8)
  await run.broker.close()
})

t.test('segments of many starts are joined', async (t) => {
  const machine = new Machine(freshFolder(t), { minSegments: 4 })
  for (let n = 1; n <= 8; n++) {
    const run = await machine.start()
    publish(run, `r${n}`, 1)
    crash(run)
  }
  const run = await machine.start()
  t.equal(segmentsOf(machine).length, 9)
  for (let n = 1; n <= 8; n++) await run.broker.tick()
  t.equal(segmentsOf(machine).length, 4)
  t.match(await run.broker.listRooms({ limit: 10 }), { rooms: { length: 8 } })
  await run.broker.close()
})

t.test('a large number of rooms is written anew in several turns', async (t) => {
  const machine = new Machine(freshFolder(t), { segmentBytes: 400_000, minBytes: 1 })
  const run = await machine.start()
  for (let n = 0; n < 1_500; n++) await run.broker.createRoom(`r${n}`)
  for (let n = 0; n < 3_000; n++) publish(run, 'busy', n)
  await until('the first segment is deleted', async () => {
    publish(run, 'busy', 1)
    await run.broker.tick()
    return segmentsOf(machine)[0] !== '000000000001.log'
  })
  t.match(await run.broker.listRooms({ limit: 2_000 }), { rooms: { length: 1_501 } })
  crash(run)
  const next = await machine.start()
  t.match(await next.broker.listRooms({ limit: 2_000 }), { rooms: { length: 1_501 } })
  await next.broker.close()
})

t.test('records of any length, in more segments than are open at a time', async (t) => {
  const machine = new Machine(freshFolder(t))
  const text = 'é'.repeat(20_000)
  for (let n = 1; n <= 20; n++) {
    const run = await machine.start()
    run.broker.publish(`r${n}`, draftEvent({ type: 'NOTE', payload: { roomId: `r${n}`, text } as never }, { source: 'device', timestamp: n + 1 }), true)
    crash(run)
  }
  const run = await machine.start()
  for (let n = 1; n <= 20; n++) t.equal(JSON.parse(payloadOf(read(run, `r${n}`).entries[0]!.frame).toString()).payload.text, text)
  await run.broker.close()
})

t.test('more than a megabyte in one round is written before the round ends', async (t) => {
  const machine = new Machine(freshFolder(t), { isHeld: () => true })
  const run = await machine.start()
  const before = run.folder.segments.size
  for (let n = 0; n < 400; n++) run.broker.publish('r', draftEvent({ type: 'NOTE', payload: { roomId: 'r', text: 'x'.repeat(16_000) } as never }, { source: 'device', timestamp: n + 1 }), true)
  t.ok(run.folder.segments.size - before > 5_000_000)
  run.broker.publish('r', draftEvent({ type: 'NOTE', payload: { roomId: 'r', text: 'x'.repeat(6_000_000) } as never }, { source: 'device', timestamp: 1 }), true)
  await turn()
  crash(run)
  const next = await machine.start()
  t.match(next.broker.read('r'), { seq: 401 })
  await next.broker.close()
})

t.test('a record that is damaged after the start is not served', async (t) => {
  const machine = new Machine(freshFolder(t))
  const first = await machine.start()
  publish(first, 'r', 1)
  crash(first)
  const run = await machine.start()
  const path = join(machine.dir, '000000000001.log')
  const bytes = readFileSync(path)
  bytes[bytes.length - 3]! ^= 1
  writeFileSync(path, bytes)
  t.throws(() => run.broker.read('r'), { name: 'ProcessEnded', message: /is damaged/ })
  writeFileSync(path, bytes.subarray(0, bytes.length - 200))
  t.throws(() => run.broker.read('r'), { name: 'ProcessEnded' })
  crash(run)
})

t.test('a record that comes at the end of a segment is synced with it, and not behind it', async (t) => {
  let more: (() => void) | undefined
  let syncs = 0
  // A sync that waits for its thread, and is called with a file that is closed meanwhile if that is possible.
  const fdatasync = ((fd: number, done: (error: Error | null) => void) => {
    syncs++
    setTimeout(() => SYSTEM_DISK.fdatasync(fd, (error) => {
      more?.()
      done(error)
    }), 20)
  }) as Disk['fdatasync']
  const errors: unknown[] = []
  const machine = new Machine(freshFolder(t), { sync: 'none', segmentBytes: 2_000, isHeld: () => true, disk: { ...SYSTEM_DISK, fdatasync }, onFatal: (error) => errors.push(error) as never })
  const run = await machine.start()
  for (let n = 0; n < 20; n++) publish(run, 'r', n)
  more = () => {
    more = undefined
    publish(run, 'r', 99)
  }
  await until('the next segment has begun', () => run.folder.segments.number === 2)
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.strictSame(errors, [])
  t.equal(syncs, 1)
  await run.broker.close()
  const next = await machine.start()
  t.equal(read(next, 'r').seq, 21)
  await next.broker.close()
})

t.test('a journal that is closed syncs what comes meanwhile', async (t) => {
  const errors: unknown[] = []
  let isClosing = false
  let late = 0
  const fdatasync = ((fd: number, done: (error: Error | null) => void) => SYSTEM_DISK.fdatasync(fd, (error) => {
    if (isClosing && late++ < 3) void publish(run, 'r', 100 + late)
    setTimeout(() => done(error), 5)
  })) as Disk['fdatasync']
  const machine = new Machine(freshFolder(t), { sync: 'always', disk: { ...SYSTEM_DISK, fdatasync }, onFatal: (error) => errors.push(error) as never })
  const run = await machine.start()
  await publish(run, 'r', 1)
  isClosing = true
  void publish(run, 'r', 2)
  await run.broker.close()
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.strictSame(errors, [])
  isClosing = false
  const next = await machine.start()
  t.equal(read(next, 'r').seq, 2 + 3)
  await next.broker.close()
})
