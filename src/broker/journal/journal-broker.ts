// JournalBroker: a memory broker whose rooms outlive the process. Each change is in the journal before a client learns of it.
import type { MaybePromise } from '../../maybe-promise.js'
import { Failure } from '../../errors.js'
import type { RoomMember } from '../../protocol/server-frames.js'
import type { Broker, BrokerListener, Lifetime, NewRoom, Published, ReadFrom, RoomPage, RoomQuery, RoomView } from '../broker.js'
import type { EventDraft } from '../event-draft.js'
import { compact, type CompactionParts } from './compaction.js'

/** The memory broker has the recorder. */
export interface JournalBrokerOptions extends CompactionParts {
  /** True while all that clients are sent waits for {@link Journal.flush} anyway; otherwise the journal is written before a call returns. */
  readonly isHeld: () => boolean
  /** Gives the folder back once the journal is closed. */
  readonly release: () => void
}

/** Reason of {@link Broker.unreadyReason} on a full disk. */
export const DISK_FULL = 'its disk is full'

/**
 * In mode `always` it is an asynchronous broker: answers and entries follow once the disk has them. In the other modes it answers at once, and the sockets wait: see
 * `Batch`. Its length is the Broker interface.
 */
export class JournalBroker implements Broker {
  readonly #options: JournalBrokerOptions
  readonly #isAsynchronous: boolean

  constructor (options: JournalBrokerOptions) {
    this.#options = options
    this.#isAsynchronous = options.journal.sync === 'always'
  }

  listen (listener: BrokerListener): void {
    const { memory, journal } = this.#options
    if (!this.#isAsynchronous) return memory.listen(listener)
    memory.listen({
      ...listener,
      entry: (roomId, entry) => journal.whenSynced(() => listener.entry(roomId, entry)),
      closed: (roomId, cause) => journal.whenSynced(() => listener.closed(roomId, cause)),
      changed: (change) => journal.whenSynced(() => listener.changed(change)),
      advanced: (advance) => journal.whenSynced(() => listener.advanced(advance)),
      stalled: (roomId, stall) => journal.whenSynced(() => listener.stalled(roomId, stall))
    })
  }

  async createRoom (roomId: string, room?: NewRoom): Promise<Lifetime | Failure> {
    if (this.#options.journal.isFull) return new Failure('UNAVAILABLE')
    return this.#kept(await this.#options.memory.createRoom(roomId, room))
  }

  subscribe (roomId: string, create = true): MaybePromise<Failure | undefined> {
    const { memory, journal } = this.#options
    const canCreate = create && !journal.isFull
    const failure = memory.subscribe(roomId, canCreate)
    return failure && create && !canCreate ? new Failure('UNAVAILABLE') : this.#kept(failure)
  }

  unsubscribe (roomId: string): MaybePromise<void> { return this.#kept(this.#options.memory.unsubscribe(roomId)) }

  announce (roomId: string, here: readonly RoomMember[]): void { this.#options.memory.announce(roomId, here) }

  publish (roomId: string, draft: EventDraft, create: boolean): MaybePromise<Published | Failure> {
    const { memory, journal } = this.#options
    return journal.isFull ? new Failure('UNAVAILABLE') : this.#kept(memory.publish(roomId, draft, create))
  }

  publishAll (roomId: string, drafts: readonly EventDraft[], create: boolean): MaybePromise<Array<Published | Failure>> {
    const { memory, journal } = this.#options
    return journal.isFull ? drafts.map(() => new Failure('UNAVAILABLE')) : this.#kept(memory.publishAll(roomId, drafts, create))
  }

  read (roomId: string, from?: ReadFrom): MaybePromise<RoomView | Failure> { return this.#kept(this.#options.memory.read(roomId, from)) }

  async listRooms (query: RoomQuery): Promise<RoomPage | Failure> { return this.#kept(await this.#options.memory.listRooms(query)) }

  nameRoom (name: string, roomId: string): MaybePromise<void> { return this.#kept(this.#options.memory.nameRoom(name, roomId)) }

  roomNamed (name: string): MaybePromise<string | undefined> { return this.#kept(this.#options.memory.roomNamed(name)) }

  async closeRoom (roomId: string): Promise<void | Failure> {
    if (this.#options.journal.isFull) return new Failure('UNAVAILABLE')
    return this.#kept(await this.#options.memory.closeRoom(roomId))
  }

  ready (): boolean { return !this.#options.journal.isFull }

  unreadyReason (): string | undefined { return this.ready() ? undefined : DISK_FULL }

  async close (): Promise<void> {
    const { memory, journal, kept, release } = this.#options
    await journal.settle()
    kept.close()
    await journal.close()
    await memory.close()
    release()
  }

  async tick (): Promise<void> {
    const { memory, journal, recorder, kept } = this.#options
    journal.tick()
    kept.tick()
    recorder.forgetOld()
    await memory.tick()
    journal.flush()
    await compact(this.#options)
  }

  /** Returns an answer that may be sent: what it says is in the journal, or will be before any socket is written to. */
  #kept<T> (answer: T): MaybePromise<T> {
    const { journal, isHeld } = this.#options
    if (this.#isAsynchronous) return journal.isSynced ? answer : new Promise((resolve) => { journal.whenSynced(() => resolve(answer)) })
    if (!isHeld()) journal.flush()
    return answer
  }
}
