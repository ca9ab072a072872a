// Loss of power, simulated: of what was not synced, any part may be missing. Nothing acknowledged is lost in mode `always`, and no mode recovers falsely.
import fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Published, RoomView } from '../../../src/broker/broker.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import { SYSTEM_DISK, type Disk } from '../../../src/broker/journal/disk.js'
import { DATA_SYNCS } from '../../../src/broker/journal/data-sync.js'
import { payloadOf } from '../../../src/websocket/frame-writer.js'
import { seeded } from '../../seeded.js'
import { crash, freshFolder, Machine } from './fresh.js'

/** Disk that knows which bytes of each file were synced. */
class VolatileDisk {
  /** Sizes on the disk by path. */
  readonly #synced = new Map<string, number>()
  readonly #paths = new Map<number, string>()

  readonly disk: Disk = {
    ...SYSTEM_DISK,
    openSync: (path, flags, mode) => {
      const fd = fs.openSync(path, flags, mode)
      this.#paths.set(fd, String(path))
      return fd
    },
    fdatasyncSync: (fd) => {
      fs.fdatasyncSync(fd)
      this.#synced.set(this.#paths.get(fd)!, fs.fstatSync(fd).size)
    },
    fdatasync: ((fd: number, done: (error: Error | null) => void) => {
      // What is written during the sync may or may not be part of it: here it is not.
      const { size } = fs.fstatSync(fd)
      const path = this.#paths.get(fd)!
      fs.fdatasync(fd, (error) => {
        this.#synced.set(path, size)
        done(error)
      })
    }) as Disk['fdatasync']
  }

  /** Loses a random part of what was not synced: its end, and a page in the middle. */
  lose (dir: string, random: () => number): void {
    for (const name of fs.readdirSync(dir).filter((name) => name.endsWith('.log'))) {
      const path = join(dir, name)
      const synced = this.#synced.get(path) ?? 0
      const bytes = fs.readFileSync(path)
      const kept = synced + Math.floor(random() * (bytes.length - synced + 1))
      const hole = synced + Math.floor(random() * (kept - synced))
      if (random() < 0.5) bytes.fill(0, hole, Math.min(kept, hole + 512))
      fs.writeFileSync(path, bytes)
      fs.truncateSync(path, kept)
    }
  }
}

for (const sync of DATA_SYNCS) {
  t.test(`DATA_SYNC=${sync}: after a loss of power every client is told the truth`, async (t) => {
    let kept = 0
    let missing = 0
    for (let seed = 1; seed <= 8; seed++) {
      const random = seeded(seed)
      const volatile = new VolatileDisk()
      const machine = new Machine(freshFolder(t), { sync, disk: volatile.disk, segmentBytes: 3_000, stall: undefined })
      /** Acknowledged events: room, epoch, seq and text. */
      const acknowledged: Array<Published & { roomId: string, n: number }> = []
      for (let boot = 1; boot <= 3; boot++) {
        machine.bootId = `boot-${boot}`
        const run = await machine.start()
        for (let n = 0; n < 40; n++) {
          const roomId = `r${Math.floor(random() * 4)}`
          const draft = draftEvent({ type: 'NOTE', payload: { roomId, n: n + boot * 1_000 } as never }, { source: 'device', timestamp: 1 + n })
          const published = Promise.resolve(run.broker.publish(roomId, draft, true)).then((answer) => {
            acknowledged.push({ ...answer as Published, roomId, n: n + boot * 1_000 })
          })
          if (random() < 0.3) await published
          if (random() < 0.1) await run.broker.tick()
        }
        crash(run)
        volatile.lose(machine.dir, random)
      }
      machine.bootId = 'boot-4'
      const run = await machine.start()
      for (const { roomId, epoch, seq, n } of acknowledged) {
        const view = await run.broker.read(roomId, { epoch, seq: seq - 1 })
        if ('code' in view || view.epoch !== epoch) {
          missing++
          if (!('code' in view)) t.equal((view as RoomView).recovered, false)
          continue
        }
        kept++
        const entry = (view as RoomView).entries.find((entry) => entry.seq === seq)
        if (entry) t.equal(JSON.parse(payloadOf(entry.frame).toString()).payload.n, n, `${roomId} ${epoch} ${seq}`)
        else t.ok((view as RoomView).seq >= seq, 'trimmed')
      }
      crash(run)
    }
    if (sync === 'always') t.equal(missing, 0)
    else t.equal(kept, 0, 'all rooms have new epochs')
    t.ok(kept + missing > 200)
  })
}
