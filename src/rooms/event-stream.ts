// A room as server-sent events (WHATWG HTML §9.2): for networks that block WebSockets, and for backends.
import type { Writable } from 'node:stream'
import type { LogEntry, ReadFrom } from '../broker/broker.js'
import { CLOSE, type CloseReason, type Failure } from '../errors.js'
import { encodeFrame } from '../protocol/codec.js'
import type { Role } from '../protocol/events.js'
import { roomJoined } from './joined.js'
import type { Member, Recipient, Rooms } from './rooms.js'
import type { Connection } from './sessions.js'

/** How long a reader should wait before it connects again, ms. It is the browser that waits, so it is not jittered by us. */
const RETRY = 2000

export interface EventStreamOptions {
  readonly rooms: Rooms
  /** ms since the epoch. */
  readonly now: () => number
  /** Bytes that may wait for a slow reader. */
  readonly maxBytes: number
}

export class EventStream implements Recipient, Connection {
  readonly memberships = new Map<string, Member>()
  // A stream is not asked for a pong: a reader that is gone shows as a broken pipe.
  readonly unansweredPing = 0
  readonly #output: Writable
  readonly #options: EventStreamOptions

  /** @param output the body of the answer */
  constructor (readonly clientId: string, output: Writable, options: EventStreamOptions) {
    this.#output = output
    this.#options = options
  }

  /** Joins the room; the first message is the same `ROOM_JOINED` that a socket gets, and logged events follow from the position that was asked for. */
  async open (roomId: string, { deviceId, role, recover }: { deviceId?: string | undefined, role: Role, recover: ReadFrom }): Promise<Failure | undefined> {
    const { rooms, now } = this.#options
    this.#write(`retry: ${RETRY}\n\n`)
    return rooms.join(this, { roomId, deviceId, role, recover }, (member, view) => {
      this.notify(encodeFrame('ROOM_JOINED', roomJoined(member, view, now(), true)))
    })
  }

  // A frame is one line of JSON, so it needs no splitting into several `data:` fields.
  deliver ({ epoch, seq, frame }: LogEntry): void { this.#write(`id: ${epoch}:${seq}\ndata: ${frame.toString('utf8')}\n\n`) }

  notify (frame: string): void {
    this.#write(`data: ${frame}\n\n`)
    // A stream is about one room; when that is over, so is the stream.
    if (this.memberships.size === 0) this.#output.end()
  }

  /** A comment, so that no proxy takes the silence for an end. */
  ping (): void { this.#write(': ping\n\n') }

  /** Ends the stream; the reader comes back by itself, with the last id that it saw. */
  close (reason: CloseReason): void {
    // A reader that does not read would not see the end either.
    if (reason === CLOSE.TOO_SLOW) this.#output.destroy()
    else this.#output.end()
    this.#options.rooms.drop(this)
  }

  #write (text: string): void {
    if (!this.#output.writable) return
    if (this.#output.writableLength > this.#options.maxBytes) this.close(CLOSE.TOO_SLOW)
    else this.#output.write(text)
  }
}

/** Where a stream resumes: `Last-Event-ID` is what the browser saw last, so it outranks the address, which is that of the first request. */
export function recoverFrom (lastEventId: string | undefined, fromAddress: ReadFrom): ReadFrom {
  const [, epoch, seq] = /^([\w-]+):(\d{1,15})$/.exec(lastEventId ?? '') ?? []
  return epoch === undefined ? fromAddress : { epoch, seq: Number(seq) }
}
