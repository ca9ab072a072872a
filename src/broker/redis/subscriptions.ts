// The rooms that somebody is in on this node: every entry of theirs is told once and in order, and what may have been missed is read, or said to be lost.
import { Failure } from '../../errors.js'
import { eventFrame, type EventDraft } from '../event-draft.js'
import type { RoomMember } from '../../protocol/server-frames.js'
import type { BrokerListener, CloseCause, LogEntry, Position, Published } from '../broker.js'
import type { RedisClients } from './clients.js'
import type { Members } from './members.js'
import { readMessage, type MemberFields, type RoomStore, type StoredRoom } from './store.js'
import { RoomCursor } from './room-cursor.js'

/** How often each room's position is compared with the log's, ms: the last event of a room is its result, and no later one would show its loss. */
export const CHECK_INTERVAL = 10_000
/** Channels in one command, and rooms in one look. */
const BATCH = 500

export interface RoomSubscriptionsOptions {
  readonly store: RoomStore
  readonly members: Members
  readonly connection: RedisClients
  readonly retention: number
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** A room began. */
  readonly onBegan: (roomId: string) => void
  /** A room is kept from its end, so it should be in the index. */
  readonly onRenewed: (roomId: string) => Promise<unknown>
  /** Takes work that nobody waits for. */
  readonly runInBackground: (work: Promise<unknown>) => void
}

export class RoomSubscriptions {
  listener: BrokerListener = { entry: () => {}, closed: () => {}, lost: () => {}, remoteMembers: () => {} }
  readonly #cursors = new Map<string, RoomCursor>()
  readonly #options: RoomSubscriptionsOptions

