// A payment provider: verifies a delivery of its webhooks, and translates what it says into events. One file each; the table is in providers.ts.
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

/** A verified delivery. No results: the event concerns no payment. */
export interface Delivered { readonly results: readonly ProviderResult[] }

/** A delivery that is not taken: 400 if it is no JSON, 401 if it is not the provider's, 503 if it should come again. */
export interface Refusal { readonly status: 400 | 401 | 503, readonly reason: string }

export interface Provider {
  /** Never throws for any bytes. */
  read: (request: ProviderRequest) => MaybePromise<Delivered | Refusal>
  /** Body of the response to a delivery that was taken, if the provider demands one. */
  readonly answer?: string
}

/** Largest difference between the time of a signature and ours, s. */
export const TOLERANCE = 300

/** Parses a verified body. @returns a refusal if it is not a JSON object */
export function parseBody (body: Buffer): Readonly<Record<string, any>> | Refusal {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    if (typeof value === 'object' && value !== null) return value
  } catch { /* answered below */ }
  return { status: 400, reason: 'the body is not a JSON object' }
}

export function isRefusal (answer: object): answer is Refusal { return 'status' in answer && 'reason' in answer }

/** First value of a header. */
export function headerOf ({ headers }: ProviderRequest, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** Omits keys without a value: providers send null for what they do not know, and the protocol takes no null. */
export function present (payload: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined && value !== null && value !== ''))
}

/** Decimal text of an integer of minor units: 9990 with 2 decimals is `99.90`. */
export function decimalOf (minor: unknown, digits: number): string | undefined {
  if (typeof minor !== 'number' || !Number.isSafeInteger(minor) || minor < 0) return undefined
  const text = String(minor).padStart(digits + 1, '0')
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
}
