// Event drafts: an event on its way into a room's log, serialised once except for the sequence number that the log assigns.
import { hash } from 'node:crypto'
import { createRequire } from 'node:module'
import type { EventPayload, Source } from '../protocol/events.js'
import type { FrameWriter, WireFrame } from '../websocket/frame-writer.js'

// Required: an import would make Node.js compile the library twice.
const { stringify: stableStringify } = createRequire(import.meta.url)('safe-stable-stringify') as typeof import('safe-stable-stringify')

/** A deduplication key under which the log remembers an event. */
export interface DraftKey {
  readonly name: string
  /** `request`: an HTTP Idempotency-Key; a repetition gets the first answer. `event`: the event's own id; a repetition is a duplicate. */
  readonly kind: 'request' | 'event'
}

/** An event to publish, serialised except for the `seq` that the log assigns. */
export interface EventDraft extends EventBody {
  readonly source: Source
  /** True if a backend published the event and proved its identity: its result is then a fact, not a claim. */
  readonly verified: boolean
  /** Time of acceptance by the server, ms since the epoch. */
  readonly timestamp: number
  /** Deduplication keys; the log recognises a repeated event by any of them. */
  readonly keys: readonly DraftKey[] | undefined
  /** See {@link DraftOptions}. */
  readonly hasServerTimestamp: boolean
  /** Outgoing JSON up to the end of the payload, and from the timestamp on. Only `seq` is inserted between them, so nothing is serialised twice. */
  readonly jsonPrefix: string
  readonly jsonSuffix: string
  /** True if the outgoing JSON is known to be ASCII. */
  readonly isAscii: boolean
  /** Client id of the sender, which does not receive its own event live. */
  readonly origin: string | undefined
  /** See {@link DraftOptions}. */
  readonly ttl: number | undefined
  readonly due: number | undefined
}

/** A validated event. */
export interface EventBody {
  readonly type: string
  readonly payload: EventPayload
  readonly id?: string | undefined
  /** See {@link ClientFrame}. */
  readonly jsonPrefix?: string | undefined
  /** True if card numbers are masked in the payload. */
  readonly redacted?: boolean | undefined
}

export interface DraftOptions {
  readonly source: Source
  readonly verified?: boolean | undefined
  readonly timestamp: number
  readonly origin?: string | undefined
  /** HTTP `Idempotency-Key`: a repeated request with the same key publishes one event. */
  readonly idempotencyKey?: string | undefined
  /** True if the server added `timestamp` to the payload. A repetition may differ from the first event in this value. */
  readonly hasServerTimestamp?: boolean
  /** New time until the deadline of the payment link, ms. */
  readonly ttl?: number | undefined
  /** The deadline that has passed, ms since the epoch; another deadline of the link makes the event untrue. */
  readonly due?: number | undefined
}

/** JSON suffixes with the timestamp and source of an event. Cached, because many events of a busy server share theirs: building it takes 4 % of an event in a burst. */
export class EventStamps {
  #timestamp = 0
  #source: Source = 'device'
  #text = ''

  textOf (timestamp: number, source: Source): string {
    if (timestamp !== this.#timestamp || source !== this.#source) {
      this.#timestamp = timestamp
      this.#source = source
      this.#text = `,"timestamp":${timestamp},"source":"${source}"}`
    }
    return this.#text
  }
}

/** Serialises an event once, from its validated payload. @param stamps those of all events of the publisher */
export function draftEvent (event: EventBody, options: DraftOptions, stamps = new EventStamps()): EventDraft {
  const { type, payload, id, jsonPrefix, redacted } = event
  const { source, verified = false, timestamp, origin, hasServerTimestamp = false, ttl, due } = options
  // `type` is one of our own event names or has passed the eventType pattern, so it needs no escaping; an `id` may contain quotes.
  const stamp = stamps.textOf(timestamp, source)
  const beside = (redacted ? ',"redacted":true' : '') + (id === undefined ? '' : `,"id":${JSON.stringify(id)}`)
  return {
    type,
    payload,
    id,
    source,
    verified,
    timestamp,
    jsonPrefix: jsonPrefix ?? `{"type":"${type}","payload":${JSON.stringify(payload)}`,
    jsonSuffix: beside === '' ? stamp : `${stamp.slice(0, -1)}${beside}}`,
    isAscii: jsonPrefix !== undefined,
    origin,
    ttl,
    due,
    keys: keysOf({ id, source, verified }, options.idempotencyKey),
    hasServerTimestamp
  }
}