  constructor (options: RoomSubscriptionsOptions) { this.#options = options }

  /** @param create open the room where it does not exist */
  async subscribe (roomId: string, create: boolean): Promise<void | Failure> {
    if (this.#cursors.has(roomId)) return undefined
    const tail = new RoomCursor(roomId)
    this.#cursors.set(roomId, tail)
    // The channel first: an event between the two would be lost.
    const failure = await this.subscribeChannels(this.#options.store.channel(roomId)) ?? await this.#open(tail, create)
    if (!failure || !this.#isLive(tail)) return undefined
    this.#drop(tail)
    return failure
  }

  /** @returns whether the room was subscribed */
  unsubscribe (roomId: string): boolean {
    const tail = this.#cursors.get(roomId)
    if (tail) this.#drop(tail)
    return tail !== undefined
  }

  clear (): void { this.#cursors.clear() }

  // --- what comes in ---

  async subscribeChannels (...channels: string[]): Promise<Failure | undefined> {
    const { store, connection: { subscriber } } = this.#options
    const reply = await store.run(() => subscriber.ssubscribe(...channels))
    return reply instanceof Failure ? reply : undefined
  }

  /** Subscribes to every room's channel again, on a connection that knows of none. */
  async resubscribe (): Promise<Failure | undefined> {
    for (const roomIds of batches([...this.#cursors.keys()])) {
      const failure = await this.subscribeChannels(...roomIds.map((roomId) => this.#options.store.channel(roomId)))
      if (failure) return failure
    }
    return undefined
  }

  onMessage (channel: string, message: Buffer): void {
    const { store, members } = this.#options
    const tail = this.#cursors.get(store.roomOf(channel))
    if (!tail) return
    const told = readMessage(message)
    switch (told.kind) {
      case 'entry': return this.#receive(tail, told.entry)
      case 'closed': return this.end(tail.roomId, 'closed')
      case 'members': if (members.applyAnnouncement(tail.remoteMembers, told.node, told.json)) this.#emitRemoteMembers(tail)
    }
  }

  /** Our own event was accepted: it need not come back to us by the channel, whichever is first. */
  published (roomId: string, draft: EventDraft, { epoch, seq }: Published): void {
    const tail = this.#openCursor(roomId)
    if (!tail) return
    const verdict = tail.advance({ epoch, seq })
    if (verdict === 'next') this.listener.entry(roomId, { epoch, seq, origin: draft.origin, frame: eventFrame(draft, seq) })
    else if (verdict === 'gap' && epoch !== tail.epoch) this.#options.runInBackground(this.#catchUp(tail))
    // Another node's event before ours is still in its channel; should it never come, the next tick fetches it.
    else if (verdict === 'gap') tail.highestKnownSeq = Math.max(tail.highestKnownSeq, seq)
  }

  /** Compares what somebody read of a room with its live end. @returns what that one may be told */
  async reconcile (roomId: string, room: StoredRoom | Failure): Promise<StoredRoom | Failure> {
    const tail = this.#openCursor(roomId)
    if (!tail) return room
    if (room instanceof Failure) {
      // Redis forgot a room that somebody here is in: it is begun anew, and they are told. Whoever asked may ask again.
      if (room.code !== 'ROOM_NOT_FOUND') return room
      await this.#catchUp(tail)
      return new Failure('UNAVAILABLE')
    }
    // Another log, before its first entry said so here: nobody may take the old one's late entries for its own.
    if (room.epoch !== tail.epoch) this.#lose(tail, room)
    return room
  }

  // --- what is due ---

  /** Ends the rooms whose deadline has come. */
  expire (): void {
    const time = this.#options.monotonic()
    for (const { roomId, deadline } of this.#cursors.values()) if (deadline <= time) this.end(roomId, 'expired')
  }

  /** Fills known gaps, looks for unknown ones, and keeps occupied rooms from their end. */
  async tick (): Promise<void> {
    const time = this.#options.monotonic()
    const work: Array<Promise<unknown>> = []
    for (const tail of this.#cursors.values()) {
      if (tail.preOpenBuffer) continue
      if (tail.hasGap) work.push(this.#catchUp(tail))
      else if (time - tail.checkedAt >= CHECK_INTERVAL) work.push(this.#check(tail))
      if (time - tail.renewedAt >= this.#options.retention / 4) work.push(this.#renew(tail))
    }
    await Promise.all(work)
  }

  async checkAll (): Promise<void> {
    for (const tails of batches([...this.#cursors.values()].filter(({ preOpenBuffer }) => !preOpenBuffer))) await Promise.all(tails.map((tail) => this.#check(tail)))
  }

  /** A node died, and with it its members. */
  forgetNode (node: string): void {
    for (const tail of this.#cursors.values()) if (tail.remoteMembers.delete(node)) this.#emitRemoteMembers(tail)
  }

  end (roomId: string, cause: CloseCause): void {
    const tail = this.#cursors.get(roomId)
    if (!tail) return
    this.#drop(tail)
    this.#options.members.forget(roomId)
    this.listener.closed(roomId, cause)
  }

  /** When a room ends, ms since the epoch: somebody here keeps one without a deadline from it. */
  expiry (roomId: string, { expiresAt, readAt }: StoredRoom): number {
    return this.#cursors.get(roomId)?.deadline === Infinity ? readAt + this.#options.retention : expiresAt
  }

  // --- the live end of one room ---

  #isLive (tail: RoomCursor): boolean { return this.#cursors.get(tail.roomId) === tail }

  /** The room's live end, once it has one to compare with. */
  #openCursor (roomId: string): RoomCursor | undefined {
    const tail = this.#cursors.get(roomId)
    return tail?.preOpenBuffer ? undefined : tail
  }

  /** Lets go of the room and its channel. Should that fail, the connection is gone and the channel with it. */
  #drop ({ roomId }: RoomCursor): void {
    const { connection: { subscriber }, store } = this.#options
    this.#cursors.delete(roomId)
    subscriber.sunsubscribe(store.channel(roomId)).catch(() => {})
  }

  #receive (tail: RoomCursor, entry: LogEntry): void {
    if (tail.preOpenBuffer) {
      tail.preOpenBuffer.push(entry)
      return
    }
    const verdict = tail.advance(entry)
    if (verdict === 'next') this.listener.entry(tail.roomId, entry)
    // One channel keeps its order, so what is missing here was lost on its way.
    else if (verdict === 'gap') this.#options.runInBackground(this.#catchUp(tail))
  }

  /** Opens the room, or keeps it open; the live end begins there, or in another log. A room that somebody is in is opened again whoever may create one. */
  async #open (tail: RoomCursor, create = true): Promise<Failure | undefined> {
    const { store, monotonic, onBegan } = this.#options
    const { roomId } = tail
    // Before it is asked: so the room never ends later here than in Redis.
    const asked = monotonic()
    const room = await store.open(roomId, create)
    if (room instanceof Failure) return room
    if (room.isNew) onBegan(roomId)
    if (!this.#isLive(tail)) return undefined
    tail.deadline = asked + room.left
    tail.renewedAt = asked
    const { preOpenBuffer } = tail
    if (preOpenBuffer) {
      tail.begin(room)
      tail.checkedAt = tail.renewedAt
      for (const entry of preOpenBuffer) this.#receive(tail, entry)
    } else if (room.epoch !== tail.epoch) {
      // At once: the first entry of the new log may be right behind.
      this.#lose(tail, room)
    }
    // Events that it shows and that were missed here are the check's to find.
    if (this.#isLive(tail)) this.#setRemoteMembers(tail, room.members)
    return undefined
  }

  /** Keeps an occupied room from its end, and mends what Redis may have forgotten about it. */
  async #renew (tail: RoomCursor): Promise<void> {
    const { members, onRenewed } = this.#options
    if (await this.#open(tail) || !this.#isLive(tail)) return
    await Promise.all([onRenewed(tail.roomId), members.repeat(tail.roomId)])
  }

  /** Reads what is missing and lets it through, or says that it is lost. */
  async #catchUp (tail: RoomCursor): Promise<void> {
    if (tail.catchingUp !== 'no') {
      tail.catchingUp = 'again'
      return
    }
    const { store, monotonic } = this.#options
    do {
      tail.catchingUp = 'yes'
      tail.needsCatchUp = false
      const room = await store.read(tail.roomId, tail)
      if (!this.#isLive(tail)) return
      if (room instanceof Failure) {
        if (room.code === 'ROOM_CLOSED') return this.end(tail.roomId, tail.deadline <= monotonic() ? 'expired' : 'closed')
        // Redis forgot the room; whoever is in it begins with a new log.
        if (room.code !== 'ROOM_NOT_FOUND' || await this.#open(tail)) tail.needsCatchUp = true
        break
      }
      if (room.recovered) for (const entry of room.entries) this.#receive(tail, entry)
      else this.#lose(tail, room)
    } while (this.#isAgain(tail))
    tail.catchingUp = 'no'
  }

  // The flag is set by others while we wait, which the compiler cannot know.
  #isAgain ({ catchingUp }: RoomCursor): boolean { return catchingUp === 'again' }

  /** Compares positions, without reading the log where they are the same. */
  async #check (tail: RoomCursor): Promise<void> {
    tail.checkedAt = this.#options.monotonic()
    const position = await this.#options.store.position(tail.roomId)
    if (!this.#isLive(tail)) return
    if (position instanceof Failure) tail.needsCatchUp = true
    else if (!tail.isAt(position)) await this.#catchUp(tail)
  }

  /** What is between here and there cannot be told any more. */
  #lose (tail: RoomCursor, position: Position): void {
    tail.begin(position)
    this.listener.lost(tail.roomId)
  }

  #setRemoteMembers (tail: RoomCursor, fields: MemberFields): void {
    const before = tail.remoteMembers.size
    tail.remoteMembers = this.#options.members.remoteMembers(fields)
    if (before > 0 || tail.remoteMembers.size > 0) this.#emitRemoteMembers(tail)
  }

  #emitRemoteMembers ({ roomId, remoteMembers }: RoomCursor): void { this.listener.remoteMembers(roomId, listOf(remoteMembers)) }
}

/** The members of all nodes. */
export function listOf (members: ReadonlyMap<string, RoomMember[]>): RoomMember[] { return [...members.values()].flat() }

function batches<T> (items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, i) => items.slice(i * BATCH, (i + 1) * BATCH))
}
