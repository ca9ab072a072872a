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
    const { ok, status, json } = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, keepalive: true })
      .then(async (response) => ({ ok: response.ok, status: response.status, json: await response.json() }))
    if (ok) return json.data as Receipt
    return new RoomError(json.code, json.error, status >= 500 || RETRYABLE.has(status) || json.code === 'ROOM_FULL')
  } catch (error) {
    return new RoomError('UNREACHABLE', String(error), true)
  }
}
