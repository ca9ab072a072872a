// The rooms that this node is subscribed to: delivers every entry once and in order; reads entries that may have been missed, or reports them as lost.
import { Failure } from '../../errors.js'
import { eventFrame, type EventDraft } from '../event-draft.js'
import type { RoomMember } from '../../protocol/server-frames.js'
import type { BrokerListener, CloseCause, LogEntry, Position, Published } from '../broker.js'
import type { RedisClients } from './clients.js'
import type { Members } from './members.js'
import { readMessage, type MemberFields, type RoomStore, type StoredRoom } from './store.js'
import { RoomCursor } from './room-cursor.js'

/** Interval at which each room's position is compared with its log, ms: the last event of a room is its result, and no later event would reveal its loss. */
export const CHECK_INTERVAL = 10_000
/** Channels per command, and rooms checked at once. */
const BATCH = 500

export interface RoomSubscriptionsOptions {
  readonly store: RoomStore
  readonly members: Members
  readonly connection: RedisClients
  readonly retention: number
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Called when a room starts. */
  readonly onBegan: (roomId: string) => void
  /** Called when a room is renewed, so that it can be restored in the index. */
  readonly onRenewed: (roomId: string) => Promise<unknown>
  /** Takes work that no caller awaits. */
  readonly runInBackground: (work: Promise<unknown>) => void
}

export class RoomSubscriptions {
  listener: BrokerListener = { entry: () => {}, closed: () => {}, lost: () => {}, remoteMembers: () => {} }
  readonly #cursors = new Map<string, RoomCursor>()
  readonly #options: RoomSubscriptionsOptions

