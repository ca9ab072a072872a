// Publishes events over HTTP instead of a socket: one request per event, with the same text as the WebSocket message.
import type { Environment } from './environment.js'
import { RoomError, type Receipt } from './frames.js'

// Statuses after which a retry can succeed, such as an expired token (401), too early (425) and too many requests (429). A 5xx, and ROOM_FULL, which
// ends when a member leaves, are retryable, too.
const RETRYABLE = new Set([401, 404, 408, 425, 429])

/**
 * Publishes one event. The request has `keepalive`, since the page may be closed before the response arrives.
 * @returns the receipt, or the error; the promise never rejects
 */
export async function post ({ fetch }: Environment, url: string, headers: Record<string, string>, body: string): Promise<Receipt | RoomError> {
  try {
    const response = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, keepalive: true })
    const { data, code, error } = await response.json()
    if (response.ok) return { epoch: data.epoch, seq: data.seq, duplicate: data.duplicate }
    return new RoomError(code, error, response.status >= 500 || RETRYABLE.has(response.status) || code === 'ROOM_FULL')
  } catch (error) {
    return new RoomError('UNREACHABLE', String(error), true)
  }
}
