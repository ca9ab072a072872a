// Who may do what, as one pure table.
import type { PaymentEventType, Role } from '../protocol/events.js'

/** Who showed a room token: one device, in one room, until the token expires. */
export interface RoomClaims {
  readonly principal: Role
  readonly roomId: string
  /** The only device that may use it; undefined: any. */
  readonly deviceId?: string | undefined
  /** When the token expires, ms by the monotonic clock: a connection that it let in stays so long, however the wall clock is set meanwhile. */
  readonly endsAt: number
}

/** Who speaks: somebody who showed nothing, where nothing is asked for; a device with a token; a backend with an API key, or with one that only reads. */
export type Claims = { readonly principal: 'anyone' | 'backend' | 'reader' } | RoomClaims

/** Somebody who need not prove anything. */
export const ANONYMOUS: Claims = { principal: 'anyone' }

export type Action =
  /** Enters a room and hears it. */
  | { readonly to: 'join', readonly roomId: string, readonly role?: Role | undefined, readonly deviceId?: string | undefined }
  | { readonly to: 'publish', readonly roomId: string, readonly type: PaymentEventType, readonly deviceId?: string | undefined }
  /** Reads a room's events. */
  | { readonly to: 'read', readonly roomId: string }
  /** Looks at the rooms and the server from outside. */
  | { readonly to: 'inspect' }
  /** Creates and closes rooms, mints tokens, speaks as a backend. */
  | { readonly to: 'manage' }

export interface PolicySettings {
  /** Whose word on the result counts: anybody's, or only a backend's. */
  readonly resultsFrom: 'any' | 'backend'
}

type Rule = (claims: Claims, action: Action, settings: PolicySettings) => boolean

const yes: Rule = () => true
const no: Rule = () => false
const ownRoom: Rule = (claims, action) => {
  const { roomId, principal, deviceId } = claims as RoomClaims
  const { roomId: room, role = principal, deviceId: device = deviceId } = action as { roomId?: string, role?: Role, deviceId?: string }
  return room === roomId && role === principal && (deviceId === undefined || device === deviceId)
}
const noResult: Rule = (_claims, action, { resultsFrom }) =>
  resultsFrom === 'any' || ((action as { type?: string }).type !== 'PAYMENT_SUCCESS' && (action as { type?: string }).type !== 'PAYMENT_ERROR')
const both = (first: Rule, second: Rule): Rule => (...about) => first(...about) && second(...about)

const TABLE: Record<Claims['principal'], Record<Action['to'], Rule>> = {
  anyone: { join: yes, publish: noResult, read: yes, inspect: yes, manage: yes },
  device1: { join: ownRoom, publish: no, read: ownRoom, inspect: no, manage: no },
  device2: { join: ownRoom, publish: both(ownRoom, noResult), read: ownRoom, inspect: no, manage: no },
  reader: { join: yes, publish: no, read: yes, inspect: yes, manage: no },
  backend: { join: yes, publish: yes, read: yes, inspect: yes, manage: yes }
}

/** Whether somebody may do something. What the room is like, or whether it exists, plays no part: so a refusal tells nothing of it. */
export function isAllowed (claims: Claims, action: Action, settings: PolicySettings): boolean {
  return TABLE[claims.principal][action.to](claims, action, settings)
}
