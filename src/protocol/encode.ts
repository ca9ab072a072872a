// Serialises the server's own messages to JSON text.
import { EVENT_TYPES } from './events.js'
import type { ConnectionEstablished, RoomJoined } from './server-frames.js'

/** Serialises a message of the server itself (greeting, reply, error). */
export function encodeFrame (type: string, payload: object, id?: string): string {
  return JSON.stringify(id === undefined ? { type, payload } : { type, payload, id })
}

/** Constant parts of the greeting, before and after the client id and the timestamp. */
const [BEFORE_CLIENT = '', BEFORE_TIME = '', AFTER_TIME = ''] = encodeFrame('CONNECTION_ESTABLISHED', {
  clientId: '?', message: 'Connected to the payment server.', timestamp: '?', supportedEvents: EVENT_TYPES
} satisfies Record<keyof ConnectionEstablished, unknown>).split('"?"')

/** `CONNECTION_ESTABLISHED` as ASCII text. @param clientId letters, digits and other characters that need no escape in JSON */
export function greeting (clientId: string, timestamp: number): string {
  return `${BEFORE_CLIENT}"${clientId}"${BEFORE_TIME}${timestamp}${AFTER_TIME}`
}

/** `ROOM_JOINED` as text. For a device that joins before the first event the text comes from a template: with its WebSocket frame it takes half the time. */
export function encodeJoined (joined: RoomJoined): string {
  const { roomId, deviceId, clientId, timestamp, epoch, seq, state: { step, status, updatedAt }, recovered, members } = joined
  if (step !== null || status !== 'pending' || recovered !== undefined || members) return encodeFrame('ROOM_JOINED', joined)
  return `{"type":"ROOM_JOINED","payload":{"roomId":"${roomId}","deviceId":${JSON.stringify(deviceId)},"clientId":"${clientId}","timestamp":${timestamp},` +
    `"epoch":"${epoch}","seq":${seq},"state":{"step":null,"status":"pending","updatedAt":${updatedAt}}}}`
}
