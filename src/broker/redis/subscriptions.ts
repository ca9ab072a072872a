// The rooms that this node is subscribed to, and the channels of their messages: delivers every entry once and in order, and ends rooms that are closed or expired.
import { Failure } from '../../errors.js'
import { eventFrame, type EventDraft } from '../event-draft.js'
import type { RoomMember } from '../../protocol/server-frames.js'
import type { BrokerListener, CloseCause, Published } from '../broker.js'
import type { RedisClients } from './clients.js'
import { RoomCursor } from './room-cursor.js'
import { RoomSync, type RoomSyncOptions } from './room-sync.js'
import { readMessage, readNodeMessage } from './messages.js'
import type { StoredRoom } from './store.js'

/** Rooms checked at once. */
const BATCH = 500

export interface RoomSubscriptionsOptions extends RoomSyncOptions {
  /** Called when the deadline of a payment link has passed. @returns whether it is in the log; otherwise it is called again */
  readonly onDeadline: (roomId: string, deadline: number) => Promise<boolean>
  readonly connection: RedisClients
  /** Returns true while this node gets the messages of its channels. */
  readonly isListening: () => boolean
}

/** All that happens to a cursor, from the channel, from our own publishes and by the clock: more than 150 lines in short methods over one map. */
export class RoomSubscriptions {
  listener: BrokerListener = { entry: () => {}, closed: () => {}, lost: () => {}, changed: () => {}, advanced: () => {}, stalled: () => {}, remoteMembers: () => {} }
  readonly #cursors = new Map<string, RoomCursor>()
  readonly #sync: RoomSync
  readonly #options: RoomSubscriptionsOptions

