// Consequences of a refusal by the server: one table for sockets, streams and requests.
import type { Environment, ResponseLike } from './environment.js'
import { RoomError } from './frames.js'

/** Time for which a missing room is looked for, ms. A server in memory loses its rooms with a restart, and its backend creates them again. */
export const ROOM_GRACE = 900_000

/** Statuses after which the same request can succeed later, besides every 5xx: a timeout, too early, too many requests. */
const PASSING: readonly number[] = [408, 425, 429]
/** Codes with another status that pass: a member leaves; a proxy does not forward the path yet. */
const PASSING_CODES = /^(ROOM_(FULL|TAKEN)|NOT_FOUND)$/
/** Codes about the access to the room. Over a socket they answer a join and never an event. */
const OF_ACCESS: readonly string[] = ['INVALID_TOKEN', 'TOKEN_EXPIRED', 'UNAUTHORIZED', 'ROOM_NOT_FOUND']

/**
 * Reads the refusal in a response.
 * @throws if the response is not one of the server's: that of a proxy says nothing about the room
 */
export async function refusalOf (response: ResponseLike): Promise<RoomError> {
  const { status } = response
  const { code, error } = await response.json()
  if (typeof code !== 'string') throw new Error(`status ${status}`)
  return new RoomError(code as RoomError['code'], error, status >= 500 || PASSING.includes(status) || PASSING_CODES.test(code))
}

/** @returns whether a refused request to publish is about the room and not about its event */
export function isOfAccess ({ code }: RoomError): boolean { return OF_ACCESS.includes(code) }

export interface JoinRefusals {
  /** @returns whether the refusal ends the client; otherwise it joins again later */
  readonly isFinal: (error: RoomError) => boolean
  /** Called after a join, and at the end. */
  readonly reset: () => void
}

/** Decides on refused joins. @param token option of `connect` */
export function joinRefusals ({ setTimeout, clearTimeout }: Environment, token: unknown): JoinRefusals {
  let grace: unknown
  let isGraceOver = false
  return {
    isFinal: ({ code, retryable }) => {
      if (code === 'TOKEN_EXPIRED') return typeof token !== 'function'
      // The server looks at the token first, so the token is valid.
      if (code !== 'ROOM_NOT_FOUND' || token === undefined) return !retryable
      grace ??= setTimeout(() => { isGraceOver = true }, ROOM_GRACE)
      return isGraceOver
    },
    reset: () => {
      clearTimeout(grace)
      grace = undefined
      isGraceOver = false
    }
  }
}
