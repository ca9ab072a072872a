// A payment provider: verifies a delivery of its webhooks, and translates what it says into events. One file each; the table is in providers.ts.
import { hash, timingSafeEqual } from 'node:crypto'
import type { MaybePromise } from '../maybe-promise.js'
import type { PaymentEventType } from '../protocol/events.js'

/** A webhook request as it arrived. Nothing of it may be trusted or parsed before it is verified. */
export interface ProviderRequest {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly query: Readonly<Record<string, unknown>>
  /** Time of arrival, ms since the epoch. */
  readonly now: number
}

/** One fact about a payment. */
export interface ProviderResult {
  readonly type: PaymentEventType
  readonly payload: Readonly<Record<string, unknown>>
  /** Id of the room, or reference of the payment link. */
  readonly room?: string | undefined
  /** Name of the payment at the provider, by which later facts without a `room` find it. */
  readonly payment: string
  /** The same for every delivery of the fact: payment and status. */
  readonly id: string
}

/** A fact as an adapter reads it. `payment` and `status` together name it: they are the same in every delivery of the fact. */
export interface Fact extends Pick<ProviderResult, 'type' | 'payload' | 'payment'> { readonly status: string }

/** A JSON object of a provider, whose values may have any type. */
export type ProviderObject = Readonly<Record<string, any>>

/** A verified delivery. No results: the event concerns no payment. */
export interface Delivered { readonly results: readonly ProviderResult[] }

/** A delivery that is not taken: 400 if it is no JSON, 401 if it is not the provider's, 503 if it should come again. `forOperator`: a setting is wrong. */
export interface Refusal { readonly status: 400 | 401 | 503, readonly reason: string, readonly forOperator?: true }

export interface Provider {
  /** Never throws for any bytes. */
  read: (request: ProviderRequest) => MaybePromise<Delivered | Refusal>
  /** Body of the response to a delivery that was taken, if the provider demands one. */
  readonly answer?: string
}

/** Largest difference between the time of a signature and ours, s. */
export const TOLERANCE = 300

/** Answer to a body that {@link parseBody} cannot read. */
export const NOT_JSON: Refusal = { status: 400, reason: 'the body is not a JSON object' }

/** Parses a verified body. @returns undefined if it is not a JSON object */
export function parseBody (body: Buffer): ProviderObject | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject (value: unknown): value is ProviderObject { return typeof value === 'object' && value !== null && !Array.isArray(value) }

/** The object, or an empty one for any other value. */
export function objectOf (value: unknown): ProviderObject { return isObject(value) ? value : {} }

/** The objects in an array; none for any other value. */
export function objectsIn (value: unknown): ProviderObject[] { return Array.isArray(value) ? value.filter(isObject) : [] }

/** Row of a table of the provider's words; undefined for words that are not in it. */
export function rowOf<Row> (table: Readonly<Record<string, Row>>, word: unknown): Row | undefined {
  return typeof word === 'string' && Object.hasOwn(table, word) ? table[word] : undefined
}

/** @param room id of the room or reference of the link, if the provider names one */
export function resultOf ({ status, payload, ...fact }: Fact, room: unknown): ProviderResult {
  return { ...fact, payload: present(payload), id: `${fact.payment}:${status}`, ...(room !== undefined && room !== null && room !== '' && { room: String(room) }) }
}

/** Compares a received secret with the configured ones, in constant time: the duration reveals neither a length, nor a beginning, nor a position in the list. */
export function matches (given: string, secrets: readonly string[]): boolean {
  const candidate = hash('sha256', given, 'buffer')
  return secrets.reduce((found, secret) => timingSafeEqual(hash('sha256', secret, 'buffer'), candidate) || found, false)
}

/** First value of a header. */
export function headerOf ({ headers }: ProviderRequest, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** Omits keys without a value: providers send null for what they do not know, and the protocol takes no null. */
function present (payload: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined && value !== null && value !== ''))
}

/** Decimal text of an amount in units of the currency, as a number or as text: sums of doubles may have more than its decimals. */
export function centsOf (amount: unknown): unknown { return typeof amount === 'number' ? amount.toFixed(2) : amount }

/** Decimal text of an integer of minor units: 9990 with 2 decimals is `99.90`. */
export function decimalOf (minor: unknown, digits: number): string | undefined {
  if (typeof minor !== 'number' || !Number.isSafeInteger(minor) || minor < 0) return undefined
  const text = String(minor).padStart(digits + 1, '0')
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
}
