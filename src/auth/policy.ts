// Authorization policy: a pure table of the actions allowed to each kind of principal.
import { EVENTS, isDeviceEvent, PAYMENT_EVENT_TYPES, type PaymentEventType, type Role } from '../protocol/events.js'

/** Claims of a verified room token: one role, in one room, until the token expires. */
export interface RoomClaims {
  readonly principal: Role
  readonly roomId: string
  /** The only device that may use the token; undefined: any device. */
  readonly deviceId?: string | undefined
  /** Expiry, ms of the monotonic clock: a step of the wall clock does not change the lifetime of a connection that the token admitted. */
  readonly endsAt: number
}

/** Authenticated principal: `anyone` where no credentials are required, a device with a room token, a `backend` with an API key, a `reader` with a read-only key. */
export type Claims = { readonly principal: 'anyone' | 'backend' | 'reader' } | RoomClaims

/** Claims of a client where no credentials are required. */
export const ANONYMOUS: Claims = { principal: 'anyone' }

export type Action =
  /** Enters a room and receives its events. */
  | { readonly to: 'join', readonly roomId: string, readonly role?: Role | undefined, readonly deviceId?: string | undefined }
  | { readonly to: 'publish', readonly roomId: string, readonly type: PaymentEventType, readonly deviceId?: string | undefined }
  /** Reads a room's events. */
  | { readonly to: 'read', readonly roomId: string }
  /** Reads the list and details of rooms, and the server's status and metrics. */
  | { readonly to: 'inspect' }
  /** Creates and closes rooms, mints tokens, broadcasts as a backend. */
  | { readonly to: 'manage' }

export const RESULT_SENDERS = ['any', 'backend'] as const

export interface PolicySettings {
  /** Accepted senders of a payment result: any principal, or only a backend. */
  readonly resultsFrom: typeof RESULT_SENDERS[number]
}

type Rule = (claims: Claims, action: Action, settings: PolicySettings) => boolean

const allow: Rule = () => true
const deny: Rule = () => false
const ownRoom: Rule = (claims, action) => {
  const { roomId, principal, deviceId } = claims as RoomClaims
  const { roomId: room, role = principal, deviceId: device = deviceId } = action as { roomId?: string, role?: Role, deviceId?: string }
  return room === roomId && role === principal && (deviceId === undefined || device === deviceId)
}
// The guard of a route checks an action before its body is read, and with it the type.
const typeOf = (action: Action) => (action as { type?: PaymentEventType }).type!
const NOT_OF_DEVICES: ReadonlySet<PaymentEventType> = new Set(PAYMENT_EVENT_TYPES.filter((type) => !isDeviceEvent(type)))
const OF_SERVER: ReadonlySet<PaymentEventType> = new Set(PAYMENT_EVENT_TYPES.filter((type) => EVENTS[type].sentBy === 'server'))
const deviceEvent: Rule = (_claims, action) => !NOT_OF_DEVICES.has(typeOf(action))
const backendEvent: Rule = (_claims, action) => !OF_SERVER.has(typeOf(action))
const noResult: Rule = (_claims, action, { resultsFrom }) =>
  resultsFrom === 'any' || (typeOf(action) !== 'PAYMENT_SUCCESS' && typeOf(action) !== 'PAYMENT_ERROR')
const both = (first: Rule, second: Rule): Rule => (claims, action, settings) => first(claims, action, settings) && second(claims, action, settings)
const deviceMay = both(deviceEvent, noResult)

const TABLE: Record<Claims['principal'], Record<Action['to'], Rule>> = {
  anyone: { join: allow, publish: deviceMay, read: allow, inspect: allow, manage: allow },
  device1: { join: ownRoom, publish: deny, read: ownRoom, inspect: deny, manage: deny },
  device2: { join: ownRoom, publish: both(ownRoom, deviceMay), read: ownRoom, inspect: deny, manage: deny },
  reader: { join: allow, publish: deny, read: allow, inspect: allow, manage: deny },
  backend: { join: allow, publish: backendEvent, read: allow, inspect: allow, manage: allow }
}

/** Checks an action against the policy. The room's state and existence play no part, so a refusal reveals nothing about the room. */
export function isAllowed (claims: Claims, action: Action, settings: PolicySettings): boolean {
  return TABLE[claims.principal][action.to](claims, action, settings)
}
