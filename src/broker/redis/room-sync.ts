// Keeps the cursor of a subscribed room in step with the room in Redis: opens and renews the room, and reads entries that the channel did not bring.
import { Failure } from '../../errors.js'
import type { CloseCause, LogEntry, Position } from '../broker.js'
import type { Members } from './members.js'
import type { RoomCursor } from './room-cursor.js'
import type { MemberFields, RoomStore, StoredRoom } from './store.js'

/** Interval at which each room's position is compared with its log, ms: the last event of a room is its result, and no later event would reveal its loss. */
export const CHECK_INTERVAL = 10_000

export interface RoomSyncOptions {
  readonly store: RoomStore
  readonly members: Members
  readonly retention: number
  /** Time after the deadline of a link in which results are still taken, ms. */
  readonly lateResults?: number | undefined
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Called when a room starts. */
  readonly onBegan: (roomId: string) => void
  /** Called when a room is renewed, so that it can be restored in the index. */
  readonly onRenewed: (roomId: string) => Promise<unknown>
  /** Takes work that no caller awaits. */
  readonly runInBackground: (work: Promise<unknown>) => void
}

/** Receives the results for a cursor. */
export interface CursorListener {
  /** Returns false once the cursor's room is no longer subscribed. */
  isLive: (cursor: RoomCursor) => boolean
  /** The next entry, in order. */
  onEntry: (cursor: RoomCursor, entry: LogEntry) => void
  /** Entries before the cursor's position are lost. */
  onLost: (cursor: RoomCursor) => void
  onEnded: (cursor: RoomCursor, cause: CloseCause) => void
  onRemoteMembers: (cursor: RoomCursor) => void
}

export class RoomSync {
  readonly #options: RoomSyncOptions
  readonly #listener: CursorListener

  constructor (options: RoomSyncOptions, listener: CursorListener) {
    this.#options = options
    this.#listener = listener
  }

  /** Takes an entry from the channel, from a read, or from our own publish (`isOwn`), whose answer may come before another node's earlier entry, or after a later one. */
  receive (cursor: RoomCursor, entry: LogEntry, { isOwn = false } = {}): void {
    if (cursor.preOpenBuffer) {
      cursor.preOpenBuffer.push({ entry, isOwn })
      return
    }
    const verdict = cursor.advance(entry)
    if (verdict === 'next') {
      for (let next: LogEntry | undefined = entry; next; next = cursor.takeHeld()) this.#listener.onEntry(cursor, next)
    } else if (verdict === 'gap') {
      this.#onGap(cursor, entry, isOwn)
    }
  }

  /** Handles an event of ours that Redis has answered, or whose answer is lost (`isLost`): it may be in the log, and no channel brings it. */
  onAnswer (cursor: RoomCursor, { isLost }: { isLost: boolean }): void {
    cursor.unanswered--
    if (isLost) cursor.needsCatchUp = true
    if (cursor.unanswered > 0 || !cursor.awaitsAnswer) return
    cursor.awaitsAnswer = false
    if (cursor.hasGap && this.#listener.isLive(cursor)) this.#options.runInBackground(this.catchUp(cursor))
  }

  #onGap (cursor: RoomCursor, entry: LogEntry, isOwn: boolean): void {
    const isSameLog = entry.epoch === cursor.epoch
    // Another node's earlier entry is still in the channel. If it never arrives, the next tick reads it.
    if (isOwn && isSameLog) return cursor.hold(entry)
    if (cursor.unanswered > 0 && isSameLog) {
      cursor.awaitsAnswer = true
      return cursor.hold(entry)
    }
    // A channel keeps its order, so the missing entries were lost on their way.
    this.#options.runInBackground(this.catchUp(cursor))
  }

