// Server-sent events as a link, for networks that let no WebSocket through.
// Read with fetch instead of EventSource, which can send a token only in the URL, reconnects by rules of its own, and is not in Node.js.
import type { Environment } from './environment.js'
import type { RoomError } from './frames.js'
import { parseFrame, type Link, type LinkListener } from './link.js'
import { refusalOf } from './refusals.js'

/** Time without any data, not even an SSE comment, after which a stream is dead, ms, until the server tells its heartbeat. */
const IDLE = 60_000
/** The same time in heartbeats: one may be late. */
const IDLE_HEARTBEATS = 2.4

/** Opens a stream. Its first message is the reply to a join. */
export function openStream ({ fetch, setTimeout, clearTimeout }: Environment, url: string, headers: Record<string, string>, listener: LinkListener): Link {
  const abort = new AbortController()
  let idleTimeout = IDLE
  let closed = false
  let deadline: unknown

  const end = () => {
    closed = true
    clearTimeout(deadline)
    abort.abort()
  }
  const restartIdleTimer = () => {
    clearTimeout(deadline)
    if (!closed) deadline = setTimeout(() => fail('no data received'), idleTimeout)
  }
  const fail = (reason: string, refusal?: RoomError) => {
    if (closed) return
    end()
    listener.closed(0, reason, refusal)
  }

  async function read (): Promise<void> {
    const response = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' }, cache: 'no-store', signal: abort.signal })
    if (!response.ok) {
      const refusal = await refusalOf(response)
      return fail(refusal.code, refusal)
    }
    const reader = response.body!.getReader()
    const eventsIn = eventParser()
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      for (const { data, heartbeat } of eventsIn(chunk.value)) {
        if (heartbeat) idleTimeout = heartbeat * IDLE_HEARTBEATS
        const frame = parseFrame(data)
        // The listener may have closed the link on an earlier message.
        if (frame && !closed) listener.frame(frame)
      }
      restartIdleTimer()
    }
    fail('ended')
  }

  restartIdleTimer()
  read().catch((error: unknown) => fail(String(error)))
  return { close: end }
}

/** Data of an event, and the heartbeat in its comment, ms, or 0. */
interface StreamEvent { readonly data: string, readonly heartbeat: number }

/** Returns a parser of server-sent events: it takes the bytes as they arrive, and returns each event that is complete. */
function eventParser (): (bytes: Uint8Array) => StreamEvent[] {
  const decoder = new TextDecoder()
  let rest = ''
  return (bytes) => {
    const events = (rest + decoder.decode(bytes, { stream: true }).replaceAll('\r', '')).split('\n\n')
    rest = events.pop()!
    return events.map((event) => {
      const valuesOf = (field: string) => event.split('\n').filter((line) => line.startsWith(field)).map((line) => line.slice(field.length))
      return { data: valuesOf('data:').join('\n'), heartbeat: Number(valuesOf(': heartbeat ')[0] ?? 0) }
    })
  }
}
