// Publishes events over HTTP instead of a socket: one request per event, with the same text as the WebSocket message.
import type { Environment } from './environment.js'
import { RoomError, type Receipt } from './frames.js'
import { refusalOf } from './refusals.js'

/** Time limit for the response, ms. */
const TIMEOUT = 10_000

/**
 * Publishes one event. The request has `keepalive`, since the page may be closed before the response arrives.
 * @returns the receipt, or the error; the promise never rejects
 */
export function post ({ fetch, setTimeout, clearTimeout }: Environment, url: string, headers: Record<string, string>, body: string): Promise<Receipt | RoomError> {
  const abort = new AbortController()
  const request = async (): Promise<Receipt | RoomError> => {
    const response = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, keepalive: true, signal: abort.signal })
    if (!response.ok) return refusalOf(response)
    const { data } = await response.json()
    return { epoch: data.epoch, seq: data.seq, duplicate: data.duplicate }
  }
  const unreachable = (error: unknown) => new RoomError('UNREACHABLE', String(error), true)
  return new Promise((resolve) => {
    // Resolved here and not by the abort: the application's own `fetch` may ignore the signal.
    const deadline = setTimeout(() => {
      resolve(unreachable('no response'))
      abort.abort()
    }, TIMEOUT)
    void request().catch(unreachable).then((result) => {
      clearTimeout(deadline)
      resolve(result)
    })
  })
}
