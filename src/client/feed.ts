// Delivers the room to the application: each event once and in order, the payment's state, the members, and gaps in the log.
import type { Environment } from './environment.js'
import type { Frame, PaymentEventType, PaymentState, Position, RoomEvent, RoomMember } from './frames.js'
import { fold, isSettled, sameState } from './payment.js'
import type { DeviceRecord } from './record.js'
import { Sequence } from './sequence.js'
import type { Emitter } from './signals.js'

/** Time an event may wait for its predecessor before the room is joined again, ms. */
const GAP_TIMEOUT = 1_000

/** Events of a backend whose effect only the server knows, because it depends on all facts before. So does that of every event of the server. */
const FACTS: readonly string[] = [
  'PAYMENT_SUCCESS', 'PAYMENT_ERROR', 'PAYMENT_PENDING', 'PAYMENT_CANCELLED', 'PAYMENT_REFUNDED', 'PAYMENT_DISPUTED'
] satisfies PaymentEventType[]

/** Payload of ROOM_JOINED, the reply to a join. */
export interface Joined extends Position {
  readonly state: PaymentState
  readonly recovered?: boolean
  readonly replayed?: number
  readonly members?: RoomMember[]
}

/** An entry of the log. Own entries change the state, but are not emitted as events. */
interface Entry { readonly frame: Pick<Frame, 'type' | 'payload'> & { timestamp: number, source?: string }, readonly isOwn: boolean }

export class Feed {
  state: PaymentState | undefined
  members: readonly RoomMember[] = []
  /** True while the state lacks a fact that only the server can fold: the next reply to a join brings it. */
  isStale = false
  readonly #environment: Environment
  readonly #emitter: Emitter
  readonly #record: DeviceRecord
  readonly #resync: () => void
  readonly #sequence: Sequence<Entry>
  /** Sequence number of the last event that is folded into the state. */
  #stateSeq = 0
  #timer: unknown
  #ended = false

  /** @param resync joins again to fetch missing entries and the server's state */
  constructor (environment: Environment, emitter: Emitter, record: DeviceRecord, resync: () => void) {
    this.#environment = environment
    this.#emitter = emitter
    this.#record = record
    this.#resync = resync
    this.#sequence = new Sequence(record.position)
  }

  /** Position of the last event that was handled; undefined before the first join. */
  get position (): Position | undefined { return this.#record.position }

  /** Applies the reply to a join. The server's state takes precedence over the local one. */
  joined ({ epoch, seq, state, recovered = false, replayed = 0, members }: Joined): void {
    const before = this.position
    this.#sequence.start({ epoch, seq }, recovered, replayed)
    const after = this.#record.position = this.#sequence.position!
    this.#record.save()
    if (!recovered) this.#emitter.emit('gap', { before, after })
    // An own event published over HTTP meanwhile may be newer than this reply, whose state must then not replace the local one.
    if (!recovered || seq >= this.#stateSeq) {
      this.#stateSeq = seq
      this.isStale = false
      this.#become(state)
    }
    if (members) this.#meet(members)
  }

  /** Takes an entry of the log: live, replayed, or an own event that was acknowledged. */
  take (seq: number, frame: Entry['frame'], isOwn: boolean): void {
    for (const { seq: at, entry } of this.#sequence.take(seq, { frame, isOwn })) {
      // A handler may have closed the room.
      if (this.#ended) return
      this.#hand(at, entry)
    }
    if (this.#sequence.isWaiting) {
      this.#timer ??= this.#environment.setTimeout(() => {
        this.#timer = undefined
        if (this.#sequence.isWaiting) this.#resync()
      }, GAP_TIMEOUT)
    }
  }

  /** Applies DEVICE_JOINED or DEVICE_LEFT. A device counts once, however many connections it has. */
  applyPresence (type: string, { clientId, deviceId, role }: RoomMember): void {
    const others = this.members.filter((member) => member.deviceId !== deviceId)
    this.#meet(type === 'DEVICE_JOINED' ? [...others, { clientId, deviceId, role }] : others)
  }

  /** Emits `settled` if the state has a result that was not emitted before. A result that nobody listens for is kept for a later handler. */
  settle (): void {
    const { state } = this
    const { settled } = this.#record
    if (this.#ended || !state || !isSettled(state) || !this.#emitter.has('settled')) return
    const { status } = state
    // An expired link has no outcome: the server itself says so.
    const verified = state.outcome?.verified ?? true
    if (settled[status] || settled[status] === verified) return
    settled[status] = verified
    // Saved before the handlers run: a page that is reloaded while its receipt is printed does not print it again.
    this.#record.save()
    this.#emitter.emit('settled', { status, verified, state })
  }

  end (): void {
    this.#ended = true
    this.#environment.clearTimeout(this.#timer)
  }

  #hand (seq: number, { frame, isOwn }: Entry): void {
    const { epoch } = this.#sequence.position!
    const isNews = seq > this.#stateSeq
    const before = this.state!
    const wasStale = this.isStale
    if (isNews) {
      this.#stateSeq = seq
      this.isStale ||= frame.source === 'server' || (frame.source === 'api' && FACTS.includes(frame.type))
      // Folded over a state that lacks a fact, a claim could seem to be the result.
      if (!this.isStale) this.state = fold(before, frame)
    }
    if (!isOwn) this.#emitter.emitEvent({ ...frame, seq, epoch } as RoomEvent)
    // The state is emitted after the event itself, although a handler of the event can already read it.
    if (this.state !== before) {
      this.#emitter.emit('state', this.state!, before)
      this.settle()
    }
    // Saved after the handlers have run: a page that dies in between receives the event again.
    this.#record.position = { epoch, seq }
    this.#record.save()
    // One join for several facts at once.
    if (this.isStale && !wasStale) this.#resync()
  }

  #become (state: PaymentState): void {
    const previous = this.state
    this.state = state
    if (!sameState(state, previous)) this.#emitter.emit('state', state, previous)
    this.settle()
  }

  #meet (members: readonly RoomMember[]): void {
    this.members = members
    this.#emitter.emit('members', members)
  }
}
