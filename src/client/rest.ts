// Publishing without a socket: one request per event, with the very text of its frame.
import type { Environment } from './environment.js'
import { RoomError, type Receipt } from './frames.js'

// What may yet succeed: too early, too often, a server in trouble, a token that is renewed, a room that has a place again.
const RETRYABLE = new Set([401, 404, 408, 425, 429])

/**
 * Publishes one event. `keepalive`, since its page may be closed before the answer is there.
 * @returns its receipt, or why there is none; it never rejects
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
