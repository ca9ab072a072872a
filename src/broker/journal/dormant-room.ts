// DormantRoom: a room of an earlier process, whose events are read and folded when it is first used. A start need not wait for rooms that nobody comes back to.
import { fold, newPayment, type Payment } from '../../payment/state.js'
import { payloadOf, type FrameWriter } from '../../websocket/frame-writer.js'
import { keyNamed, keysOf, readEvent } from '../event-draft.js'
import { EventLog } from '../memory/event-log.js'
import type { MemoryRoom } from '../memory/memory-broker.js'
import { KIND, readEventRecord, readSnapshot } from './records.js'
import type { IndexedRoom } from './room-index.js'
import type { JournaledRoom } from './room-journal.js'
import type { Place } from './segments.js'

/** Source of the records, and settings of the logs that they become. */
export interface DormantRoomOptions {
  /** Returns the body of a record; valid up to the next call. */
  readonly read: (place: Place) => Buffer
  readonly logSize: number
  readonly frames: FrameWriter
}

/** Parts of a room that are read at its first use. */
interface Content { log: EventLog, payment: Payment, lastEventAt: number | null }

export class DormantRoom implements MemoryRoom {
  readonly number: number
  readonly createdAt: number
  deadline: number
  hasExpired: boolean
  readonly webhookUrl: string | undefined
  names: readonly string[]
  seenSeq: number
  seenAt: number
  subscribed = false
  present = 0
  emptyUntil = Infinity
  expiresAt: number
  readonly #options: DormantRoomOptions
  /** Record of the room; undefined once its content is read. */
  #indexed: IndexedRoom | undefined
  #content: Content | undefined

  /** @param recorder records the further changes of the room */
  constructor (indexed: IndexedRoom, readonly recorder: JournaledRoom, options: DormantRoomOptions) {
    const { record: { number, createdAt, webhookUrl }, deadline, hasExpired, hasStalled, names, seq } = indexed
    this.number = number
    this.createdAt = createdAt
    this.expiresAt = deadline ?? 0
    this.deadline = deadline ?? Infinity
    this.hasExpired = hasExpired
    this.webhookUrl = webhookUrl
    this.names = names
    this.seenSeq = seq
    this.seenAt = hasStalled ? Infinity : 0
    this.#indexed = indexed
    this.#options = options
  }

  get isDormant (): boolean { return this.#content === undefined }

  get log (): EventLog { return this.#awake().log }

  get payment (): Payment { return this.#awake().payment }

  set payment (payment: Payment) { this.#awake().payment = payment }

  get lastEventAt (): number | null { return this.#awake().lastEventAt }

  set lastEventAt (time: number | null) { this.#awake().lastEventAt = time }

  #awake (): Content {
    this.#content ??= this.#read()
    return this.#content
  }

  #read (): Content {
    const { record: { createdAt, terms }, epoch, places } = this.#indexed!
    const { read, logSize, frames } = this.#options
    const content: Content = { log: new EventLog(epoch, logSize, frames), payment: newPayment(createdAt, terms), lastEventAt: null }
    for (const place of places) {
      const body = read(place)
      if (body[0] === KIND.snapshot) this.#restoreSnapshot(content, body)
      else restoreEvent(content, body)
    }
    this.#indexed = undefined
    return content
  }

  #restoreSnapshot (content: Content, body: Buffer): void {
    const { snapshot: { payment, lastEventAt, before, events }, frames } = readSnapshot(body)
    const { logSize, frames: writer } = this.#options
    content.log = new EventLog(content.log.epoch, logSize, writer, before)
    for (const [i, [, receivers, keys]] of events.entries()) content.log.restore({ frame: frames[i]!, receivers, keys: keys?.map(keyNamed) })
    content.payment = payment
    content.lastEventAt = lastEventAt
  }
}

function restoreEvent (content: Content, body: Buffer): void {
  const { frame, receivers, verified, request } = readEventRecord(body)
  const event = readEvent(payloadOf(frame).toString())
  content.log.restore({ frame, receivers, keys: keysOf({ id: event.id, source: event.source, verified }, request) })
  content.payment = fold(content.payment, { ...event, verified })
  content.lastEventAt = event.timestamp
}
