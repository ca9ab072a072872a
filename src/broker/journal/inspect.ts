// Inspection of a journal, for a dispute or a support case: its records in words, of one room or of all, whether a server runs on the folder or not.
import { join } from 'node:path'
import { payloadOf } from '../../websocket/frame-writer.js'
import { SYSTEM_DISK, type Disk } from './disk.js'
import { KIND, readEventRecord, readJsonRecord, readSnapshot, type EndedRecord, type EpochsRecord, type NameRecord, type RoomRecord, type StalledRecord } from './records.js'
import { scan } from './scan.js'
import { decodeHeader, HEADER_BYTES, JournalError, segmentName, segmentsIn } from './segment-header.js'

/** A record in words. `state`: a room as it was when it was written anew; `tail`: bytes of no whole record. Times are ms since the epoch. */
export type Finding =
  | { readonly what: 'room' } & Pick<RoomRecord, 'roomId' | 'epoch' | 'createdAt' | 'deadline' | 'terms'>
  | { readonly what: 'event', readonly roomId: string, readonly receivers: number, readonly verified?: boolean | undefined, readonly idempotencyKey?: string | undefined, readonly event: object }
  | { readonly what: 'state', readonly roomId: string, readonly epoch: string, readonly names: readonly string[], readonly state: object }
  | { readonly what: 'name', readonly roomId: string, readonly name: string }
  | { readonly what: 'stall', readonly roomId: string }
  | { readonly what: 'end', readonly roomId: string, readonly rememberedUntil: number }
  | { readonly what: 'epochs', readonly prefix: string }
  | { readonly what: 'tail', readonly segment: string, readonly at: number, readonly bytes: number }

export interface InspectOptions {
  readonly dir: string
  /** Only this room; undefined: all. */
  readonly roomId?: string | undefined
  readonly disk?: Disk | undefined
  readonly onFinding: (finding: Finding) => void
}

/** Reports the records from the oldest on. @throws {JournalError} if there is no journal, or one of a newer format */
export function inspect ({ dir, roomId, disk = SYSTEM_DISK, onFinding }: InspectOptions): void {
  const numbers = segmentsIn(disk.readdirSync(dir))
  if (numbers.length === 0) throw new JournalError(`${dir} has no journal`)
  const inspector = new Inspector(roomId, onFinding)
  for (const number of numbers) {
    const name = segmentName(number)
    const bytes = disk.readFileSync(join(dir, name))
    if (bytes.length < HEADER_BYTES) continue
    decodeHeader(bytes, name)
    const end = scan(bytes, HEADER_BYTES, (kind, start, end) => inspector.add(kind, bytes.subarray(start, end)))
    if (end < bytes.length) onFinding({ what: 'tail', segment: name, at: end, bytes: bytes.length - end })
  }
}

class Inspector {
  /** Ids of the rooms to report, by number. */
  readonly #rooms = new Map<number, string>()
  readonly #roomId: string | undefined
  readonly #onFinding: InspectOptions['onFinding']

  constructor (roomId: string | undefined, onFinding: InspectOptions['onFinding']) {
    this.#roomId = roomId
    this.#onFinding = onFinding
  }

  add (kind: number, body: Buffer): void {
    switch (kind) {
      case KIND.room: return this.#addRoom(readJsonRecord(body))
      case KIND.event: return this.#addEvent(body)
      case KIND.snapshot: return this.#addSnapshot(body)
      case KIND.name: return this.#addNote(readJsonRecord<NameRecord>(body))
      case KIND.stalled: return this.#addNote(readJsonRecord<StalledRecord>(body))
      case KIND.ended: return this.#addEnd(readJsonRecord(body))
      case KIND.epochs: return this.#onFinding({ what: 'epochs', prefix: readJsonRecord<EpochsRecord>(body).prefix })
    }
  }

  #isAsked (roomId: string): boolean { return this.#roomId === undefined || this.#roomId === roomId }

  #addRoom ({ number, roomId, epoch, createdAt, deadline, terms }: RoomRecord): void {
    if (!this.#isAsked(roomId)) return
    this.#rooms.set(number, roomId)
    this.#onFinding({ what: 'room', roomId, epoch, createdAt, deadline, terms })
  }

  #addEvent (body: Buffer): void {
    const { number, receivers, verified, request, frame } = readEventRecord(body)
    const roomId = this.#rooms.get(number)
    if (roomId === undefined) return
    this.#onFinding({ what: 'event', roomId, receivers, verified, idempotencyKey: request, event: JSON.parse(payloadOf(frame).toString()) as object })
  }

  #addSnapshot (body: Buffer): void {
    const { snapshot: { number, roomId, epoch, names, payment: { state }, events }, frames } = readSnapshot(body)
    if (!this.#isAsked(roomId)) return
    const isKnown = this.#rooms.has(number)
    this.#rooms.set(number, roomId)
    this.#onFinding({ what: 'state', roomId, epoch, names, state })
    // The events of a known room stand before its snapshot, too.
    if (isKnown) return
    for (const [i, frame] of frames.entries()) this.#onFinding({ what: 'event', roomId, receivers: events[i]![1], event: JSON.parse(payloadOf(frame).toString()) as object })
  }

  #addNote (record: NameRecord | StalledRecord): void {
    const roomId = this.#rooms.get(record.number)
    if (roomId === undefined) return
    this.#onFinding('name' in record ? { what: 'name', roomId, name: record.name } : { what: 'stall', roomId })
  }

  #addEnd ({ number, roomId, until }: EndedRecord): void {
    if (!this.#isAsked(roomId)) return
    this.#rooms.delete(number)
    this.#onFinding({ what: 'end', roomId, rememberedUntil: until })
  }
}
