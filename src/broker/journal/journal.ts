// Journal: collects records, writes them with one call per round of the event loop, and brings them onto the disk as its mode promises.
import type { Flushable } from '../../websocket/batch.js'
import type { WireFrame } from '../../websocket/frame-writer.js'
import type { Ballast } from './ballast.js'
import type { DataSync } from './data-sync.js'
import { isFullDisk } from './disk.js'
import { RecordBuffer, type EventRecord, type SnapshotRecord } from './records.js'
import type { Place, Segments } from './segments.js'

/** Size from which on a segment is complete, bytes. */
export const SEGMENT_BYTES = 33_554_432

/** Bytes of records that wait for the end of the round; more are written at once. */
const MAX_WAITING_BYTES = 1_048_576

export interface JournalOptions {
  readonly segments: Segments
  readonly ballast: Ballast
  readonly sync: DataSync
  /** Size from which on a segment is complete, bytes. Default: SEGMENT_BYTES. */
  readonly segmentBytes?: number | undefined
  /** Ends the process: a failed write or sync is never repeated, because the kernel may have dropped what it could not write. */
  readonly onFatal: (error: unknown) => never
  /** Called when the disk is full, and when it has space again. */
  readonly onSpace?: ((change: 'full' | 'free') => void) | undefined
  /** Notes that nothing is missing; called once all records are on the disk. */
  readonly onClean: () => void
}

/** Writing, syncing and the space on the disk are one class: each of them decides when the others may go on. */
export class Journal implements Flushable {
  readonly #options: JournalOptions
  readonly #segmentBytes: number
  readonly #records = new RecordBuffer()
  /** Bytes written so far by this process, and those of them that are on the disk. */
  #written = 0
  #synced = 0
  #isSyncing = false
  /** Calls to make once the bytes up to `upTo` are on the disk, in order. */
  readonly #waiting: Array<{ readonly upTo: number, readonly done: () => void }> = []
  #isRoundScheduled = false
  /** Bytes of the current segment that are on the disk; 0 if the segment says so already. */
  #unmarked = 0
  #isFull = false
  #isClosed = false

  constructor (options: JournalOptions) {
    this.#options = options
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
  }

