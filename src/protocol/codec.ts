// Bytes ↔ frames: decodes what a client sent into a validated frame or a coded failure, and encodes what clients receive.
import { hash } from 'node:crypto'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import type { TObject } from '@sinclair/typebox'
import { Failure } from '../errors.js'
import { holdsCardNumber } from './card-data.js'
import { COMMANDS, EVENTS, EVENT_TYPES, PAYMENT_EVENT_TYPES, type CommandType, type EventPayload, type EventType, type Source } from './events.js'
import { encodeTextFrame, encodeEventFrame, type WireFrame } from '../websocket/frame-writer.js'
import { DeviceId, FrameId, RoomId } from './identifiers.js'
import { FastFrameDecoder } from './fast-decode.js'
import type { ConnectionEstablished, RoomJoined } from './server-frames.js'
import { checkLimits, invalid, isObject, MAX_ITEMS, MAX_KEYS, MAX_STRING } from './limits.js'

/** A client's frame after validation. `payload` is safe to serialise again. */
export interface ClientFrame {
  readonly type: EventType | CommandType
  readonly payload: EventPayload
  readonly id: string | undefined
  /** The text up to the end of the payload as {@link draftEvent} would serialise it, ASCII, where that is what was sent. */
  readonly jsonPrefix?: string
}

/** A refused frame: why, and the frame's `id` where it had a usable one. */
export interface RefusedFrame { readonly failure: Failure, readonly id?: string }

// One compiled schema per event: a union would only say "Expected union value". A Map, because `EVENTS['toString']` exists.
const schemas: Record<string, TObject> = { ...Object.fromEntries(EVENT_TYPES.map((type) => [type, EVENTS[type].schema])), ...COMMANDS }
const checks = new Map<string, TypeCheck<TObject>>(Object.entries(schemas).map(([type, schema]) => [type, TypeCompiler.Compile(schema)]))
const frameId = TypeCompiler.Compile(FrameId)
// What a join says is kept for long, and a string that was cut out of a text keeps all of it; but names are made of their own bytes.
const fastDecoder = new FastFrameDecoder(
  [...PAYMENT_EVENT_TYPES, 'JOIN_ROOM' as const].map((type) => [type, EVENTS[type].schema]), { roomId: RoomId, deviceId: DeviceId }, { keys: MAX_KEYS, items: MAX_ITEMS, string: MAX_STRING })

/**
 * Reads one client frame.
 * @param data holds the text message as it arrived, UTF-8; nothing of it is kept
 * @param start where the message begins in it
 * @param end where it ends
 * @returns the frame, or what is wrong with it; it never throws, whatever the bytes
 */
export function decodeFrame (data: Buffer, start = 0, end = data.length): ClientFrame | RefusedFrame {
  const plain = fastDecoder.read(data, start, end)
  if (plain && (plain.id === undefined || frameId.Check(plain.id))) return plain as ClientFrame
  let frame: unknown
  try {
    frame = JSON.parse(data.toString('utf8', start, end))
  } catch {
    return { failure: new Failure('INVALID_JSON') }
  }
  return checkFrame(frame)
}

/** Validates a parsed frame: its bounds, its envelope and its payload. For what came over a socket and over REST alike. */
export function checkFrame (frame: unknown): ClientFrame | RefusedFrame {
  if (!isObject(frame)) return { failure: new Failure('INVALID_FRAME', 'The frame must be a JSON object.') }
  const failure = checkLimits(frame) ?? checkEnvelope(frame)
  const { id, type, payload = {} } = frame
  if (!failure) return { type: type as ClientFrame['type'], payload: payload as EventPayload, id: id as string | undefined }
  // Whatever is wrong, the offender is told which of its frames it was; but a card number is not repeated.
  return frameId.Check(id) && !holdsCardNumber(id) ? { failure, id } : { failure }
}

/** What is wrong with a frame's id, its type, or what its type asks of the payload. */
function checkEnvelope ({ id, type, payload = {} }: Record<string, unknown>): Failure | undefined {
  if (id !== undefined && !frameId.Check(id)) return invalid('id', 'must be a string of 1–64 printable ASCII characters')
  if (typeof type !== 'string') return invalid('type', 'must be a string')
  const check = checks.get(type)
  if (!check) return new Failure('UNKNOWN_EVENT', `The event type is not known; it must be one of ${EVENT_TYPES.join(', ')}.`)
  if (!isObject(payload)) return invalid('payload', 'must be an object')
  if (check.Check(payload)) return undefined
  const { path, schema, message } = check.Errors(payload).First()!
  const rule = Array.isArray(schema.enum) ? `expected one of ${schema.enum.join(', ')}` : message.charAt(0).toLowerCase() + message.slice(1)
  return invalid(`payload${path.replaceAll('/', '.')}`, rule)
}

/** A name under which the log remembers an event. */
export interface DraftKey {
  readonly name: string
  /** It names the request and not the event: a repetition gets the first answer, and is no duplicate. */
  readonly isRequest: boolean
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
  if (idempotencyKey !== undefined) keys.push({ name: `request ${idempotencyKey}`, isRequest: true })
  // Devices and backends have name spaces of their own: a phone cannot take the id under which a backend will confirm.
  if (id !== undefined) keys.push({ name: `${verified ? 'backend' : 'device'} ${id}`, isRequest: false })
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
function canonicalBody ({ type, payload, id }: EventBody, { hasServerTimestamp }: EventDraft, { isRequest }: DraftKey): string {
  const said = type + canonical(hasServerTimestamp ? { ...payload, timestamp: 0 } : payload)
  return isRequest ? `${id} ${said}` : said
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

/** A frame of the server's own (greeting, reply, error) as text. */
export function encodeFrame (type: string, payload: object, id?: string): string {
  return JSON.stringify(id === undefined ? { type, payload } : { type, payload, id })
}

/** All of the greeting but for whom it greets, and when. */
const [BEFORE_CLIENT = '', BEFORE_TIME = '', AFTER_TIME = ''] = encodeFrame('CONNECTION_ESTABLISHED', {
  clientId: '?', message: 'Connected to the payment server.', timestamp: '?', supportedEvents: EVENT_TYPES
} satisfies Record<keyof ConnectionEstablished, unknown>).split('"?"')

/** `CONNECTION_ESTABLISHED` as text, which is ASCII. @param clientId letters, digits and what else JSON takes as it is */
export function greeting (clientId: string, timestamp: number): string {
  return `${BEFORE_CLIENT}"${clientId}"${BEFORE_TIME}${timestamp}${AFTER_TIME}`
}

/** `ROOM_JOINED` as text. To a device that comes before anything has happened it is put together, which with its frame takes half of the time. */
export function encodeJoined (joined: RoomJoined): string {
  const { roomId, deviceId, clientId, timestamp, epoch, seq, state: { step, status, updatedAt }, recovered, members } = joined
  if (step !== null || status !== 'pending' || recovered !== undefined || members) return encodeFrame('ROOM_JOINED', joined)
  return `{"type":"ROOM_JOINED","payload":{"roomId":"${roomId}","deviceId":${JSON.stringify(deviceId)},"clientId":"${clientId}","timestamp":${timestamp},` +
    `"epoch":"${epoch}","seq":${seq},"state":{"step":null,"status":"pending","updatedAt":${updatedAt}}}}`
}

/** The same text for the same JSON, whatever the order of its keys: a sender that repeats itself need not remember that. */
function canonical (value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  let text = '{'
  for (const key of Object.keys(value).sort()) text += `${JSON.stringify(key)}:${canonical(value[key])},`
  return text
}
