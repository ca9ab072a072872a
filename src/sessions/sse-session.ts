// A room as server-sent events (WHATWG HTML §9.2): for networks that block WebSockets, and for backends.
import type { Writable } from 'node:stream'
import type { Claims } from '../auth/policy.js'
import type { LogEntry, ReadFrom } from '../broker/broker.js'
import { CLOSE, Failure, type CloseReason } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { encodeJoined } from '../protocol/encode.js'
import type { Role } from '../protocol/events.js'
import { payloadOf } from '../websocket/frame-writer.js'
import { roomJoined } from '../rooms/joined.js'
import type { Member, Subscriber } from '../rooms/room.js'
import type { Rooms } from '../rooms/rooms.js'
import type { ManagedSession } from './session-registry.js'

/** How long a reader should wait before it connects again, ms. It is the browser that waits, so it is not jittered by us. */
const RETRY = 2000

export interface SseSessionOptions {
  readonly rooms: Rooms
  readonly metrics: Metrics
  /** ms since the epoch. */
  readonly now: () => number
  /** Bytes that may wait for a slow reader. */
  readonly maxBytes: number
}

export class SseSession implements Subscriber, ManagedSession {
  readonly transport = 'stream'
  readonly memberships = new Map<string, Member>()
  // A stream is not asked for a pong: a reader that is gone shows as a broken pipe.
  readonly unansweredPing = 0
  /** When the token that opened it expires, ms by the monotonic clock. */
  readonly deadline: number
  readonly #claims: Claims
  readonly #output: Writable
  readonly #options: SseSessionOptions

  /**
   * @param claims what its reader has shown
   * @param output the body of the answer
   */
  constructor (readonly clientId: string, claims: Claims, output: Writable, options: SseSessionOptions) {
    this.#claims = claims
    this.deadline = 'endsAt' in claims ? claims.endsAt : Infinity
    this.#output = output
    this.#options = options
  }

  /**
   * Joins the room; the first message is the same `ROOM_JOINED` that a socket gets, and logged events follow from the position that was asked for.
   * @param onJoined begins to send the output; called once the room let us in, so that a refusal can still be an answer of its own
   */
  async open (
    roomId: string, { deviceId, role, recover }: { deviceId?: string | undefined, role?: Role | undefined, recover: ReadFrom }, onJoined: () => void
  ): Promise<Failure | undefined> {
    const { rooms, now } = this.#options
    let isJoined = false
    const failure = await rooms.join(this, { roomId, deviceId, role, recover, claims: this.#claims }, (member, view) => {
      isJoined = true
      onJoined()
      this.#write(`retry: ${RETRY}\n\n`)
      this.sendControl(encodeJoined(roomJoined(member, view, now(), true)))
    })
    // The room ended while we waited for it; a second try is told so.
    return failure ?? (isJoined ? undefined : new Failure('UNAVAILABLE'))
  }

  // A frame is one line of JSON, so it needs no splitting into several `data:` fields.
  send ({ epoch, seq, frame }: LogEntry): void { this.#write(`id: ${epoch}:${seq}\ndata: ${payloadOf(frame).toString('utf8')}\n\n`) }

  sendPaced (entry: LogEntry): Promise<void> | undefined {
    this.send(entry)
    const output = this.#output
    if (!output.writableNeedDrain) return undefined
    return new Promise((resolve) => {
      const done = () => {
        output.off('drain', done).off('close', done)
        resolve()
      }
      output.on('drain', done).on('close', done)
    })
  }

  sendControl (frame: string): void {
    this.#write(`data: ${frame}\n\n`)
    // A stream is about one room; when that is over, so is the stream.
    if (this.memberships.size === 0) this.#output.end()
  }

  /** A comment, so that no proxy takes the silence for an end. */
  ping (): void { this.#write(': ping\n\n') }

  expire (): void { this.close(CLOSE.TOKEN_EXPIRED) }

  /** Ends the stream; the reader comes back by itself, with the last id that it saw. */
  close (reason: CloseReason): void {
    // A reader that does not read would not see the end either.
    if (reason === CLOSE.TOO_SLOW) {
      this.#options.metrics.slowConsumers.inc({ transport: this.transport })
      this.#output.destroy()
    } else {
      this.#output.end()
    }
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

/** Whether an `Accept` header asks for a stream by name, and not with a weight of nothing (RFC 9110 §12.5.1). */
export function wantsStream (accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    return type === 'text/event-stream' && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
  })
}
