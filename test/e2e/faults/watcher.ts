// Device 1 of the load: it watches a room, and after each loss of its socket asks to resume at its position.
import { Device, type Frame } from './device.js'
import type { Asked } from './journal.js'

interface Joined { epoch: string, seq: number, recovered: boolean, replayed: number, state: { outcome?: { transactionId?: string } } }

export class Watcher extends Device {
  epoch: string | undefined
  /** Position of the last event received. */
  seq = 0
  /** Number of answered joins. */
  joins = 0
  #asked: Asked = { seq: 0 }
  #joinedAt = 0

  isAt ({ epoch, seq }: { epoch: string | undefined, seq: number }): boolean { return this.epoch === epoch && this.seq === seq }

  /** Joins the room, at first or again. */
  join (): void {
    this.#asked = { epoch: this.epoch, seq: this.seq }
    this.send({ type: 'JOIN_ROOM', payload: { roomId: this.room, deviceId: this.name, recover: this.#asked } })
  }

  protected opened (): void { this.join() }

  protected heard ({ type, payload, seq, id = '' }: Frame, digest: string): void {
    const { name: by, room } = this
    if (seq !== undefined) {
      this.seq = seq
      const { roomId: inRoom } = payload as { roomId: string }
      this.journal.write({ what: 'seen', by, room, epoch: this.epoch ?? '', seq, id, inRoom, digest, replayed: seq <= this.#joinedAt })
    } else if (type === 'ROOM_JOINED') {
      const { epoch, seq: top, recovered, replayed, state } = payload as Joined
      this.journal.write({ what: 'joined', by, room, epoch, seq: top, asked: this.#asked, recovered, replayed, transactionId: state.outcome?.transactionId })
      this.epoch = epoch
      this.seq = top - replayed
      this.#joinedAt = top
      this.joins++
    } else if (type === 'ERROR') {
      const { code } = payload as { code: string }
      this.journal.write({ what: 'refused', by, room, code })
      this.later(200, () => this.join())
    }
  }
}
