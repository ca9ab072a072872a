// Publishes events over HTTP instead of a socket, with the same texts as the WebSocket messages: several in one request, so that they stay in their order.
import type { Environment } from './environment.js'
import { RoomError, type Receipt } from './frames.js'
import type { Outgoing } from './record.js'
import { refusalOf } from './refusals.js'

/**
 * Publishes events in one step of the server. The request has `keepalive`, since the page may be closed before the response arrives.
 * @returns the receipt of each event, empty if the server rejected it, or the error of the request; the promise never rejects
 */
export async function post ({ fetch }: Environment, url: string, headers: Record<string, string>, events: readonly Outgoing[]): Promise<Array<Partial<Receipt>> | RoomError> {
  const [address, body] = events.length === 1 ? [url, events[0]!.text] : [`${url}/batch`, `{"events":[${events.map(({ text }) => text).join()}]}`]
  try {
    const response = await fetch(address, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, keepalive: true })
    if (!response.ok) return await refusalOf(response)
    const { data: { epoch, results, ...receipt } } = await response.json()
    return (results ?? [receipt]).map((result: Partial<Receipt>) => ({ ...result, epoch }))
  } catch (error) {
    return new RoomError('UNREACHABLE', String(error), true)
  }
}