  constructor (options: RoomSubscriptionsOptions) { this.#options = options }

  /** @param create open the room if it does not exist */
  async subscribe (roomId: string, create: boolean): Promise<void | Failure> {
    if (this.#cursors.has(roomId)) return undefined
    const tail = new RoomCursor(roomId)
    this.#cursors.set(roomId, tail)
    // Subscribe before opening: an event between the two would be lost.
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

  // --- incoming messages ---

  async subscribeChannels (...channels: string[]): Promise<Failure | undefined> {
    const { store, connection: { subscriber } } = this.#options
    const reply = await store.run(() => subscriber.ssubscribe(...channels))
    return reply instanceof Failure ? reply : undefined
  }

  /** Subscribes to every room's channel again, on a connection that has no subscriptions. */
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
    const told = readMessage(message, store.frames)
    switch (told.kind) {
      case 'entry': return this.#receive(tail, told.entry)
      case 'closed': return this.end(tail.roomId, 'closed')
      case 'members': if (members.applyAnnouncement(tail.remoteMembers, told.node, told.json)) this.#emitRemoteMembers(tail)
    }
  }

  /** Delivers our own accepted event, unless its copy from the channel came first; the later one of the two is dropped. */
  published (roomId: string, draft: EventDraft, { epoch, seq }: Published): void {
    const tail = this.#openCursor(roomId)
    if (!tail) return
    const verdict = tail.advance({ epoch, seq })
    if (verdict === 'next') this.listener.entry(roomId, { epoch, seq, origin: draft.origin, frame: eventFrame(draft, seq, this.#options.store.frames) })
    else if (verdict === 'gap' && epoch !== tail.epoch) this.#options.runInBackground(this.#catchUp(tail))
    // Another node's earlier event is still in its channel; if it never arrives, the next tick reads it.
    else if (verdict === 'gap') tail.highestKnownSeq = Math.max(tail.highestKnownSeq, seq)
  }

  /** Compares the result of a read with the room's cursor. @returns the result for the caller of the read */
  async reconcile (roomId: string, room: StoredRoom | Failure): Promise<StoredRoom | Failure> {
    const tail = this.#openCursor(roomId)
    if (!tail) return room
    if (room instanceof Failure) {
      // Redis lost a room that has members here: reopen it, which tells its members that their position is lost. The caller may retry.
      if (room.code !== 'ROOM_NOT_FOUND') return room
      await this.#catchUp(tail)
      return new Failure('UNAVAILABLE')
    }
    // The epoch changed before an entry of the new log arrived: declare the old position lost, so that late entries of the old log are dropped.
    if (room.epoch !== tail.epoch) this.#lose(tail, room)
    return room
  }

  // --- periodic work ---

  /** Ends the rooms whose deadline has passed. */
  expire (): void {
    const time = this.#options.monotonic()
    for (const { roomId, deadline } of this.#cursors.values()) if (deadline <= time) this.end(roomId, 'expired')
  }

  /** Fills known gaps, checks for unknown ones, and renews the retention of occupied rooms. */
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

  /** Removes the members of a dead node from all rooms. */
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

  /** End of a room, ms since the epoch. A subscribed room without a deadline always has a full retention left. */
  expiry (roomId: string, { expiresAt, readAt }: StoredRoom): number {
    return this.#cursors.get(roomId)?.deadline === Infinity ? readAt + this.#options.retention : expiresAt
  }

  // --- cursor of one room ---

  #isLive (tail: RoomCursor): boolean { return this.#cursors.get(tail.roomId) === tail }

  /** The room's cursor, once the room is open in Redis. */
  #openCursor (roomId: string): RoomCursor | undefined {
    const tail = this.#cursors.get(roomId)
    return tail?.preOpenBuffer ? undefined : tail
  }

  /** Unsubscribes from the room and its channel. If the command fails, the connection is gone and the channel with it. */
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
    // A channel keeps its order, so the missing entries were lost on their way.
    else if (verdict === 'gap') this.#options.runInBackground(this.#catchUp(tail))
  }

  /**
   * Opens or renews the room. The cursor starts there, or starts again at a new epoch.
   * @param create open a missing room. The default applies to a room that has members, which is reopened even if members may not create rooms
   */
  async #open (tail: RoomCursor, create = true): Promise<Failure | undefined> {
    const { store, monotonic, onBegan } = this.#options
    const { roomId } = tail
    // Read the clock before the request, so that the room never ends later here than in Redis.
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
      // In the same tick: the first entry of the new log may follow directly.
      this.#lose(tail, room)
    }
    // If the room's seq shows that events were missed here, the next check finds them.
    if (this.#isLive(tail)) this.#setRemoteMembers(tail, room.members)
    return undefined
  }

  /** Renews an occupied room, and restores its index entry and members, which Redis may have lost. */
  async #renew (tail: RoomCursor): Promise<void> {
    const { members, onRenewed } = this.#options
    if (await this.#open(tail) || !this.#isLive(tail)) return
    await Promise.all([onRenewed(tail.roomId), members.repeat(tail.roomId)])
  }

  /** Reads the missing entries and delivers them, or reports them as lost. */
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
        // Redis lost the room: its members continue with a new log.
        if (room.code !== 'ROOM_NOT_FOUND' || await this.#open(tail)) tail.needsCatchUp = true
        break
      }
      if (room.recovered) for (const entry of room.entries) this.#receive(tail, entry)
      else this.#lose(tail, room)
    } while (this.#isAgain(tail))
    tail.catchingUp = 'no'
  }

  // A function, because the compiler cannot know that `catchingUp` changes during an await.
  #isAgain ({ catchingUp }: RoomCursor): boolean { return catchingUp === 'again' }

  /** Compares positions, and reads the log only if they differ. */
  async #check (tail: RoomCursor): Promise<void> {
    tail.checkedAt = this.#options.monotonic()
    const position = await this.#options.store.position(tail.roomId)
    if (!this.#isLive(tail)) return
    if (position instanceof Failure) tail.needsCatchUp = true
    else if (!tail.isAt(position)) await this.#catchUp(tail)
  }

  /** Moves the cursor to a position and reports the entries before it as lost. */
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

/** Members of all nodes as one list. */
export function listOf (members: ReadonlyMap<string, RoomMember[]>): RoomMember[] { return [...members.values()].flat() }

function batches<T> (items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, i) => items.slice(i * BATCH, (i + 1) * BATCH))
}
