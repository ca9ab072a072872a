// What the room tells the application: events once and in order, the payment's state, who is there, and where something is missing.
import type { Environment } from './environment.js'
import type { Frame, PaymentState, Position, RoomEvent, RoomMember } from './frames.js'
import { fold, sameState } from './payment.js'
import type { DeviceRecord } from './record.js'
import { Sequence } from './sequence.js'
import type { Emitter } from './signals.js'

/** How long an event may wait for its predecessor before the log is asked again, ms. */
const GAP_TIMEOUT = 1_000

/** The reply to a join. */
export interface Joined extends Position {
  readonly state: PaymentState
  readonly recovered?: boolean
  readonly replayed?: number
  readonly members?: RoomMember[]
}

/** One entry of the log; our own are not told to ourselves. */
interface Entry { readonly frame: Pick<Frame, 'type' | 'payload'> & { timestamp: number, source?: string }, readonly isOwn: boolean }

export class Feed {
  state: PaymentState | undefined
  members: readonly RoomMember[] = []
  readonly #environment: Environment
  readonly #emitter: Emitter
  readonly #record: DeviceRecord
  readonly #resync: () => void
  readonly #sequence: Sequence<Entry>
  /** The last event that is in the state. */
  #stateSeq = 0
  #timer: unknown
  #ended = false

  /** @param resync joins again, for what is missing here */
  constructor (environment: Environment, emitter: Emitter, record: DeviceRecord, resync: () => void) {
    this.#environment = environment
    this.#emitter = emitter
    this.#record = record
    this.#resync = resync
    this.#sequence = new Sequence(record.position)
  }

  /** The last event that was handled; undefined before the first join. */
  get position (): Position | undefined { return this.#record.position }

  /** What the server knows of the room outranks what we do. */
  joined ({ epoch, seq, state, recovered = false, replayed = 0, members }: Joined): void {
    const before = this.position
    this.#sequence.start({ epoch, seq }, recovered, replayed)
    const after = this.#record.position = this.#sequence.position!
    this.#record.save()
    if (!recovered) this.#emitter.emit('gap', { before, after })
    // An event of ours that went in by a request may be further than the reply that was on its way meanwhile.
    if (!recovered || seq >= this.#stateSeq) {
      this.#stateSeq = seq
      this.#become(state)
    }
    if (members) this.#meet(members)
  }

  /** Takes an entry of the log, from wherever it came. */
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

  /** Somebody came or went. A device counts once, by whichever connection. */
  applyPresence (type: string, { clientId, deviceId, role }: RoomMember): void {
    const others = this.members.filter((member) => member.deviceId !== deviceId)
    this.#meet(type === 'DEVICE_JOINED' ? [...others, { clientId, deviceId, role }] : others)
  }

  end (): void {
    this.#ended = true
    this.#environment.clearTimeout(this.#timer)
  }

  #hand (seq: number, { frame, isOwn }: Entry): void {
    const { epoch } = this.#sequence.position!
    const isNews = seq > this.#stateSeq
    const before = this.state!
    const isBackends = frame.source === 'api' && /^PAYMENT_(SUCCESS|ERROR)$/.test(frame.type)
    if (isNews) this.#stateSeq = seq
    if (isNews && !isBackends) this.state = fold(before, frame)
    if (!isOwn) this.#emitter.emitEvent({ ...frame, seq, epoch } as RoomEvent)
    // A handler may have read the state already, but is told of it only after the event itself.
    if (this.state !== before) this.#emitter.emit('state', this.state!)
    // Kept when the event was handled: a page that dies in between gets it again.
    this.#record.position = { epoch, seq }
    this.#record.save()
    // Whether a backend's word is verified, and so outranks what a device claims, the server alone can say.
    if (isNews && isBackends) this.#resync()
  }

  #become (state: PaymentState): void {
    const isSame = sameState(state, this.state)
    this.state = state
    if (!isSame) this.#emitter.emit('state', state)
  }

  #meet (members: readonly RoomMember[]): void {
    this.members = members
    this.#emitter.emit('members', members)
  }
}
