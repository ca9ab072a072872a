// Listing of rooms, the same for every broker: a page of those that match, after a bounded number of looks.
import { Failure } from '../errors.js'
import type { MaybePromise } from '../maybe-promise.js'
import type { RoomPage, RoomQuery, RoomSummary } from './broker.js'

/** Rooms that one listing looks at: more than the largest page, so that a listing without a filter always fills its page. */
export const MAX_LOOKED_AT = 2_000

/** Rooms that are read at once while a filter drops an unknown share of them. */
const READ_AT_ONCE = 200

/** A room by its place in the order of their starts. */
export interface NumberedRoom { readonly roomId: string, readonly number: number }

/** The rooms of a broker in the order of their starts, which may name rooms that have ended. */
export interface RoomSource {
  /** @returns at most `limit` rooms beyond the number `after`, in the direction of the sort; from the first one if that is undefined */
  numbered: (order: { readonly after: number | undefined, readonly limit: number, readonly sort: RoomQuery['sort'] }) => MaybePromise<readonly NumberedRoom[] | Failure>
  /** @returns the rooms in the same order, undefined for one that has ended */
  summaries: (rooms: readonly NumberedRoom[]) => MaybePromise<ReadonlyArray<RoomSummary | undefined> | Failure>
}

/** Lists the rooms that match. A page may be short, or empty, and still have a cursor: then the bound was reached first. */
export async function listMatching ({ limit, cursor, sort, ...filter }: RoomQuery, source: RoomSource): Promise<RoomPage | Failure> {
  const matches = matcherOf(filter)
  const rooms: RoomSummary[] = []
  let after = cursor
  for (let looked = 0; looked < MAX_LOOKED_AT;) {
    const wanted = Math.min(matches ? READ_AT_ONCE : limit - rooms.length + 1, MAX_LOOKED_AT - looked)
    const numbered = await source.numbered({ after, limit: wanted, sort })
    if (numbered instanceof Failure) return numbered
    const summaries = await source.summaries(numbered)
    if (summaries instanceof Failure) return summaries
    for (const [i, { number }] of numbered.entries()) {
      const room = summaries[i]
      if (room && (!matches || matches(room))) {
        if (rooms.length === limit) return { rooms, cursor: after! }
        rooms.push(room)
      }
      after = number
    }
    if (numbered.length < wanted) return { rooms }
    looked += numbered.length
  }
  return { rooms, cursor: after! }
}

/** @returns undefined for a filter that every room passes */
function matcherOf ({ statuses, step, stalled, text }: Omit<RoomQuery, 'limit' | 'cursor' | 'sort'>): ((room: RoomSummary) => boolean) | undefined {
  const sought = text?.toLowerCase()
  if (statuses === undefined && step === undefined && stalled === undefined && sought === undefined) return undefined
  return ({ roomId, link, state, isStalled }) =>
    (statuses?.includes(state.status) ?? true) && (step === undefined || state.step === step) && (stalled === undefined || isStalled === stalled) &&
    (sought === undefined || roomId.toLowerCase().includes(sought) || (link?.reference?.toLowerCase().includes(sought) ?? false))
}
