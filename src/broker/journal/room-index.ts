// Index of a journal: which rooms live, and where their records are. A start reads no event further than its head.
import { sizeOf, type KeptValue } from './kept-values.js'
import { HEAD_BYTES, KIND, readEventHead, readJsonRecord, readKeptOfEvent, readSnapshot, type EndedRecord, type EpochsRecord, type KeptRecord, type NameRecord, type RoomRecord, type StalledRecord } from './records.js'
import type { ClosedRoom } from './room-journal.js'
import { JournalError } from './segment-header.js'
import { placeOf, type Place } from './segments.js'

/** Room of a journal. */
export interface IndexedRoom {
  readonly record: RoomRecord
  epoch: string
  /** Deadline of the payment link, ms since the epoch. */
  deadline: number | undefined
  /** True once PAYMENT_EXPIRED is in the log. */
  hasExpired: boolean
  /** True if the pause after the last event is reported. */
  hasStalled: boolean
  readonly names: string[]
  /** Number of the last event. */
  seq: number
  /** Segment of the first record, and the bytes of all records. */
  readonly segment: number
  bytes: number
  /** Places of the snapshot and the events, in order. */
  readonly places: Place[]
}

export class RoomIndex {
  /** Live rooms by number, in the order of their first records. */
  readonly rooms = new Map<number, IndexedRoom>()
  /** Closed rooms by id. */
  readonly closed = new Map<string, ClosedRoom>()
  /** Kept values by key. */
  readonly kept = new Map<string, KeptValue>()
  /** Highest number of a room, and of a kept value. */
  count = 0
  keptCount = 0
  events = 0

  /** Takes the next record. @throws {JournalError} if it does not follow from those before it */
  add (kind: number, bytes: Buffer, start: number, end: number, segment: number): void {
    // Nearly all records are events, and a view of each would be half the garbage of a start.
    if (kind === KIND.event) return this.#addEvent(bytes, start, end, segment)
    const body = bytes.subarray(start, end)
    switch (kind) {
      case KIND.room: return this.#begin(readJsonRecord(body), segment, end - start)
      case KIND.snapshot: return this.#addSnapshot(body, placeOf(segment, start - HEAD_BYTES), segment)
      case KIND.name: return this.#addName(readJsonRecord(body), end - start)
      case KIND.stalled: return this.#addStall(readJsonRecord(body), end - start, segment)
      case KIND.kept: return this.#keep(readJsonRecord(body), segment)
      case KIND.ended: return this.#end(readJsonRecord(body), segment)
      case KIND.epochs: return this.renewEpochs(readJsonRecord(body))
      case KIND.synced: return
      default: throw new JournalError(`segment ${segment} has a record of kind ${kind}, which this version does not know`)
    }
  }

  /** Gives every room a new epoch. */
  renewEpochs ({ prefix }: EpochsRecord): void {
    for (const [number, room] of this.rooms) room.epoch = `${prefix}-${number.toString(36)}`
  }

  /** Takes the value that a record has. @param kept undefined if it has none */
  #keep (kept: KeptRecord | undefined, segment: number): void {
    if (!kept) return
    const { key, number, value } = kept
    this.keptCount = Math.max(this.keptCount, number)
    if (value === null) this.kept.delete(key)
    else this.kept.set(key, { number, value, segment, bytes: sizeOf(kept) })
  }

  #begin (record: RoomRecord, segment: number, bytes: number): void {
    const { number, roomId, epoch, deadline } = record
    this.closed.delete(roomId)
    this.count = Math.max(this.count, number)
    this.rooms.set(number, { record, epoch, deadline, hasExpired: false, hasStalled: false, names: [], seq: 0, segment, bytes, places: [] })
  }

  #addEvent (bytes: Buffer, start: number, end: number, segment: number): void {
    this.#keep(readKeptOfEvent(bytes, start), segment)
    const { number, seq, expires, deadline } = readEventHead(bytes, start)
    const room = this.rooms.get(number)
    // Without a room its first records are deleted: it has ended, or a snapshot follows.
    if (!room) return
    if (seq !== room.seq + 1) throw new JournalError(`segment ${segment} has event ${seq} of room ${room.record.roomId} where ${room.seq + 1} should be`)
    room.seq = seq
    room.hasStalled = false
    if (deadline !== undefined) {
      room.deadline = deadline
      room.hasExpired = false
    }
    if (expires) room.hasExpired = true
    room.bytes += end - start
    room.places.push(placeOf(segment, start - HEAD_BYTES))
    this.events++
  }

  #addSnapshot (body: Buffer, place: Place, segment: number): void {
    const { snapshot, frames } = readSnapshot(body)
    const { number, roomId, epoch, createdAt, deadline, webhookUrl, hasExpired, hasStalled, names, before } = snapshot
    this.events += frames.length - (this.rooms.get(number)?.places.length ?? 0)
    this.closed.delete(roomId)
    this.count = Math.max(this.count, number)
    this.rooms.set(number, {
      record: { number, roomId, epoch, createdAt, webhookUrl },
      epoch,
      deadline,
      hasExpired,
      hasStalled,
      names: [...names],
      seq: before + frames.length,
      segment,
      bytes: body.length,
      places: [place]
    })
  }

  #addName ({ number, name }: NameRecord, bytes: number): void {
    const room = this.rooms.get(number)
    if (!room) return
    room.names.push(name)
    room.bytes += bytes
  }

  #addStall ({ number, kept }: StalledRecord, bytes: number, segment: number): void {
    this.#keep(kept, segment)
    const room = this.rooms.get(number)
    if (!room) return
    room.hasStalled = true
    room.bytes += bytes
  }

  #end ({ number, roomId, until, kept }: EndedRecord, segment: number): void {
    this.#keep(kept, segment)
    this.rooms.delete(number)
    this.closed.delete(roomId)
    this.count = Math.max(this.count, number)
    if (until > 0) this.closed.set(roomId, { number, until, segment })
  }
}