  /**
   * Opens or renews the room. The cursor starts there, or starts again at a new epoch.
   * @param create open a missing room. The default applies to a room that has members, which is reopened even if members may not create rooms
   * @returns the room, undefined if it is no longer subscribed
   */
  async open (cursor: RoomCursor, create = true): Promise<StoredRoom | Failure | undefined> {
    const { store, monotonic, lateResults = 0, onBegan } = this.#options
    const { roomId } = cursor
    // Read the clock before the request, so that the room never ends later here than in Redis.
    const requestedAt = monotonic()
    const room = await store.open(roomId, create)
    if (room instanceof Failure) return room
    if (room.isNew) onBegan(roomId)
    if (!this.#listener.isLive(cursor)) return undefined
    cursor.setDeadline(room.deadline ?? 0, requestedAt, room.left, lateResults)
    cursor.renewedAt = requestedAt
    const { preOpenBuffer } = cursor
    if (preOpenBuffer) {
      cursor.begin(room)
      cursor.checkedAt = cursor.renewedAt
      // The channel and the answers to our own events are not in step: in the order of the log, no entry that is there is missing.
      preOpenBuffer.sort((a, b) => a.entry.seq - b.entry.seq)
      for (const { entry, isOwn } of preOpenBuffer) this.receive(cursor, entry, { isOwn })
    } else if (room.epoch !== cursor.epoch) {
      // In the same tick: the first entry of the new log may follow directly.
      this.lose(cursor, room)
    }
    // If the room's seq shows that events were missed here, the next check finds them.
    if (!this.#listener.isLive(cursor)) return undefined
    this.#setRemoteMembers(cursor, room.members)
    return room
  }

  /** Fills known gaps, checks for unknown ones, and renews the retention of occupied rooms. */
  async tick (cursors: Iterable<RoomCursor>): Promise<void> {
    const now = this.#options.monotonic()
    const work: Array<Promise<unknown>> = []
    for (const cursor of cursors) {
      if (cursor.preOpenBuffer) continue
      if (cursor.hasGap) work.push(this.catchUp(cursor))
      else if (now - cursor.checkedAt >= CHECK_INTERVAL) work.push(this.check(cursor))
      if (now - cursor.renewedAt >= this.#options.retention / 4) work.push(this.#renew(cursor))
    }
    await Promise.all(work)
  }

  /** Compares positions, and reads the log only if they differ. */
  async check (cursor: RoomCursor): Promise<void> {
    cursor.checkedAt = this.#options.monotonic()
    const position = await this.#options.store.position(cursor.roomId)
    if (!this.#listener.isLive(cursor)) return
    if (position instanceof Failure) {
      cursor.needsCatchUp = true
      return
    }
    // Redis lost the registration of this node, as after a failover. Entries until it is registered again are not sent to it.
    if (!position.isRegistered) await this.#renew(cursor)
    if (!position.isRegistered || !cursor.isAt(position)) await this.catchUp(cursor)
  }

  /** Reads the missing entries and delivers them, or reports them as lost. */
  async catchUp (cursor: RoomCursor): Promise<void> {
    if (cursor.catchingUp !== 'idle') {
      cursor.catchingUp = 'again'
      return
    }
    const { store, monotonic } = this.#options
    do {
      cursor.catchingUp = 'reading'
      cursor.needsCatchUp = false
      const room = await store.read(cursor.roomId, cursor)
      if (!this.#listener.isLive(cursor)) return
      if (room instanceof Failure) {
        if (room.code === 'ROOM_CLOSED') return this.#listener.onEnded(cursor, cursor.endsAt <= monotonic() ? 'expired' : 'closed')
        // Redis lost the room: its members continue with a new log.
        if (room.code !== 'ROOM_NOT_FOUND' || await this.open(cursor) instanceof Failure) cursor.needsCatchUp = true
        break
      }
      if (room.recovered) for (const entry of room.entries) this.receive(cursor, entry)
      else this.lose(cursor, room)
    } while (this.#isAgain(cursor))
    cursor.catchingUp = 'idle'
  }

  /** Moves the cursor to a position and reports the entries before it as lost. */
  lose (cursor: RoomCursor, position: Position): void {
    cursor.begin(position)
    this.#listener.onLost(cursor)
  }

  // A function, because the compiler cannot know that `catchingUp` changes during an await.
  #isAgain ({ catchingUp }: RoomCursor): boolean { return catchingUp === 'again' }

  /** Renews an occupied room, and restores its index entry and members, which Redis may have lost. */
  async #renew (cursor: RoomCursor): Promise<void> {
    const { members, onRenewed } = this.#options
    if (await this.open(cursor) instanceof Failure || !this.#listener.isLive(cursor)) return
    await Promise.all([onRenewed(cursor.roomId), members.repeat(cursor.roomId)])
  }

  #setRemoteMembers (cursor: RoomCursor, fields: MemberFields): void {
    const hadMembers = cursor.remoteMembers.size > 0
    cursor.remoteMembers = this.#options.members.remoteMembers(fields)
    if (hadMembers || cursor.remoteMembers.size > 0) this.#listener.onRemoteMembers(cursor)
  }
}