  get sync (): DataSync { return this.#options.sync }

  /** True while nothing new may be recorded: the disk is full, or the journal is closed. */
  get isFull (): boolean { return this.#isFull || this.#isClosed }

  /** True if all records are on the disk. */
  get isSynced (): boolean { return this.#records.length === 0 && this.#synced === this.#written }

  /** Begins the first segment of this process. On a full disk that is left to {@link Journal.tick}. */
  open (): void { this.#noteSpace(this.#hasSpace()) }

  /** @returns bytes of the record, as the two methods below */
  event (event: EventRecord): number { return this.#appended(this.#records.event(event)) }

  json (kind: number, content: object): number { return this.#appended(this.#records.json(kind, content)) }

  snapshot (snapshot: SnapshotRecord, frames: readonly WireFrame[]): number { return this.#appended(this.#records.snapshot(snapshot, frames)) }

  /** Writes all records to the file: from then on the end of the process loses none of them. */
  flush (): void {
    const records = this.#records
    if (records.length === 0 || !this.#options.segments.isOpen) return
    if (this.#unmarked > 0) records.synced(this.#unmarked)
    this.#unmarked = 0
    const { bytes, length } = records
    for (let at = 0; at < length;) at += this.#write(bytes, at, length)
    this.#written += length
    records.clear()
    if (this.#options.segments.size >= this.#segmentBytes) this.syncLater()
  }

  /** Reads the body of an earlier record; valid up to the next call. A record that cannot be read ends the process: the next start says what is damaged. */
  read (place: Place): Buffer { return this.#try(() => this.#options.segments.read(place)) }

  /** Calls back once everything recorded so far is on the disk: all that comes in a round of the event loop, and during a sync, shares the next sync. */
  whenSynced (done: () => void): void {
    if (this.isSynced) return done()
    this.#waiting.push({ upTo: this.#written + this.#records.length, done })
    this.#scheduleRound()
  }

  /** Starts to sync what is written, unless a sync is running. */
  syncLater (): void {
    this.flush()
    if (this.#isSyncing || this.#synced === this.#written || !this.#options.segments.isOpen) return
    this.#isSyncing = true
    const [upTo, size] = [this.#written, this.#options.segments.size]
    this.#options.segments.syncLater((error) => {
      if (error) return this.#options.onFatal(error)
      this.#onSynced(upTo, size)
    })
  }

  /** Does the work of a second: brings records onto the disk in mode `second`, closes what was opened for reading, and looks for space on a full disk. */
  tick (): void {
    this.flush()
    this.#options.segments.closeReaders()
    if (this.sync === 'second') this.syncLater()
    if (this.#isFull) this.#noteSpace(this.#hasSpace())
  }

  /** Resolves once everything recorded so far is on the disk. */
  settle (): Promise<void> {
    return new Promise((resolve) => {
      this.syncLater()
      this.whenSynced(resolve)
      // Without a segment there is nothing to wait for.
      if (!this.#options.segments.isOpen) resolve()
    })
  }

  /** Brings everything onto the disk, and notes that nothing is missing. */
  async close (): Promise<void> {
    // Again for what came meanwhile: the file is closed below, and nothing may be missing in it.
    do await this.settle(); while (!this.isSynced && this.#options.segments.isOpen)
    this.#isClosed = true
    if (this.#options.segments.isOpen) this.#try(this.#options.onClean)
    this.#options.segments.close()
  }

  #appended (bytes: number): number {
    if (this.#records.length > MAX_WAITING_BYTES) this.flush()
    this.#scheduleRound()
    return bytes
  }

  #scheduleRound (): void {
    if (this.#isRoundScheduled) return
    this.#isRoundScheduled = true
    setImmediate(() => {
      this.#isRoundScheduled = false
      if (this.#isClosed) return
      this.flush()
      if (this.#waiting.length > 0) this.syncLater()
    })
  }

  #write (bytes: Buffer, at: number, length: number): number {
    try {
      return this.#options.segments.append(bytes, at, length)
    } catch (error) {
      // With its space what was accepted before can still be written; nothing more is accepted.
      if (!isFullDisk(error) || !this.#options.ballast.drop()) return this.#options.onFatal(error)
      this.#noteSpace(false)
      return 0
    }
  }

  #onSynced (upTo: number, size: number): void {
    this.#synced = upTo
    this.#unmarked = size
    if (size >= this.#segmentBytes && !this.#isFull) this.#try(() => this.#beginNext())
    // Not before: the next sync must be one of the next segment, since the file of this one is closed.
    this.#isSyncing = false
    while (this.#waiting.length > 0 && this.#waiting[0]!.upTo <= this.#synced) this.#waiting.shift()!.done()
    if (this.#waiting.length > 0) this.syncLater()
  }

  /** Completes the segment. The part that was written during the last sync is small, so that the event loop need not wait for long. */
  #beginNext (): void {
    this.flush()
    this.#options.segments.sync()
    this.#synced = this.#written
    this.#unmarked = 0
    if (!this.#begin()) this.#noteSpace(false)
  }

  /** True if the disk has space for records and for the ballast. */
  #hasSpace (): boolean {
    const { segments, ballast } = this.#options
    if (!segments.isOpen && !this.#begin()) return false
    return this.#try(() => ballast.lay())
  }

  /** Begins a segment. @returns false on a full disk; the space of the ballast is then free for the next attempt */
  #begin (): boolean {
    const { segments, ballast } = this.#options
    return this.#try(() => {
      try {
        segments.begin()
        return true
      } catch (error) {
        if (!isFullDisk(error)) throw error
        ballast.drop()
        return false
      }
    })
  }

  #noteSpace (hasSpace: boolean): void {
    if (hasSpace !== this.#isFull) return
    this.#isFull = !hasSpace
    this.#options.onSpace?.(hasSpace ? 'free' : 'full')
  }

  #try<T> (work: () => T): T {
    try {
      return work()
    } catch (error) {
      return this.#options.onFatal(error)
    }
  }
}
