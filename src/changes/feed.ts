// The feed of the changes of all rooms: a bounded, ordered buffer that is read from a position. Types, the order of positions, and the form of a page.
import type { RoomChange } from '../broker/broker.js'
import type { Failure } from '../errors.js'
import type { MaybePromise } from '../maybe-promise.js'
import type { ChangeList, Notification } from '../protocol/notifications.js'

/** Number of entries that a feed keeps. */
export const FEED_SIZE = 10_000
/** Largest number of entries of one page. */
export const PAGE_SIZE = 500

/** A change, or a place where changes may be missing: a node has died, or the storage was away. */
export interface FeedEntry {
  /** Position: two numbers with a dash between. */
  readonly id: string
  /** JSON of the notification; undefined for a gap. */
  readonly text: string | undefined
}

/** The entries after a position. */
export interface FeedPage {
  /** False if entries after the position are no longer kept, or the position is none of this feed; the page is then empty. */
  readonly isComplete: boolean
  /** At most PAGE_SIZE. */
  readonly entries: readonly FeedEntry[]
  /** Position of the last entry of the page, or, without a position to read after, of the feed. */
  readonly end: string
}

export interface ChangeFeed {
  /** Adds a change that this node made. */
  push: (change: RoomChange) => void
  /** Adds a gap: changes of this or another node may be missing. */
  pushGap: () => void
  /** @param after the position; undefined: the end of the feed */
  read: (after?: string) => MaybePromise<FeedPage | Failure>
  /** Receives each entry that is added from now on, in order; perhaps also a few that were there before. @returns ends the subscription */
  follow: (listener: (entry: FeedEntry) => void) => MaybePromise<(() => void) | Failure>
  close: () => void
}

/** A page as the REST API returns it. */
export function changeListOf ({ isComplete, entries, end }: FeedPage): ChangeList {
  const changes = entries.filter(({ text }) => text !== undefined)
  return {
    changes: changes.map(({ id, text }) => ({ position: id, ...JSON.parse(text!) as Notification })),
    position: end,
    complete: isComplete && changes.length === entries.length,
    more: entries.length === PAGE_SIZE
  }
}

const POSITION = /^(\d{1,16})-(\d{1,16})$/

export function isPosition (id: string): boolean { return POSITION.test(id) }

/** True if a position comes after another one of the same feed. */
export function isAfter (id: string, other: string): boolean {
  const [, major, minor] = POSITION.exec(id)!
  const [, otherMajor, otherMinor] = POSITION.exec(other)!
  return major === otherMajor ? Number(minor) > Number(otherMinor) : Number(major) > Number(otherMajor)
}