/** The event at the deadline of a payment link. Its id makes it one event, on whichever node it is noticed. @param deadline ms since the epoch */
export function expiryDraft (roomId: string, deadline: number): EventDraft {
  return draftEvent({ type: 'PAYMENT_EXPIRED', payload: { roomId }, id: `expired:${deadline}` }, { source: 'server', verified: true, timestamp: deadline, due: deadline })
}

/** Prefix of the key of a request. */
const REQUEST = 'request '

/** @returns the HTTP Idempotency-Key among the keys of an event */
export function idempotencyKeyIn (keys: readonly DraftKey[] | undefined): string | undefined {
  const first = keys?.[0]
  return first?.kind === 'request' ? first.name.slice(REQUEST.length) : undefined
}

/** @param name of a key, as {@link keysOf} builds it */
export function keyNamed (name: string): DraftKey { return { name, kind: name.startsWith(REQUEST) ? 'request' : 'event' } }

/** Deduplication keys of an event. @param idempotencyKey that of the request */
export function keysOf ({ id, source, verified }: Pick<EventDraft, 'id' | 'source' | 'verified'>, idempotencyKey: string | undefined): DraftKey[] | undefined {
  if (id === undefined && idempotencyKey === undefined) return undefined
  const keys: DraftKey[] = []
  if (idempotencyKey !== undefined) keys.push({ name: REQUEST + idempotencyKey, kind: 'request' })
  // Devices, backends and the server have separate namespaces: a device cannot take the id under which a backend will confirm.
  const sender = source === 'server' ? 'server' : verified ? 'backend' : 'device'
  if (id !== undefined) keys.push({ name: `${sender} ${id}`, kind: 'event' })
  return keys
}

/** An event as read from the log, with its time of acceptance in ms since the epoch. */
export interface LoggedEvent extends EventBody { readonly timestamp: number, readonly source: Source }

/** @param text JSON of an event, as returned by {@link eventText} */
export function readEvent (text: string): LoggedEvent { return JSON.parse(text) as LoggedEvent }

/** True if the draft repeats the event that the log has under the same key. False: the key was used for two different events. */
export function isSameEvent (draft: EventDraft, logged: EventBody, key: DraftKey): boolean {
  return canonicalBody(draft, draft, key) === canonicalBody(logged, draft, key)
}

/** Digest of an event under a key, for a log that cannot read its events: the same key with another digest is a conflict. */
export function fingerprintOf (draft: EventDraft, key: DraftKey): string { return hash('sha1', canonicalBody(draft, draft, key), 'base64') }

/** Canonical text of everything that a repetition must share with the first event. */
function canonicalBody ({ type, payload, id }: EventBody, { hasServerTimestamp }: EventDraft, { kind }: DraftKey): string {
  const body = `${type} ${stableStringify(hasServerTimestamp ? { ...payload, timestamp: 0 } : payload)}`
  return kind === 'request' ? `${id} ${body}` : body
}

/** JSON key in front of the event's sequence number. */
export const SEQ = ',"seq":'

/** The JSON message that every member receives. */
export function eventText ({ jsonPrefix, jsonSuffix }: EventDraft, seq: number): string { return jsonPrefix + SEQ + seq + jsonSuffix }

/** The same message as a WebSocket frame, which the log keeps and members receive. */
export function eventFrame (draft: EventDraft, seq: number, frames: FrameWriter): WireFrame {
  const { jsonPrefix, jsonSuffix, isAscii } = draft
  return isAscii ? frames.encodeEvent(jsonPrefix, SEQ, seq, jsonSuffix) : frames.encodeText(eventText(draft, seq))
}
