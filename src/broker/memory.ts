// The embedded broker: rooms and their logs in this process's memory. The default, and the model for the contract suite.
import { Failure } from '../errors.js'
import { fold, initialState } from '../payment/state.js'
import type { EventDraft } from '../protocol/codec.js'
import type { PaymentState } from '../protocol/payment-state.js'
import type { Broker, EntryListener, Published, ReadFrom, RoomView } from './broker.js'
import { EventLog } from './event-log.js'

export interface MemoryBrokerOptions {
  /** Events kept in a room. */
  readonly logSize: number
  /** How long a room is kept once nobody is in it, ms. */
  readonly retention: number
  /** ms since the epoch. */
  readonly now: () => number
  /** A name that was never used before, for the epoch of a new log. */
  readonly newEpoch: () => string
  /** Told of each room that begins or ends. */
  readonly onRoom?: (change: 'created' | 'removed', roomId: string) => void
}

interface MemoryRoom {
  readonly log: EventLog
  readonly createdAt: number
  state: PaymentState
  subscribed: boolean
  expiresAt: number
}

export class MemoryBroker implements Broker {
  readonly #rooms = new Map<string, MemoryRoom>()
  readonly #options: MemoryBrokerOptions
  #listener: EntryListener = () => 0

  constructor (options: MemoryBrokerOptions) { this.#options = options }

  /** Rooms that are kept, occupied or not. */
  get size (): number { return this.#rooms.size }

  listen (listener: EntryListener): void { this.#listener = listener }

  async subscribe (roomId: string): Promise<void> {
    this.#open(roomId).subscribed = true
  }

  async unsubscribe (roomId: string): Promise<void> {
    const room = this.#find(roomId)
    if (!room?.subscribed) return
    room.subscribed = false
    room.expiresAt = this.#options.now() + this.#options.retention
  }

  async publish (roomId: string, draft: EventDraft, create: boolean): Promise<Published | Failure> {
    const room = create ? this.#open(roomId) : this.#find(roomId)
    if (!room) return new Failure('ROOM_NOT_FOUND')
    const { log } = room
    if (draft.id !== undefined) {
      const known = log.find(draft.id)
      if (known && known.fingerprint !== draft.fingerprint) return new Failure('ID_CONFLICT')
      if (known) return { epoch: log.epoch, seq: known.seq, duplicate: true, receivers: 0, changed: false }
    }
    const entry = log.append(draft)
    const before = room.state
    room.state = fold(before, draft)
    room.expiresAt = this.#options.now() + this.#options.retention
    const receivers = room.subscribed ? this.#listener(roomId, entry) : 0
    return { epoch: log.epoch, seq: entry.seq, duplicate: false, receivers, changed: room.state !== before }
  }

  async read (roomId: string, from?: ReadFrom): Promise<RoomView | undefined> {
    const room = this.#find(roomId)
    if (!room) return undefined
    const { log, state, createdAt, subscribed } = room
    const expiresAt = subscribed ? this.#options.now() + this.#options.retention : room.expiresAt
    const run = from ? log.readAfter(from) : { recovered: false, entries: [] }
    return { epoch: log.epoch, seq: log.seq, state, createdAt, expiresAt, ...run }
  }

  ready (): boolean { return true }

  async close (): Promise<void> { this.#rooms.clear() }

  /** Removes the rooms whose retention has passed. @returns how many */
  sweep (): number {
    const before = this.#rooms.size
    for (const [roomId, room] of this.#rooms) this.#dropIfExpired(roomId, room)
    return before - this.#rooms.size
  }

  /** An expired room is gone to whoever asks, whether or not the sweep has been there. */
  #find (roomId: string): MemoryRoom | undefined {
    const room = this.#rooms.get(roomId)
    return room && !this.#dropIfExpired(roomId, room) ? room : undefined
  }

  #open (roomId: string): MemoryRoom {
    const found = this.#find(roomId)
    if (found) return found
    const { now, newEpoch, logSize, retention, onRoom } = this.#options
    const createdAt = now()
    const room: MemoryRoom = {
      log: new EventLog(newEpoch(), logSize), createdAt, state: initialState(createdAt), subscribed: false, expiresAt: createdAt + retention
    }
    this.#rooms.set(roomId, room)
    onRoom?.('created', roomId)
    return room
  }

  #dropIfExpired (roomId: string, room: MemoryRoom): boolean {
    if (room.subscribed || room.expiresAt > this.#options.now()) return false
    this.#rooms.delete(roomId)
    this.#options.onRoom?.('removed', roomId)
    return true
  }
}
