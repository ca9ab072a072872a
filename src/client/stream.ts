// Server-sent events as a link, for networks that let no WebSocket through.
// Read with fetch instead of EventSource, which can send a token only in the URL, reconnects by rules of its own, and is not in Node.js.
import type { Environment, ResponseLike } from './environment.js'
import type { RoomError } from './frames.js'
import { parseFrame, type Link, type LinkListener } from './link.js'
import { refusalOf } from './refusals.js'

/** Time between two comments of the server, ms, until it tells its own. */
const HEARTBEAT = 25_000
/** Number of heartbeats without any data after which a stream is dead: one may be late. */
const IDLE_HEARTBEATS = 2.4

/** Opens a stream. Its first message is the reply to a join. */
export function openStream ({ fetch, setTimeout, clearTimeout }: Environment, url: string, headers: Record<string, string>, listener: LinkListener): Link {
  const abort = new AbortController()
  const { signal } = abort
  let heartbeat = HEARTBEAT
  let deadline: unknown

  const end = () => {
    clearTimeout(deadline)
    abort.abort()
  }
  const restartIdleTimer = () => {
    clearTimeout(deadline)
    if (!signal.aborted) deadline = setTimeout(() => fail(), heartbeat * IDLE_HEARTBEATS)
  }
  const fail = (refusal?: RoomError) => {
    if (signal.aborted) return
    end()
    if (refusal) listener.refused?.(refusal)
    else listener.closed()
  }

  async function read (): Promise<RoomError | undefined> {
    const response = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' }, cache: 'no-store', signal })
    if (!response.ok) return refusalOf(response)
    for await (const events of eventsIn(response)) {
      for (const event of events) {
        heartbeat = Number(/^: heartbeat (\d+)/.exec(event)?.[1] ?? heartbeat)
        const frame = parseFrame(dataOf(event))
        // The listener may have closed the link on an earlier message.
        if (frame && !signal.aborted) listener.frame(frame)
      }
      restartIdleTimer()
    }
    return undefined
  }

  restartIdleTimer()
  read().then(fail, () => fail())
  return { close: end }
}

/** Reads the text of each event as it is complete, those that arrive together in one list. */
async function * eventsIn ({ body }: ResponseLike): AsyncGenerator<string[]> {
  const reader = body!.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const events = (rest + decoder.decode(chunk.value, { stream: true }).replaceAll('\r', '')).split('\n\n')
    rest = events.pop()!
    yield events
  }
}

const dataOf = (event: string): string => (event.match(/^data:.*/gm) ?? []).map((line) => line.slice(5)).join('\n')
