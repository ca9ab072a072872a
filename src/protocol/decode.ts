// Decodes the bytes of a client's text message into a validated message, or a failure with an error code.
import type { TObject } from '@sinclair/typebox'
import { Errors } from '@sinclair/typebox/errors'
import { Failure } from '../errors.js'
import { cardNumbersIn } from './card-numbers.js'
import { checkOf } from './compiled-checks.js'
import { COMMANDS, DEVICE_EVENT_TYPES, EVENTS, EVENT_TYPES, type CommandType, type EventPayload, type EventType } from './events.js'
import { inexactNumberPath } from './exact-numbers.js'
import { FastFrameDecoder } from './fast-decode.js'
import { MAX_STRING } from './fields.js'
import { DeviceId, FrameId, RoomId } from './identifiers.js'
import { checkLimits, invalid, isObject, MAX_ITEMS, MAX_KEYS, Redaction, violation, type LimitOptions } from './limits.js'
import { hasMoney, moneyFault } from './money.js'

/** A validated client message. `payload` is safe to serialise again. */
export interface ClientFrame {
  readonly type: EventType | CommandType
  readonly payload: EventPayload
  readonly id: string | undefined
  /** ASCII text of the message up to the end of the payload; set only if it is exactly what `draftEvent` (broker/event-draft.ts) would serialise. */
  readonly jsonPrefix?: string
  /** True if card numbers are masked in the payload. */
  readonly redacted?: boolean
}

/** A rejected client message: the failure, and the message's `id` if it is valid. `hasUnusableId`: it has one that cannot be repeated. */
export interface RefusedFrame { readonly failure: Failure, readonly id?: string | undefined, readonly hasUnusableId?: boolean }

// One compiled schema per type: a union would only report "Expected union value". A Map, because `EVENTS['toString']` exists.
const schemas: Record<string, TObject> = { ...Object.fromEntries(EVENT_TYPES.map((type) => [type, EVENTS[type].schema])), ...COMMANDS }
const checks = new Map(Object.entries(schemas).map(([type, schema]) => [type, checkOf(schema)]))
const isFrameId = checkOf(FrameId)
// JOIN_ROOM is safe here although its ids are kept for long: a sliced string retains the whole text, but room and device ids are built from their own bytes.
const fastDecoder = new FastFrameDecoder(
  // JOIN_ROOM last: a socket sends it once.
  [...DEVICE_EVENT_TYPES].reverse().map((type) => [type, EVENTS[type].schema]), { roomId: RoomId, deviceId: DeviceId }, { keys: MAX_KEYS, items: MAX_ITEMS, string: MAX_STRING })

/**
 * Decodes one client message. Never throws, for any bytes.
 * @param data buffer with the text message, UTF-8; no reference to it is kept
 * @param start offset of the message in the buffer
 * @param end end of the message in the buffer, exclusive
 * @returns the message, or the failure
 */
export function decodeFrame (data: Buffer, start = 0, end = data.length): ClientFrame | RefusedFrame {
  const plain = fastDecoder.read(data, start, end)
  if (plain && (plain.id === undefined || isFrameId(plain.id))) return plain as ClientFrame
  const text = data.toString('utf8', start, end)
  let frame: unknown
  try {
    frame = JSON.parse(text)
  } catch {
    return { failure: new Failure('INVALID_JSON') }
  }
  return checkFrame(frame, { text })
}

interface CheckOptions extends LimitOptions {
  /** JSON of the message, in which numbers are looked at as they were written; omitted where that has been done. */
  readonly text?: string
}

/**
 * Validates a parsed message: its limits, envelope and payload. Used for sockets and REST alike. Card numbers in texts are masked in the message itself.
 * @param options the sender, by default a device
 */
export function checkFrame (frame: unknown, { text, ...options }: CheckOptions = {}): ClientFrame | RefusedFrame {
  if (!isObject(frame)) return { failure: new Failure('INVALID_FRAME', 'The message must be a JSON object.') }
  const limits = checkLimits(frame, options)
  const redaction = limits instanceof Redaction ? limits : undefined
  let failure = limits instanceof Failure ? limits : inexactNumber(text) ?? checkEnvelope(frame)
  if (redaction && !failure) {
    redaction.apply()
    if (checkEnvelope(frame)) failure = redaction.failure
  }
  const { id, type, payload = {} } = frame
  if (!failure) {
    const read = { type: type as ClientFrame['type'], payload: payload as EventPayload, id: id as string | undefined }
    return redaction ? { ...read, redacted: true } : read
  }
  // A valid id is returned with the failure, so that the sender can match the two; an id with a card number is never repeated.
  if (isFrameId(id) && cardNumbersIn(id).length === 0) return { failure, id }
  return id === undefined ? { failure } : { failure, hasUnusableId: true }
}

/** @param text valid JSON. @returns the failure of a number in it that would be relayed as another number */
export function inexactNumber (text: string | undefined): Failure | undefined {
  const path = text === undefined ? undefined : inexactNumberPath(text)
  return path && violation(path, 'this number cannot be carried exactly; send it as text')
}

/** Checks the id, the type, and the payload against the schema of the type. */
function checkEnvelope ({ id, type, payload = {} }: Record<string, unknown>): Failure | undefined {
  if (id !== undefined && !isFrameId(id)) return invalid('id', 'must be a string of 1–64 printable ASCII characters')
  if (typeof type !== 'string') return invalid('type', 'must be a string')
  const isValid = checks.get(type)
  if (!isValid) return new Failure('UNKNOWN_EVENT', `The event type is unknown; it must be one of ${DEVICE_EVENT_TYPES.join(', ')}.`)
  if (!isObject(payload)) return invalid('payload', 'must be an object')
  if (isValid(payload)) {
    const fault = hasMoney(schemas[type]!) ? moneyFault(payload) : undefined
    return fault && invalid(`payload.${fault.key}`, fault.rule)
  }
  const { path, schema, message } = Errors(schemas[type]!, payload).First()!
  // Alternatives explain nothing; their description does.
  const isUnclear = schema.anyOf !== undefined
  const rule = Array.isArray(schema.enum) ? `expected one of ${schema.enum.join(', ')}` : lowerFirst(isUnclear ? `expected ${schema.description!}` : message)
  return invalid(`payload${path.replaceAll('/', '.')}`, rule)
}

function lowerFirst (text: string): string { return text.charAt(0).toLowerCase() + text.slice(1) }
