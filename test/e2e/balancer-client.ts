// One device of the load on the balancer: keeps what is not acknowledged, comes back after every close, and notes what it saw.
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Frame } from '../peer.js'

export interface Figures {
  published: number
  acknowledged: number
  delivered: number
  /** Rejoined with `recover`, and nothing was missing. */
  recovered: number
  /** Rejoined, and the server said that something may be missing. */
  declaredLost: number
  /** Events that were sent again, and how many of these were in the log already. */
  resent: number
  duplicates: number
  /** The longest time between a close and being back in the room, ms. */
  longestAway: number
  readonly closes: Record<number, number>
  /** Handshakes that came to nothing, by the reason. */
  readonly refusals: Record<string, number>
  /** What must not happen. */
  readonly violations: string[]
}

export const newFigures = (): Figures => ({
  published: 0, acknowledged: 0, delivered: 0, recovered: 0, declaredLost: 0, resent: 0, duplicates: 0, longestAway: 0, closes: {}, refusals: {}, violations: []
})

function count (numbers: Record<string | number, number>, what: string | number): void { numbers[what] = (numbers[what] ?? 0) + 1 }

/** How long a client waits before it connects again, ms: any time up to this. */
const JITTER = 1_000

export class Client {
  /** What a watcher saw, the number in each event; the event with seq 1 comes first. */
  readonly seen: number[] = []
  /** What a publisher was told is in the log: the number in the event, and its seq. */
  readonly acknowledged = new Map<number, number>()
  readonly unacknowledged = new Map<string, string>()
  isLost = false
  /** Where the payment stood when it last joined. */
  state: { step: string | null } | undefined
  #socket: WebSocket | undefined
  #joined = false
  #done = false
  #awaySince: number | undefined
  #epoch: string | undefined
  #seq = 0
  #number = 0

  /** @param pause waits before it connects again after a close */
  constructor (
    readonly url: string, readonly roomId: string, readonly role: 'device1' | 'device2', readonly figures: Figures,
    readonly pause: () => Promise<unknown> = () => sleep(Math.random() * JITTER, undefined, { ref: false })
  ) {}

  get joined (): boolean { return this.#joined }
  /** Where its knowledge of the room ends. */
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

  /** One more event; while the client is away it waits. */
  publish (): void {
    const n = ++this.#number
    const id = `${this.roomId}:${n}`
    const frame = JSON.stringify({ type: 'CLICKED_PAY', id, payload: { roomId: this.roomId, n } })
    this.unacknowledged.set(id, frame)
    this.figures.published++
    if (this.#joined) this.#socket!.send(frame)
  }

  /** Loses its connection. */
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
    } else if (this.#epoch !== undefined && this.#epoch !== epoch) figures.violations.push(`${this.roomId}: another epoch, and nothing was said of it`)
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
    // A join that failed has no id here: a new connection repeats it.
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
