// One device of the load on the balancer: it keeps unacknowledged events, reconnects after every close, and counts what it received.
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Frame } from '../peer.js'

export interface Figures {
  published: number
  acknowledged: number
  delivered: number
  /** Rejoins with `recover` that missed nothing. */
  recovered: number
  /** Rejoins for which the server reported that events may be missing. */
  declaredLost: number
  /** Events that were sent again, and the number of these that were in the log already. */
  resent: number
  duplicates: number
  /** Longest time between a close and the next join, ms. */
  longestAway: number
  readonly closes: Record<number, number>
  /** Failed handshakes, by reason. */
  readonly refusals: Record<string, number>
  /** Broken promises of the server. */
  readonly violations: string[]
}

export const newFigures = (): Figures => ({
  published: 0, acknowledged: 0, delivered: 0, recovered: 0, declaredLost: 0, resent: 0, duplicates: 0, longestAway: 0, closes: {}, refusals: {}, violations: []
})

function count (numbers: Record<string | number, number>, what: string | number): void { numbers[what] = (numbers[what] ?? 0) + 1 }

/** Longest wait of a client before it reconnects, ms; the wait is random up to this. */
const JITTER = 1_000

export class Client {
  /** Numbers of the events that a watcher received; the event with seq 1 comes first. */
  readonly seen: number[] = []
  /** Acknowledged events of a publisher: the number in the event, and its seq. */
  readonly acknowledged = new Map<number, number>()
  readonly unacknowledged = new Map<string, string>()
  isLost = false
  /** State of the payment at the last join. */
  state: { step: string | null } | undefined
  #socket: WebSocket | undefined
  #joined = false
  #done = false
  #awaySince: number | undefined
  #epoch: string | undefined
  #seq = 0
  #number = 0

  /** @param pause waits before the client reconnects after a close */
  constructor (
    readonly url: string, readonly roomId: string, readonly role: 'device1' | 'device2', readonly figures: Figures,
    readonly pause: () => Promise<unknown> = () => sleep(Math.random() * JITTER, undefined, { ref: false })
  ) {}

  get joined (): boolean { return this.#joined }
  /** Position of the last event received. */
  get lastSeq (): number { return this.#seq }

  connect (): void {
    const socket = this.#socket = new WebSocket(this.url, { perMessageDeflate: false, handshakeTimeout: 10_000 })
    let isOpen = false
    let refusal = 'cut'
    socket.on('open', () => {
      isOpen = true
      const recover = this.#epoch !== undefined && { recover: { epoch: this.#epoch, seq: this.#seq } }
      socket.send(JSON.stringify({ type: 'JOIN_ROOM', payload: { roomId: this.roomId, role: this.role, ...recover } }))
    })
    socket.on('message', (data) => this.#take(JSON.parse(String(data)) as Frame))
    socket.on('error', ({ message }) => { refusal = message })
    socket.on('close', (code) => {
      this.#joined = false
      if (this.#done) return
      if (isOpen) count(this.figures.closes, code)
      else count(this.figures.refusals, refusal)
      this.#awaySince ??= Date.now()
      void this.pause().then(() => { if (!this.#done) this.connect() })
    })
  }

  /** Publishes one more event; while the client is away the event waits. */
  publish (): void {
    const n = ++this.#number
    const id = `${this.roomId}:${n}`
    const frame = JSON.stringify({ type: 'CLICKED_PAY', id, payload: { roomId: this.roomId, n } })
    this.unacknowledged.set(id, frame)
    this.figures.published++
    if (this.#joined) this.#socket!.send(frame)
  }

  /** Drops the connection. */
  cut (): void { this.#socket?.terminate() }

  end (): void {
    this.#done = true
    this.cut()
  }

  #take ({ type, payload, seq }: Frame): void {
    if (type === 'ROOM_JOINED') this.#backIn(payload)
    else if (type === 'ACK') this.#confirm(payload)
    else if (type === 'ERROR') this.#failed(payload)
    else if (type === 'CLICKED_PAY' && this.role === 'device1') this.#see(payload.n as number, seq!)
  }

  #backIn ({ epoch, recovered, state }: Frame['payload']): void {
    this.state = state as { step: string | null }
    const { figures } = this
    if (recovered === true) figures.recovered++
    if (recovered === false) {
      figures.declaredLost++
      this.isLost = true
    } else if (this.#epoch !== undefined && this.#epoch !== epoch) figures.violations.push(`${this.roomId}: another epoch, and no loss was declared`)
    this.#epoch = epoch as string
    if (this.#awaySince !== undefined) figures.longestAway = Math.max(figures.longestAway, Date.now() - this.#awaySince)
    this.#awaySince = undefined
    this.#joined = true
    figures.resent += this.unacknowledged.size
    for (const frame of this.unacknowledged.values()) this.#socket!.send(frame)
  }

  #confirm ({ id, seq, duplicate }: Frame['payload']): void {
    this.unacknowledged.delete(id as string)
    const n = Number((id as string).split(':')[1])
    const before = this.acknowledged.get(n)
    if (before !== undefined && before !== seq) this.figures.violations.push(`${id} has seq ${before} and ${seq}`)
    if (before === undefined) this.figures.acknowledged++
    if (duplicate) this.figures.duplicates++
    this.acknowledged.set(n, seq as number)
    this.#seq = Math.max(this.#seq, seq as number)
  }

  #failed ({ code, retryable, id }: Frame['payload']): void {
    const frame = this.unacknowledged.get(id as string)
    const socket = this.#socket!
    if (!retryable) this.figures.violations.push(`${this.roomId}: ${code}`)
    // A refused join has no id here: a new connection repeats it.
    else if (frame === undefined) socket.close()
    else void sleep(200, undefined, { ref: false }).then(() => { if (this.#joined && socket === this.#socket) socket.send(frame) })
  }

  #see (n: number, seq: number): void {
    if (seq <= this.#seq) return
    if (seq !== this.#seq + 1 && !this.isLost) this.figures.violations.push(`${this.roomId}: seq ${seq} after ${this.#seq}`)
    this.#seq = seq
    this.seen[seq - 1] = n
    this.figures.delivered++
  }
}
