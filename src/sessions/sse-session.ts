// A room as server-sent events (WHATWG HTML §9.2), for networks that block WebSockets and for backends.
import type { Writable } from 'node:stream'
import type { Claims } from '../auth/policy.js'
import type { LogEntry, ReadFrom } from '../broker/broker.js'
import { CLOSE, Failure, type CloseReason } from '../errors.js'
import type { Metrics } from '../metrics/metrics.js'
import { encodeFrame } from '../protocol/encode.js'
import type { Role } from '../protocol/events.js'
import { payloadOf } from '../websocket/frame-writer.js'
import { roomJoined } from '../rooms/joined.js'
import { MembershipMap } from '../rooms/membership-map.js'
import type { Subscriber } from '../rooms/room.js'
import type { Rooms } from '../rooms/rooms.js'
import { EventOutput } from './event-output.js'
import type { ManagedSession } from './session-registry.js'

export interface SseSessionOptions {
  readonly rooms: Rooms
  readonly metrics: Metrics
  /** ms since the epoch. */
  readonly now: () => number
  /** Maximum bytes queued for a slow reader. */
  readonly maxBytes: number
  /** Longest time between two comments, ms. */
  readonly heartbeat: number
  /** Does what must precede a write; see `Batch.settle`. */
  readonly settle: () => void
}

/** A stream and its reader. */
export interface StreamSource {
  readonly clientId: string
  /** Client address, as the connection limits count it. */
  readonly address: string
  readonly claims: Claims
  /** Body of the response. */
  readonly output: Writable
}

/** Room of a stream, and the position from which it resumes. */
export interface StreamRequest {
  readonly roomId: string
  readonly deviceId?: string | undefined
  readonly role?: Role | undefined
  readonly presence?: boolean | undefined
  readonly stalls?: boolean | undefined
  readonly recover: ReadFrom
}

export class SseSession implements Subscriber, ManagedSession {
  readonly transport = 'stream'
  readonly clientId: string
  readonly address: string
  readonly memberships = new MembershipMap()
  // Event streams have no pongs: a lost reader shows as a broken pipe.
  readonly unansweredPing = 0
  /** Expiry of the token that opened the stream, ms by the monotonic clock. */
  readonly deadline: number
  readonly #claims: Claims
  readonly #output: EventOutput
  readonly #options: SseSessionOptions

  constructor ({ clientId, address, claims, output }: StreamSource, options: SseSessionOptions) {
    this.clientId = clientId
    this.address = address
    this.#claims = claims
    this.deadline = 'endsAt' in claims ? claims.endsAt : Infinity
    this.#output = new EventOutput({ output, maxBytes: options.maxBytes, settle: options.settle, onTooSlow: () => this.close(CLOSE.TOO_SLOW) })
    this.#options = options
  }

  /**
   * Joins the room. The first message is the same `ROOM_JOINED` that a socket gets; logged events follow from the requested position.
   * @param onJoined called once the join has succeeded, before the first message
   */
  async join (request: StreamRequest, onJoined: () => void): Promise<Failure | undefined> {
    const { rooms, now, heartbeat } = this.#options
    let isJoined = false
    const failure = await rooms.join(this, { ...request, claims: this.#claims }, (member, view) => {
      isJoined = true
      onJoined()
      this.#output.begin(heartbeat)
      const members = request.presence ? rooms.members(request.roomId, view.remoteMembers) : undefined
      this.sendControl(encodeFrame('ROOM_JOINED', roomJoined(member, view, now(), true, members)))
    })
    // The room ended during the join; a retry gets the reason.
    return failure ?? (isJoined ? undefined : new Failure('UNAVAILABLE'))
  }

  // A message is one line of JSON, so it fits into a single `data:` field.
  send ({ epoch, seq, frame }: LogEntry): void { this.#output.write(`id: ${epoch}:${seq}\ndata: ${payloadOf(frame).toString('utf8')}\n\n`) }

  sendPaced (entry: LogEntry): Promise<void> | undefined {
    this.send(entry)
    return this.#output.drained()
  }

  sendControl (frame: string): void {
    this.#output.write(`data: ${frame}\n\n`)
    // A stream belongs to one room and ends with it.
    if (this.memberships.size === 0) this.#output.end()
  }

  ping (): void { this.#output.ping() }

  expire (): void { this.close(CLOSE.TOKEN_EXPIRED) }

  /** Ends the stream. The client reconnects by itself, with the last event id that it received. */
  close (reason: CloseReason): void {
    if (reason === CLOSE.TOO_SLOW) {
      this.#options.metrics.slowConsumers.inc({ transport: this.transport })
      this.#output.destroy()
    } else {
      this.#output.end()
    }
    this.#options.rooms.drop(this)
  }
}

/** Position from which a stream resumes. `Last-Event-ID` is the last event that the browser received, so it outranks the URL, which is still that of the first request. */
export function recoverFrom (lastEventId: string | undefined, fromAddress: ReadFrom): ReadFrom {
  const [, epoch, seq] = /^([\w-]+):(\d{1,15})$/.exec(lastEventId ?? '') ?? []
  return epoch === undefined ? fromAddress : { epoch, seq: Number(seq) }
}

/** True if an `Accept` header names `text/event-stream` with a weight other than 0 (RFC 9110 §12.5.1). */
export function wantsStream (accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    return type === 'text/event-stream' && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
  })
}
