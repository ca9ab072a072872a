// Body of a response with server-sent events (WHATWG HTML §9.2): writes with a bound, and waits for a slow reader.
import { getDefaultHighWaterMark, PassThrough, type Writable } from 'node:stream'

/** Reconnection time sent to the client, ms. The browser does the waiting, so the server adds no jitter. */
const RETRY = 2000

export interface EventOutputOptions {
  readonly output: Writable
  /** Maximum bytes queued for a slow reader. */
  readonly maxBytes: number
  /** Does what must precede a write; see `Batch.settle`. */
  readonly settle: () => void
  /** Called when the reader is too slow. */
  readonly onTooSlow: () => void
}

/**
 * Creates the body of a stream. A replay waits at half of what may be queued, so that what comes in between still finds room.
 * @param maxBytes maximum bytes queued for a slow reader
 */
export function newEventBody (maxBytes: number): PassThrough {
  return new PassThrough({ highWaterMark: Math.min(getDefaultHighWaterMark(false), Math.floor(maxBytes / 2)) })
}

export class EventOutput {
  readonly #options: EventOutputOptions

  constructor (options: EventOutputOptions) { this.#options = options }

  /**
   * Sends the reconnection time. The first thing in a stream.
   * @param heartbeat time between two comments, ms: the reader cannot know otherwise after which silence the stream is dead
   */
  begin (heartbeat?: number): void { this.write(`${heartbeat === undefined ? '' : `: heartbeat ${heartbeat}\n`}retry: ${RETRY}\n\n`) }

  /** Sends a comment, so that no proxy takes the silence for an end. Not to a reader that is behind: what is queued for it will be written. */
  ping (): void { if (this.#options.output.writableLength === 0) this.write(': ping\n\n') }

  /** @param text fields of a message with the empty line after them */
  write (text: string): void {
    const { output, maxBytes, settle, onTooSlow } = this.#options
    if (!output.writable) return
    if (output.writableLength > maxBytes) return onTooSlow()
    settle()
    output.write(text)
  }

  /** @returns a promise to await before the next message, if the reader is behind; it resolves also when the reader has gone */
  drained (): Promise<void> | undefined {
    const { output } = this.#options
    if (!output.writableNeedDrain) return undefined
    return new Promise((resolve) => {
      const done = () => {
        output.off('drain', done).off('close', done)
        resolve()
      }
      output.on('drain', done).on('close', done)
    })
  }

  /** Ends the stream regularly. */
  end (): void { this.#options.output.end() }

  /** Ends the stream at once: a reader that is too slow would not receive a regular end either. */
  destroy (): void { this.#options.output.destroy() }
}
