// Server-sent events as a link, for networks that let no WebSocket through.
// Read with fetch instead of EventSource, which can send a token only in the URL, reconnects by rules of its own, and is not in Node.js.
import type { Environment } from './environment.js'
import type { RoomError } from './frames.js'
import { parseFrame, type Link, type LinkListener } from './link.js'
import { refusalOf } from './refusals.js'

/** Opens a stream. Its first message is the reply to a join. @param idleTimeout longest time without any data, not even an SSE comment, ms */
export function openStream ({ fetch, setTimeout, clearTimeout }: Environment, url: string, headers: Record<string, string>, idleTimeout: number, listener: LinkListener): Link {
  const abort = new AbortController()
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
      restartIdleTimer()
      for (const data of eventsIn(chunk.value)) {
        const frame = parseFrame(data)
        // The listener may have closed the link on an earlier message.
        if (frame && !closed) listener.frame(frame)
      }
    }
    fail('ended')
  }

  restartIdleTimer()
  read().catch((error: unknown) => fail(String(error)))
  return { close: end }
}

/** Returns a parser of server-sent events: it takes the bytes as they arrive, and returns the data of each event that is complete. */
function eventParser (): (bytes: Uint8Array) => string[] {
  const decoder = new TextDecoder()
  let rest = ''
  return (bytes) => {
    const events = (rest + decoder.decode(bytes, { stream: true }).replaceAll('\r', '')).split('\n\n')
    rest = events.pop()!
    return events.map((event) => event.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5)).join('\n'))
  }
}
