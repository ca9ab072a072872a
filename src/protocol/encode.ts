// Messages of the server's own → JSON text.
import { EVENT_TYPES } from './events.js'
import type { ConnectionEstablished, RoomJoined } from './server-frames.js'

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