  constructor (options: RoomSubscriptionsOptions) {
    this.#options = options
    this.#sync = new RoomSync(options, {
      isLive: (cursor) => this.#isLive(cursor),
      onEntry: ({ roomId }, entry) => this.listener.entry(roomId, entry),
      onLost: ({ roomId }) => this.listener.lost(roomId),
      onEnded: ({ roomId }, cause) => this.end(roomId, cause),
      onRemoteMembers: (cursor) => this.#emitRemoteMembers(cursor)
    })
  }

  /**
   * @param create open the room if it does not exist
   * @returns the room as it is at the start of the subscription, undefined if it was subscribed before or no longer is
   */
  async subscribe (roomId: string, create: boolean): Promise<StoredRoom | Failure | undefined> {
    if (this.#cursors.has(roomId)) return undefined
    const cursor = new RoomCursor(roomId)
    this.#cursors.set(roomId, cursor)
    // Listen before opening: an event between the two would be lost.
    const room = await this.#listenTo(roomId) ?? (this.#isLive(cursor) ? await this.#sync.open(cursor, create) : undefined)
    // A late message of the room's end may have dropped the cursor already.
    if (room instanceof Failure && this.#isLive(cursor)) this.#drop(cursor)
    return room
  }

  /** @returns whether the room was subscribed */
  unsubscribe (roomId: string): boolean {
    const cursor = this.#cursors.get(roomId)
    if (cursor) this.#drop(cursor)
    return cursor !== undefined
  }

  clear (): void { this.#cursors.clear() }

  // --- incoming messages ---

  async subscribeChannel (channel: string): Promise<Failure | undefined> {
    const { store, connection: { subscriber } } = this.#options
    const reply = await store.run(() => subscriber.ssubscribe(channel))
    return reply instanceof Failure ? reply : undefined
  }

  /** Subscribes to the channel that brings the messages of a room. That of the node is usually subscribed already, with the connection. */
  async #listenTo (roomId: string): Promise<Failure | undefined> {
    const { store, isListening } = this.#options
    if (store.nodeChannel === undefined) return this.subscribeChannel(store.channel(roomId))
    // At the start, and after a loss, a room may be joined before the connection has its channel.
    return isListening() ? undefined : this.subscribeChannel(store.nodeChannel)
  }

  onMessage (channel: string, bytes: Buffer): void {
    const { store } = this.#options
    if (channel === store.nodeChannel) readNodeMessage(bytes, (roomId, message) => this.#onRoomMessage(roomId, message))
    else this.#onRoomMessage(store.roomOf(channel), bytes)
  }

  #onRoomMessage (roomId: string, bytes: Buffer): void {
    const { store, members, monotonic, lateResults = 0 } = this.#options
    const cursor = this.#cursors.get(roomId)
    if (!cursor) return
    const message = readMessage(bytes, store.frames)
    switch (message.kind) {
      case 'entry': return this.#sync.receive(cursor, message.entry)
      case 'deadline': return cursor.setDeadline(message.deadline, monotonic(), message.left, lateResults)
      case 'stalled': return this.listener.stalled(cursor.roomId, message.stall)
      case 'closed': return this.end(cursor.roomId, 'closed')
      case 'members': if (members.applyAnnouncement(cursor.remoteMembers, message.node, message.json)) this.#emitRemoteMembers(cursor)
    }
  }

  /** Notes that an event of ours is on its way to Redis. @returns the cursor of its room, for onAnswer() */
  onPublish (roomId: string): RoomCursor | undefined {
    const cursor = this.#cursors.get(roomId)
    if (cursor) cursor.unanswered++
    return cursor
  }

  /** Notes the answer to an event of ours, after published(). */
  onAnswer (cursor: RoomCursor | undefined, answer: { isLost: boolean }): void { if (cursor) this.#sync.onAnswer(cursor, answer) }

  /** Delivers our own accepted event. In a cluster it also comes from the channel, and the later one of the two is dropped. */
  published (roomId: string, draft: EventDraft, { epoch, seq }: Published): void {
    const cursor = this.#cursors.get(roomId)
    if (!cursor || cursor.hasSeen({ epoch, seq })) return
    this.#sync.receive(cursor, { epoch, seq, origin: draft.origin, frame: eventFrame(draft, seq, this.#options.store.frames) }, { isOwn: true })
  }

  /** Compares the result of a read with the room's cursor. @returns the result for the caller of the read */
  async reconcile (roomId: string, room: StoredRoom | Failure): Promise<StoredRoom | Failure> {
    const cursor = this.#openCursor(roomId)
    if (!cursor) return room
    if (room instanceof Failure) {
      // Redis lost a room that has members here: reopen it, which tells its members that their position is lost. The caller may retry.
      if (room.code !== 'ROOM_NOT_FOUND') return room
      await this.#sync.catchUp(cursor)
      return new Failure('UNAVAILABLE')
    }
    // The epoch changed before an entry of the new log arrived: declare the old position lost, so that late entries of the old log are dropped.
    if (room.epoch !== cursor.epoch) this.#sync.lose(cursor, room)
    return room
  }

  // --- periodic work ---

  /** Ends the rooms that are due, and reports the links whose deadline has passed. */
  expire (): void {
    const { monotonic, runInBackground } = this.#options
    const now = monotonic()
    for (const cursor of this.#cursors.values()) {
      if (cursor.endsAt <= now) this.end(cursor.roomId, 'expired')
      else if (cursor.expiresAt <= now && cursor.expired !== cursor.deadline) runInBackground(this.#expireLink(cursor))
    }
  }

  async #expireLink (cursor: RoomCursor): Promise<void> {
    const { deadline } = cursor
    cursor.expired = deadline
    if (!await this.#options.onDeadline(cursor.roomId, deadline)) cursor.expired = 0
  }

  /** Fills known gaps, checks for unknown ones, and renews the retention of occupied rooms. */
  async tick (): Promise<void> { await this.#sync.tick(this.#cursors.values()) }

  async checkAll (): Promise<void> {
    const open = [...this.#cursors.values()].filter(({ preOpenBuffer }) => !preOpenBuffer)
    for (const cursors of batches(open)) await Promise.all(cursors.map((cursor) => this.#sync.check(cursor)))
  }

  /** Removes the members of a dead node from all rooms. */
  forgetNode (node: string): void {
    for (const cursor of this.#cursors.values()) if (cursor.remoteMembers.delete(node)) this.#emitRemoteMembers(cursor)
  }

  end (roomId: string, cause: CloseCause): void {
    const cursor = this.#cursors.get(roomId)
    if (!cursor) return
    this.#drop(cursor)
    this.#options.members.forget(roomId)
    this.listener.closed(roomId, cause)
  }

  /** End of a room, ms since the epoch. A subscribed room without a deadline always has a full retention left. */
  expiry (roomId: string, { expiresAt, readAt }: StoredRoom): number {
    return this.#cursors.get(roomId)?.expiresAt === Infinity ? readAt + this.#options.retention : expiresAt
  }

  // --- cursors ---

  #isLive (cursor: RoomCursor): boolean { return this.#cursors.get(cursor.roomId) === cursor }

  /** The room's cursor, once the room is open in Redis. */
  #openCursor (roomId: string): RoomCursor | undefined {
    const cursor = this.#cursors.get(roomId)
    return cursor?.preOpenBuffer ? undefined : cursor
  }

  /** Unsubscribes from the room, and from its channel where it has one. If the command fails, the connection is gone and the channel with it. */
  #drop ({ roomId }: RoomCursor): void {
    const { connection: { subscriber }, store } = this.#options
    this.#cursors.delete(roomId)
    if (store.nodeChannel === undefined) subscriber.sunsubscribe(store.channel(roomId)).catch(() => {})
  }

  #emitRemoteMembers ({ roomId, remoteMembers }: RoomCursor): void { this.listener.remoteMembers(roomId, listOf(remoteMembers)) }
}

/** Members of all nodes as one list. */
export function listOf (members: ReadonlyMap<string, RoomMember[]>): RoomMember[] { return [...members.values()].flat() }

function batches<T> (items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, i) => items.slice(i * BATCH, (i + 1) * BATCH))
}
