// Publishes events over HTTP instead of a socket, with the same texts as the WebSocket messages: several in one request, so that they stay in their order.
import type { Environment } from './environment.js'
import { RoomError, type Receipt } from './frames.js'
import type { Outgoing } from './record.js'
import { refusalOf } from './refusals.js'

/** Time limit for the response, ms. */
const TIMEOUT = 10_000

/**
 * Publishes events in one step of the server. The request has `keepalive`, since the page may be closed before the response arrives.
 * @returns the receipt of each event, empty if the server rejected it, or the error of the request; the promise never rejects
 */
export function post (
  { fetch, setTimeout, clearTimeout }: Environment, url: string, headers: Record<string, string>, events: readonly Outgoing[]
): Promise<Array<Partial<Receipt>> | RoomError> {
  const request = async (): Promise<Array<Partial<Receipt>> | RoomError> => {
    const [address, body] = events.length === 1 ? [url, events[0]!.text] : [`${url}/batch`, `{"events":[${events.map(({ text }) => text).join()}]}`]
    const response = await fetch(address, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, keepalive: true })
    if (!response.ok) return refusalOf(response)
    const { data: { epoch, results, ...receipt } } = await response.json()
    return (results ?? [receipt]).map((result: Partial<Receipt>) => ({ ...result, epoch }))
  }
  const unreachable = (error: unknown) => new RoomError('UNREACHABLE', String(error), true)
  return new Promise((resolve) => {
    // The request itself goes on, and may still succeed: the server recognises what is sent again.
    const deadline = setTimeout(() => resolve(unreachable('no response')), TIMEOUT)
    void request().catch(unreachable).then((result) => {
      clearTimeout(deadline)
      resolve(result)
    })
  })
}
