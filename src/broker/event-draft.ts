// An event on its way into a room's log: serialised once, but for the sequence number that the log assigns.
import { hash } from 'node:crypto'
import { stringify as stableStringify } from 'safe-stable-stringify'
import type { EventPayload, Source } from '../protocol/events.js'
import { encodeEventFrame, encodeTextFrame, type WireFrame } from '../websocket/frame-writer.js'

/** A name under which the log remembers an event. */
export interface DraftKey {
  readonly name: string
  /** `request`: an HTTP Idempotency-Key, whose repetition gets the first answer. `event`: the event's own id, whose repetition is a duplicate. */
  readonly kind: 'request' | 'event'
}

/** An event on its way into a room's log, already serialised but for the number that the log gives it. */
export interface EventDraft extends EventBody {
  readonly source: Source
  /** A backend said it and proved who it is, so a result is a fact and not a claim. */
  readonly verified: boolean
  /** ms since the epoch, when the server accepted it. */
  readonly timestamp: number
  /** What a repetition has in common with its first; the log knows an event by each of them. */
  readonly keys: readonly DraftKey[] | undefined
  /** See {@link DraftOptions}. */
  readonly hasServerTimestamp: boolean
  /** The outgoing text to the end of the payload, and from the timestamp on: only `seq` is spliced in, nothing is serialised twice. */
  readonly jsonPrefix: string
  readonly jsonSuffix: string
  /** The outgoing text is known to be ASCII. */
  readonly isAscii: boolean
  /** The client that sent it and does not get it back. */
  readonly origin: string | undefined
}

/** What is said, validated. */
export interface EventBody {
  readonly type: string
  readonly payload: EventPayload
  readonly id?: string | undefined
  /** See {@link ClientFrame}. */
  readonly jsonPrefix?: string | undefined
}

export interface DraftOptions {
  readonly source: Source
  readonly verified?: boolean | undefined
  readonly timestamp: number
  readonly origin?: string | undefined
  /** Makes a repeated request one event (an HTTP `Idempotency-Key`). */
  readonly idempotencyKey?: string | undefined
  /** The server has put a `timestamp` into the payload, which a repetition need not have in common with its first. */
  readonly hasServerTimestamp?: boolean
}

/** Serialises an event once, from its validated payload. */
export function draftEvent (event: EventBody, options: DraftOptions): EventDraft {
  const { type, payload, id, jsonPrefix } = event
  const { source, verified = false, timestamp, origin, hasServerTimestamp = false } = options
  // `type` is one of our own names or passed the eventType pattern, so it needs no escaping; an `id` may hold quotes.
  const stamp = stampOf(timestamp, source)
  return {
    type,
    payload,
    id,
    source,
    verified,
    timestamp,
    jsonPrefix: jsonPrefix ?? `{"type":"${type}","payload":${JSON.stringify(payload)}`,
    jsonSuffix: id === undefined ? stamp : `${stamp.slice(0, -1)},"id":${JSON.stringify(id)}}`,
    isAscii: jsonPrefix !== undefined,
    origin,
    keys: keysOf(id, verified, options.idempotencyKey),
    hasServerTimestamp
  }
}

let lastStamp = { timestamp: 0, source: 'device', text: '' }

/** When an event was accepted and where it comes from, to the end of the text. Many events of a busy server have it in common. */
function stampOf (timestamp: number, source: Source): string {
  if (timestamp !== lastStamp.timestamp || source !== lastStamp.source) lastStamp = { timestamp, source, text: `,"timestamp":${timestamp},"source":"${source}"}` }
  return lastStamp.text
}

function keysOf (id: string | undefined, verified: boolean, idempotencyKey: string | undefined): DraftKey[] | undefined {
  if (id === undefined && idempotencyKey === undefined) return undefined
  const keys: DraftKey[] = []
  if (idempotencyKey !== undefined) keys.push({ name: `request ${idempotencyKey}`, kind: 'request' })
  // Devices and backends have name spaces of their own: a phone cannot take the id under which a backend will confirm.
  if (id !== undefined) keys.push({ name: `${verified ? 'backend' : 'device'} ${id}`, kind: 'event' })
  return keys
}

/** An event as a log has it: what was said, and when it was taken in, ms since the epoch. */
export interface LoggedEvent extends EventBody { readonly timestamp: number }

/** @param text of an event, as {@link eventText} gives it */
export function readEvent (text: string): LoggedEvent { return JSON.parse(text) as LoggedEvent }

/** Whether an event repeats one that is in the log under the same key. If not, the key stands for two things. */
export function isSameEvent (draft: EventDraft, logged: EventBody, key: DraftKey): boolean {
  return canonicalBody(draft, draft, key) === canonicalBody(logged, draft, key)
}

/** A digest of what was said under a key: the same name with another one is a conflict. For a log that cannot read its events. */
export function fingerprintOf (draft: EventDraft, key: DraftKey): string { return hash('sha1', canonicalBody(draft, draft, key), 'base64') }

/** All that a repetition must have in common with its first. */
function canonicalBody ({ type, payload, id }: EventBody, { hasServerTimestamp }: EventDraft, { kind }: DraftKey): string {
  const body = `${type} ${stableStringify(hasServerTimestamp ? { ...payload, timestamp: 0 } : payload)}`
  return kind === 'request' ? `${id} ${body}` : body
}

/** What the number of an event is put behind. */
export const SEQ = ',"seq":'

/** What every member receives, as text. */
export function eventText ({ jsonPrefix, jsonSuffix }: EventDraft, seq: number): string { return jsonPrefix + SEQ + seq + jsonSuffix }

/** The same in its frame, which is what members are sent and the log keeps. */
export function eventFrame (draft: EventDraft, seq: number): WireFrame {
  const { jsonPrefix, jsonSuffix, isAscii } = draft
  return isAscii ? encodeEventFrame(jsonPrefix, SEQ, seq, jsonSuffix) : encodeTextFrame(eventText(draft, seq))
}
