// Recorder of the memory broker: writes each change of a room into the journal, and knows which segments and how many bytes are still needed.
import type { LogEntry, RoomChange } from '../broker.js'
import { idempotencyKeyIn, type EventDraft } from '../event-draft.js'
import type { MemoryRoom } from '../memory/memory-broker.js'
import type { Appended, Recorder, RoomRecorder, StartedRoom } from '../memory/recorder.js'
import type { Journal } from './journal.js'
import type { Keepsake, KeptValues } from './kept-values.js'
import { KIND, type EndedRecord, type KeptRecord, type NameRecord, type RoomRecord, type SnapshotEvent, type StalledRecord } from './records.js'
import type { Segments } from './segments.js'

export interface JournalRecorderOptions {
  readonly journal: Journal
  readonly segments: Segments
  readonly kept: KeptValues
  /** Chooses what is kept with a change, in the same record. */
  readonly keepWith?: ((change: RoomChange) => Keepsake | undefined) | undefined
  /** Number of events kept per room. */
  readonly logSize: number
  /** Wall clock, ms since the epoch. */
  readonly now: () => number
}

/** Closed room that is remembered, and the segment that says so. */
export interface ClosedRoom { readonly number: number, readonly until: number, segment: number }

export class JournalRecorder implements Recorder {
  /** Bytes of the records that a start needs, about. */
  liveBytes = 0
  readonly options: JournalRecorderOptions
  /** Closed rooms by id; as many as the broker remembers. */
  readonly #closed = new Map<string, ClosedRoom>()

  constructor (options: JournalRecorderOptions) { this.options = options }

  get isFull (): boolean { return this.options.journal.isFull }

  started ({ number, roomId, epoch, createdAt, deadline, terms, webhookUrl }: StartedRoom): JournaledRoom {
    this.#forget(roomId)
    const record: RoomRecord = { number, roomId, epoch, createdAt, deadline, terms, webhookUrl }
    const bytes = this.options.journal.json(KIND.room, record)
    return new JournaledRoom(this, { number, segment: this.options.segments.number, records: 1, bytes })
  }

  /** @returns the part of the record of a change that another part of the server keeps with it; undefined if there is none */
  keepWith (change: RoomChange | undefined): KeptRecord | undefined {
    const { kept, keepWith } = this.options
    const keepsake = change && keepWith?.(change)
    return keepsake && kept.embed(keepsake)
  }

  /** Remembers a closed room. @param segment that has the record */
  close (roomId: string, closed: ClosedRoom): void {
    this.#closed.set(roomId, closed)
    this.options.segments.pin(closed.segment)
  }

  /** Forgets the closed rooms whose time is over. */
  forgetOld (): void {
    const now = this.options.now()
    for (const [roomId, { until }] of this.#closed) if (until <= now) this.#forget(roomId)
  }

  /** Records the closed rooms of a segment again, so that it can be deleted. */
  moveClosed (from: number): void {
    const { journal, segments } = this.options
    for (const [roomId, closed] of this.#closed) {
      if (closed.segment !== from) continue
      const record: EndedRecord = { number: closed.number, roomId, until: closed.until }
      journal.json(KIND.ended, record)
      segments.unpin(from)
      closed.segment = segments.number
      segments.pin(closed.segment)
    }
  }

  #forget (roomId: string): void {
    const closed = this.#closed.get(roomId)
    if (!closed) return
    this.#closed.delete(roomId)
    this.options.segments.unpin(closed.segment)
  }
}

/** Records of a room that a start needs. */
export interface RoomRecords {
  readonly number: number
  /** Segment of the first of them. */
  readonly segment: number
  readonly records: number
  readonly bytes: number
}

export class JournaledRoom implements RoomRecorder {
  readonly #recorder: JournalRecorder
  readonly #number: number
  #segment: number
  #records: number
  #bytes: number
  #liveBytes = 0

  constructor (recorder: JournalRecorder, { number, segment, records, bytes }: RoomRecords) {
    this.#recorder = recorder
    this.#number = number
    this.#segment = segment
    this.#records = records
    this.#bytes = bytes
    recorder.options.segments.pin(segment)
    this.#count()
  }

  /** Segment of the first record of the room. */
  get segment (): number { return this.#segment }

  appended (draft: EventDraft, { seq, frame }: LogEntry, { receivers, expiresAt, change }: Appended): void {
    const { source, type, verified, ttl, keys } = draft
    this.#add(this.#recorder.options.journal.event({
      number: this.#number,
      seq,
      receivers,
      verified,
      expires: source === 'server' && type === 'PAYMENT_EXPIRED',
      deadline: ttl === undefined ? undefined : expiresAt,
      request: idempotencyKeyIn(keys),
      kept: this.#recorder.keepWith(change),
      frame
    }))
  }

  named (name: string): void {
    const record: NameRecord = { number: this.#number, name }
    this.#add(this.#recorder.options.journal.json(KIND.name, record))
  }

  stalled (change: RoomChange): void {
    const record: StalledRecord = { number: this.#number, kept: this.#recorder.keepWith(change) }
    this.#add(this.#recorder.options.journal.json(KIND.stalled, record))
  }

  ended (roomId: string, until: number, change?: RoomChange): void {
    const { journal, segments } = this.#recorder.options
    const record: EndedRecord = { number: this.#number, roomId, until, kept: this.#recorder.keepWith(change) }
    journal.json(KIND.ended, record)
    segments.unpin(this.#segment)
    this.#recorder.liveBytes -= this.#liveBytes
    if (until > 0) this.#recorder.close(roomId, { number: this.#number, until, segment: segments.number })
  }

  /** Records the room as it is, so that its earlier records are not needed any more. */
  rewrite (roomId: string, room: MemoryRoom): void {
    const { log, payment, createdAt, deadline, expiresAt, webhookUrl, hasExpired, names = [], lastEventAt, seenSeq, seenAt } = room
    const { journal, segments } = this.#recorder.options
    const kept = log.kept()
    const events = kept.map(({ frame, receivers, keys }): SnapshotEvent => keys ? [frame.length, receivers, keys.map(({ name }) => name)] : [frame.length, receivers])
    this.#bytes = journal.snapshot({
      number: this.#number,
      roomId,
      epoch: log.epoch,
      createdAt,
      deadline: deadline === Infinity ? undefined : expiresAt,
      webhookUrl,
      hasExpired,
      hasStalled: seenAt === Infinity && seenSeq === log.seq,
      names,
      payment,
      lastEventAt,
      before: log.seq - kept.length,
      events
    }, kept.map(({ frame }) => frame))
    this.#records = kept.length + 1
    segments.unpin(this.#segment)
    this.#segment = segments.number
    segments.pin(this.#segment)
    this.#count()
  }

  #add (bytes: number): void {
    this.#bytes += bytes
    this.#records++
    this.#count()
  }

  /** Counts the bytes that a snapshot would take: of a long log only the last events. */
  #count (): void {
    const live = this.#bytes * Math.min(1, this.#recorder.options.logSize / this.#records)
    this.#recorder.liveBytes += live - this.#liveBytes
    this.#liveBytes = live
  }
}
