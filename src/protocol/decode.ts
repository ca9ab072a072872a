// Bytes of a client's text message → a validated frame, or a failure with a code.
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import type { TObject } from '@sinclair/typebox'
import { Failure } from '../errors.js'
import { holdsCardNumber } from './card-data.js'
import { COMMANDS, EVENTS, EVENT_TYPES, PAYMENT_EVENT_TYPES, type CommandType, type EventPayload, type EventType } from './events.js'
import { FastFrameDecoder } from './fast-decode.js'
import { DeviceId, FrameId, RoomId } from './identifiers.js'
import { checkLimits, invalid, isObject, MAX_ITEMS, MAX_KEYS, MAX_STRING } from './limits.js'

/** A client's frame after validation. `payload` is safe to serialise again. */
export interface ClientFrame {
  readonly type: EventType | CommandType
  readonly payload: EventPayload
  readonly id: string | undefined
  /** The text up to the end of the payload as `draftEvent` (broker/event-draft.ts) would serialise it, ASCII, where that is what was sent. */
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
