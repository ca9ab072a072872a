// Delivery: passes what the broker reports about a room to the members on this node.
import type { CloseCause, LogEntry, Stall } from '../broker/broker.js'
import { CLOSE } from '../errors.js'
import { encodeFrame } from '../protocol/encode.js'
import type { PaymentStalled, RoomClosed } from '../protocol/server-frames.js'
import type { Log } from './log.js'
import type { Memberships } from './memberships.js'
import type { LocalRoom } from './room.js'

/** Maximum number of live entries buffered for one joining member. */
export const MAX_PENDING = 1000

export interface DeliveryOptions {
  readonly memberships: Memberships
  readonly log: Log
  /** ms since the epoch. */
  readonly now: () => number
}

export class Delivery {
  readonly #options: DeliveryOptions
  readonly #rooms: ReadonlyMap<string, LocalRoom>

  constructor (options: DeliveryOptions) {
    this.#options = options
    this.#rooms = options.memberships.rooms
  }

  /** Sends an entry to every member but its sender. A joining member gets it after its replay. */
  entry (roomId: string, entry: LogEntry): void {
    for (const { subscriber, buffered, deliveredSeq } of this.#rooms.get(roomId)?.members ?? []) {
      if (subscriber.clientId === entry.origin || entry.seq <= deliveredSeq) continue
      if (!buffered) subscriber.send(entry)
      else if (buffered.length < MAX_PENDING) buffered.push(entry)
      // The buffer is full, and lost entries must be reported: the client joins again with `recover`.
      else subscriber.close(CLOSE.POSITION_LOST)
    }
  }

  /** Closes all members of a room whose entries may be incomplete, so that the clients join again and catch up. */
  lost (roomId: string): void {
    const { log } = this.#options
    const members = this.#rooms.get(roomId)?.members ?? []
    if (members.length > 0) log.warn({ roomId, clients: members.length }, 'log position lost, clients must join again')
    for (const { subscriber } of members) subscriber.close(CLOSE.POSITION_LOST)
  }

  /** Sends `PAYMENT_STALLED` to the shop's members that asked for it. */
  stalled (roomId: string, { seq, step, lastEventAt }: Stall): void {
    const news: PaymentStalled = { roomId, seq, step, lastEventAt, timestamp: this.#options.now() }
    let frame: string | undefined
    for (const { stalls, role, subscriber } of this.#rooms.get(roomId)?.members ?? []) {
      if (stalls && role === 'device1') subscriber.sendControl(frame ??= encodeFrame('PAYMENT_STALLED', news))
    }
  }

  /** Removes the room and sends `ROOM_CLOSED` to its members. */
  closed (roomId: string, reason: CloseCause): void {
    const { memberships, now } = this.#options
    const closed: RoomClosed = { roomId, reason, timestamp: now() }
    const frame = encodeFrame('ROOM_CLOSED', closed)
    for (const { subscriber } of memberships.end(roomId)) subscriber.sendControl(frame)
  }
}
