// Backup of a journal: whole while its server writes, checked, and never taken for the original.
import fs, { copyFileSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { RoomView } from '../../../src/broker/broker.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import { backUp } from '../../../src/broker/journal/backup.js'
import { SYSTEM_DISK, type Disk } from '../../../src/broker/journal/disk.js'
import { segmentName } from '../../../src/broker/journal/segment-header.js'
import { crash, freshFolder, Machine, type Run } from './fresh.js'

const publish = ({ broker }: Run, n: number) => broker.publish('r', draftEvent({ type: 'NOTE', payload: { roomId: 'r', n } as never }, { source: 'device', timestamp: n + 1 }), true)

t.test('a backup of a running server has all that was acknowledged, and begins new epochs', async (t) => {
  const machine = new Machine(freshFolder(t))
  crash(await machine.start())
  const run = await machine.start()
  for (let n = 0; n < 3; n++) await publish(run, n)
  const to = join(machine.dir, 'backup')
  const { segments, bytes } = backUp({ from: machine.dir, to })
  t.equal(segments, 2)
  t.equal(bytes, run.folder.segments.bytes)
  t.equal(statSync(join(to, segmentName(2))).mode & 0o777, 0o600)
  await publish(run, 3)
  const { epoch } = run.broker.read('r') as RoomView
  await run.broker.close()

  // Restored over the original: its files may get the numbers of the deleted ones.
  for (const name of readdirSync(machine.dir).filter((name) => name !== 'backup')) fs.unlinkSync(join(machine.dir, name))
  for (const name of readdirSync(to)) copyFileSync(join(to, name), join(machine.dir, name))
  const restored = await machine.start()
  t.equal(restored.folder.isComplete, false)
  const view = restored.broker.read('r', { epoch, seq: 4 }) as RoomView
  t.match(view, { seq: 3, recovered: false })
  t.not(view.epoch, epoch)
  await restored.broker.close()
})

t.test('the last record of a running server may be half written', async (t) => {
  const machine = new Machine(freshFolder(t))
  const run = await machine.start()
  await publish(run, 0)
  const path = join(machine.dir, segmentName(1))
  fs.appendFileSync(path, Buffer.from([9, 9, 9]))
  fs.writeFileSync(join(machine.dir, segmentName(2)), Buffer.alloc(10))
  const to = join(machine.dir, 'backup')
  t.throws(() => backUp({ from: machine.dir, to }), { name: 'JournalError', message: /is damaged at byte/ }, 'but not one in the middle')
  t.strictSame(readdirSync(to), [])
  fs.unlinkSync(join(machine.dir, segmentName(2)))
  t.equal(backUp({ from: machine.dir, to }).bytes, statSync(path).size - 3)
  fs.writeFileSync(join(machine.dir, segmentName(2)), Buffer.alloc(10))
  fs.truncateSync(path, statSync(path).size - 3)
  t.equal(backUp({ from: machine.dir, to: join(machine.dir, 'second') }).bytes, statSync(path).size, 'a segment without a header has no record')
  crash(run)
})

t.test('segments that the server deletes meanwhile', async (t) => {
  const machine = new Machine(freshFolder(t))
  crash(await machine.start())
  crash(await machine.start())
  const deleting = (times: number): Disk => ({
    ...SYSTEM_DISK,
    readFileSync: ((path: string) => {
      if (times-- > 0) throw Object.assign(new Error('gone'), { code: 'ENOENT' })
      return readFileSync(path)
    }) as unknown as Disk['readFileSync']
  })
  const to = join(machine.dir, 'backup')
  t.throws(() => backUp({ from: machine.dir, to, disk: deleting(100) }), { code: 'ENOENT' })
  t.match(backUp({ from: machine.dir, to, disk: deleting(2) }), { segments: 2 })
})

t.test('a backup overwrites nothing, and there must be a journal', async (t) => {
  const dir = freshFolder(t)
  writeFileSync(join(dir, 'mine'), '')
  t.throws(() => backUp({ from: dir, to: dir }), { name: 'JournalError', message: /is not empty/ })
  mkdirSync(join(dir, 'to'))
  t.throws(() => backUp({ from: dir, to: join(dir, 'to') }), { name: 'JournalError', message: /has no journal/ })
})
