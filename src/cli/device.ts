// Client of a command in a room: adds timeouts and a reason for each failure, so that the process ends in time.
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { connect, type ConnectOptions, type DevicePaymentEvent, type Environment, type Receipt, type Room, type RoomError } from '../client/index.js'
import { parseFrame } from '../client/link.js'
import { ROOM_CLOSED } from '../client/signals.js'
import { refusalOf } from './api.js'
import { EXIT, CliError, reasonOf } from './cli-error.js'
import { withTimeout } from './timeouts.js'
import type { Terminal } from './terminal.js'

/** Pause between two checks of a replay, ms. */
const REPLAY_CHECK = 5
/** Time limit for the server to close a socket, ms. */
const LEAVE_TIMEOUT = 500
/** Statuses of the event stream after which a retry can succeed. */
const PASSING = new Set([408, 425, 429])

export interface DeviceOptions extends Pick<ConnectOptions, 'url' | 'roomId' | 'role' | 'deviceId' | 'token' | 'presence'> {
  /** Time limit for the server, s. */
  readonly timeout: number
  /** Connects over server-sent events, as backends do, and not over a socket. */
  readonly stream?: boolean
}

/** An event to publish. */
export interface Step { readonly type: DevicePaymentEvent, readonly payload: Record<string, unknown>, readonly id: string }

export class Device {
  readonly room: Room
  /** Last known reason for not being in the room. */
  trouble = 'no response'
  /** Resolves when the room has ended: with undefined if it was closed, otherwise with the reason why the device cannot stay. Meaningless after `leave`. */
  readonly ended: Promise<CliError | undefined>
  readonly #options: DeviceOptions
  readonly #signal: AbortSignal
  /** Sequence number of the log's last event at the time of the join. */
  #logged = 0
  readonly #sockets = new Set<WebSocket>()
  readonly #requests = new AbortController()
  #end!: (fault: CliError | undefined) => void
  #hasEntered = false

  constructor (options: DeviceOptions, { platform, signal }: Terminal) {
    this.#options = options
    this.#signal = signal
    this.ended = new Promise((resolve) => { this.#end = resolve })
    const keep = (socket: WebSocket) => this.#keep(socket)
    class Socket extends WebSocket {
      constructor (url: string) {
        super(url)
        keep(this)
      }
    }
    const { stream, ...rest } = options
    // `undefined` would select the platform's own WebSocket.
    const transport = { WebSocket: stream ? null as never : Socket, fetch: this.#fetch, storage: null }
    this.room = connect({ ...rest, ...transport, ...platform })
    // The client would wait for a room that a server has lost; a command that was never in it has a wrong id.
    this.room.on('error', ({ code }) => { if (code === 'ROOM_NOT_FOUND' && !this.room.position) this.room.close() })
    this.room.on('closed', ({ code, reason }) => {
      // With the reason ROOM_CLOSED, an error code, the room was over before the device joined.
      this.#end(code === ROOM_CLOSED && reason !== 'ROOM_CLOSED' ? undefined : new CliError(EXIT.refused, this.trouble))
    })
  }

  /** Waits until the device is in the room and has received the events in the log. @throws {CliError} */
  async enter (): Promise<void> {
    const { room } = this
    const entered = new Promise<void>((resolve) => {
      room.on('status', (status) => {
        if (status !== 'online') return
        this.#hasEntered = true
        resolve(this.#caughtUp())
      })
    })
    await this.#inTime(Promise.race([entered, this.ended.then((fault) => { if (fault) throw fault })]), 'the room was not joined')
  }

  /**
   * Publishes an event. To be called after `enter`: an entry with the same id that is received before would count as the acknowledgement.
   * @returns position in the log
   * @throws {CliError}
   */
  async publish ({ type, payload, id }: Step): Promise<Receipt> {
    const answer = this.room.publish(type, payload, { id }).catch(async (error: RoomError) => {
      // CLOSED is not the reason; `ended` resolves with the reason.
      throw (error.code === 'CLOSED' && await this.ended) || new CliError(EXIT.refused, error.message, error.code)
    })
    return await this.#inTime(answer, `the event ${id} may or may not be in the log`)
  }

  /** Drops the connection, as in a tunnel; the client reconnects by itself. */
  drop (): void { for (const socket of this.#sockets) socket.terminate() }

  /** Leaves the room, after at most LEAVE_TIMEOUT even if the server does not answer. */
  async leave (): Promise<void> {
    this.#requests.abort()
    const closed = [...this.#sockets].map((socket) => new Promise((resolve) => { socket.once('close', resolve) }))
    this.room.close()
    await Promise.race([Promise.all(closed), sleep(LEAVE_TIMEOUT, undefined, { ref: false })])
    this.drop()
  }

  /** Waits for the replay. The replay of the device's own events emits no signal. */
  async #caughtUp (): Promise<void> { while (this.room.status !== 'closed' && this.room.position!.seq < this.#logged) await sleep(REPLAY_CHECK) }

  #inTime<T> (promise: Promise<T>, consequence: string): Promise<T> {
    const { timeout, url } = this.#options
    return withTimeout(promise, timeout, this.#signal, () => new CliError(EXIT.unavailable, `no response from ${url} within ${timeout} s (${this.trouble}): ${consequence}`))
  }

  #keep (socket: WebSocket): void {
    this.#sockets.add(socket)
    socket.on('open', () => { this.trouble = 'no response' })
    socket.on('error', (error) => this.#onTrouble(error))
    socket.on('message', (data) => {
      const { type, payload } = parseFrame(String(data)) ?? {}
      if (type === 'ROOM_JOINED') this.#logged = payload!.seq as number
      if (type === 'ERROR') this.trouble = `${payload!.message} (${payload!.code})`
    })
    socket.on('close', (code, reason) => {
      this.#sockets.delete(socket)
      if (reason.length > 0) this.trouble = `the server closed the connection: ${reason} (${code})`
    })
  }

  #onTrouble (error: unknown): void {
    this.trouble = reasonOf(error)
    // Before the first join no server has been there, so that another try would fail as well. Later it may be restarting.
    if (this.#hasEntered || !isRefused(error)) return
    this.#end(new CliError(EXIT.unavailable, `cannot connect to ${this.#options.url}: ${this.trouble}; is the server running?`))
    this.room.close()
  }

  readonly #fetch: Environment['fetch'] = async (url, { signal, ...init }) => {
    const signals = [this.#requests.signal, ...(signal ? [signal] : [])]
    const response = await fetch(url, { ...init, signal: AbortSignal.any(signals) }).catch((error: unknown) => {
      this.#onTrouble(error)
      throw error
    })
    if (response.ok || init.method === 'POST') return response
    const refusal = await refusalOf(response)
    this.trouble = refusal.message
    // The client would retry for ever.
    if (response.status < 500 && !PASSING.has(response.status)) {
      this.#end(refusal)
      this.room.close()
    }
    return response
  }
}

/** True for an error that says that nothing listens at the address. */
function isRefused (error: unknown): boolean {
  const { code, cause } = error as { code?: unknown, cause?: unknown }
  return code === 'ECONNREFUSED' || (cause !== undefined && isRefused(cause))
}
