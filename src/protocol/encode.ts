// Serialises the server's own messages to JSON text.
import { DEVICE_EVENT_TYPES } from './events.js'
import type { ConnectionEstablished } from './server-frames.js'

/** Serialises a message of the server itself (greeting, reply, error). */
export function encodeFrame (type: string, payload: object, id?: string): string {
  return JSON.stringify(id === undefined ? { type, payload } : { type, payload, id })
}

/** Constant parts of the greeting, before and after the client id and the timestamp. */
const [BEFORE_CLIENT = '', BEFORE_TIME = '', AFTER_TIME = ''] = encodeFrame('CONNECTION_ESTABLISHED', {
  clientId: '?', message: 'Connected to the payment server.', timestamp: '?', supportedEvents: DEVICE_EVENT_TYPES
} satisfies Record<keyof ConnectionEstablished, unknown>).split('"?"')

/** `CONNECTION_ESTABLISHED` as ASCII text. @param clientId letters, digits and other characters that need no escape in JSON */
export function greeting (clientId: string, timestamp: number): string {
  return `${BEFORE_CLIENT}"${clientId}"${BEFORE_TIME}${timestamp}${AFTER_TIME}`
}
