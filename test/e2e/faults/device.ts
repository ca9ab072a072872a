// One device of the load: a raw socket that reconnects by itself, to another node if its own does not answer.
import { createHash } from 'node:crypto'
import { WebSocket } from 'ws'
import type { Journal } from './journal.js'

/** Any server frame. */
export interface Frame {
  type: string
  // Every type has a payload of another shape.
  payload: Record<string, any>
  seq?: number
  id?: string
}

export interface DeviceOptions {
  readonly name: string
  readonly room: string
  /** Addresses of all nodes, and the one to try first. */
  readonly urls: readonly string[]
  readonly home: number
  readonly journal: Journal
  /** Random number 0 ≤ x < 1, from the seed. */
  readonly random: () => number
}

export abstract class Device {
  readonly #options: DeviceOptions
  #socket: WebSocket | undefined
  #attempts = 0
  #steadySince = Infinity
  #stopped = false
  #timers = new Set<NodeJS.Timeout>()

  constructor (options: DeviceOptions) { this.#options = options }

  get name (): string { return this.#options.name }
  get room (): string { return this.#options.room }
  protected get journal (): Journal { return this.#options.journal }

  /** Age of its connection, ms; negative if it has none. */
  get steadyFor (): number { return Date.now() - this.#steadySince }

  /** Runs when the server has greeted a new connection. */
  protected abstract opened (): void
  protected abstract heard (frame: Frame, digest: string): void

  connect (): void {
    const { urls, home } = this.#options
    const socket = new WebSocket(urls[(home + this.#attempts) % urls.length]!, { handshakeTimeout: 3_000 })
    let isOpen = false
    this.#socket = socket
    socket.on('open', () => { isOpen = true })
    socket.on('message', (data: Buffer) => {
      if (socket !== this.#socket) return
      const frame = JSON.parse(String(data)) as Frame
      if (frame.type === 'CONNECTION_ESTABLISHED') {
        this.#attempts = 0
        this.#steadySince = Date.now()
        this.opened()
      } else {
        this.heard(frame, createHash('sha1').update(data).digest('base64url').slice(0, 12))
      }
    })
    socket.on('error', () => { /* the close that follows is handled */ })
    socket.on('close', (code) => {
      if (socket !== this.#socket || this.#stopped) return
      this.#socket = undefined
      this.#steadySince = Infinity
      if (isOpen) this.journal.write({ what: 'closed', by: this.name, room: this.room, code })
      this.#attempts++
      this.later(50 * Math.min(this.#attempts, 6), () => this.connect())
    })
  }

  /** @returns false if there was no socket to send it on */
  send (frame: object): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(frame))
    return true
  }

  /** Closes its socket, and stays away until `connect`. The journal gets no line, since the test wants it. */
  leave (): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.close()
  }

  /** Stops reading incoming data. */
  pause (): void { this.#socket?.pause() }

  resume (): void { this.#socket?.resume() }

  stop (): void {
    this.#stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.leave()
  }

  /** Runs a task after a jittered delay, unless the device has stopped or has another socket by then. */
  protected later (ms: number, work: () => void): void {
    const socket = this.#socket
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (!this.#stopped && socket === this.#socket) work()
    }, ms * (0.5 + this.#options.random()))
    this.#timers.add(timer)
  }
}
