// Fake server in memory, with a clock of its own: the protocol's extensions over a socket and over REST, and every way to fail.
import type { ConnectOptions } from '../../src/client/index.js'
import { connect, type Room } from '../../src/client/index.js'
import type { RequestLike, ResponseLike, SocketLike, StorageLike } from '../../src/client/environment.js'
import { fold, newPayment, type Payment } from '../../src/payment/state.js'

interface Timer { readonly at: number, readonly run: () => void }

/** Clock whose time passes only on request. */
export class Clock {
  now = 0
  #timers = new Map<number, Timer>()
  #next = 1

  readonly setTimeout = (run: () => void, ms: number): number => {
    this.#timers.set(this.#next, { at: this.now + ms, run })
    return this.#next++
  }

  readonly clearTimeout = (timer: number): void => { this.#timers.delete(timer) }

  /** Delays of the timers that are pending, ms from now, in order. */
  get waits (): number[] { return [...this.#timers.values()].map(({ at }) => at - this.now).sort((a, b) => a - b) }

  /** Lets this much time pass; timers fire in order, with everything that follows from them. */
  async advance (ms: number): Promise<void> {
    const end = this.now + ms
    await settle()
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([a, x], [b, y]) => x.at - y.at || a - b)[0]
      if (!due) break
      this.#timers.delete(due[0])
      this.now = due[1].at
      due[1].run()
      await settle()
    }
    this.now = end
  }
}

/** Waits until every promise that can settle has settled. */
const settle = () => new Promise<void>((resolve) => { setImmediate(resolve) })

export interface Frame { type: string, payload: Record<string, any>, id?: string }

class FakeSocket implements SocketLike {
  onopen: ((event: any) => void) | null = null
  onmessage: ((event: any) => void) | null = null
  onerror: ((event: any) => void) | null = null
  onclose: ((event: any) => void) | null = null
  readyState = 0
  readonly sent: Frame[] = []
  closedWith: number | undefined
  joined = false

  constructor (readonly server: FakeServer, readonly url: string) {
    if (server.sockets.accept === 'throw') throw new Error('insecure')
    server.sockets.all.push(this)
    server.clock.setTimeout(() => {
      if (server.sockets.accept === 'refuse') this.end(1006)
      if (server.sockets.accept !== 'open' || this.readyState !== 0) return
      this.readyState = 1
      this.onopen?.({})
      if (!server.sockets.mute) this.receive('CONNECTION_ESTABLISHED', { clientId: 'c' })
    }, 1)
  }

  send (text: string): void {
    if (this.readyState === 0) throw new Error('InvalidStateError')
    if (this.readyState !== 1) return
    const frame = JSON.parse(text) as Frame
    this.sent.push(frame)
    this.server.clock.setTimeout(() => { if (this.readyState === 1 && !this.server.sockets.mute) this.server.handle(this, frame) }, 1)
  }

  close (code = 1005): void {
    if (this.readyState > 1) return
    this.closedWith = code
    this.readyState = 2
    this.server.clock.setTimeout(() => this.end(code), 1)
  }

  receive (type: string, payload: object, extra: object = {}): void {
    // A socket that is closing still delivers frames that were on their way.
    if (this.readyState === 1 || this.readyState === 2) this.onmessage?.({ data: JSON.stringify({ type, payload, ...extra }) })
  }

  /** Ends the connection. */
  end (code: number): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.onerror?.({})
    this.onclose?.({ code, reason: `code ${code}` })
  }
}

export interface Entry { seq: number, type: string, payload: Record<string, unknown>, timestamp: number, source: string, id?: string }

export class FakeServer {
  readonly clock = new Clock()
  epoch = 'e1'
  log: Entry[] = []
  seq = 0
  payment: Payment = newPayment(0)
  /** Fate of new sockets. Mute: they open, but send and read nothing. */
  readonly sockets = { accept: 'open' as 'open' | 'refuse' | 'hang' | 'throw', mute: false, all: [] as FakeSocket[] }
  /** Fate of requests. Unreachable: they are rejected. Hang: they stay unanswered. A status without a code is a proxy's page. */
  readonly http = { answer: 'ok' as 'ok' | 'unreachable' | 'hang' | { status: number, code?: string }, latency: () => 1, requests: [] as Array<RequestLike & { url: string }> }
  readonly streams = new Set<(text: string | undefined) => void>()
  /** Answers a frame in place of the server; returns true if it did. */
  intercept: (socket: FakeSocket, frame: Frame) => boolean = () => false
  /** True for the types of events that a batch rejects. */
  rejects: (type: string) => boolean = () => false
  extensions = true
  /** Time between two comments on a stream, as its first comment tells it, ms. */
  heartbeat: number | undefined
  /** True after the deadline of the payment link: events of devices are refused. */
  expired = false

  /** Connects a client to this server, with the clock's time and the middle of every random range. */
  connect (options: Partial<ConnectOptions> = {}): Room {
    const { clock } = this
    return connect({
      url: 'ws://fake/base/',
      roomId: 'room 1',
      role: 'device1',
      deviceId: 'd1',
      storage: null,
      WebSocket: this.WebSocket,
      fetch: this.fetch,
      random: () => 0.5,
      now: () => clock.now,
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
      ...options
    })
  }

  get WebSocket (): new (url: string) => SocketLike {
    const server = this
    return class extends FakeSocket { constructor (url: string) { super(server, url) } }
  }

  /** Newest socket. */
  get socket (): FakeSocket { return this.sockets.all.at(-1)! }

  /** Frames of this type that all sockets sent. */
  sent (type: string): Frame[] { return this.sockets.all.flatMap(({ sent }) => sent).filter((frame) => frame.type === type) }

  /** Appends an event to the log and sends it to every member but its sender. */
  publish (type: string, payload: object = {}, { source = 'device', id, origin, verified = false }: { source?: string, id?: string | undefined, origin?: FakeSocket, verified?: boolean } = {}): { seq: number, duplicate: boolean } {
    const known = id !== undefined && this.log.find((entry) => entry.id === id)
    if (known) return { seq: known.seq, duplicate: true }
    const entry: Entry = { seq: ++this.seq, type, payload: { roomId: 'room 1', ...payload }, timestamp: this.clock.now, source, ...(id !== undefined && { id }) }
    this.log.push(entry)
    this.payment = fold(this.payment, { ...entry, verified })
    for (const socket of this.sockets.all) if (socket.joined && socket !== origin && !this.sockets.mute) this.deliver(entry, socket)
    for (const send of this.streams) send(sse(entry))
    return { seq: entry.seq, duplicate: false }
  }

  deliver ({ type, payload, ...extra }: Entry, socket = this.socket): void { socket.receive(type, payload, extra) }

  /** Lets the deadline of the payment link pass. */
  expire (): void {
    this.expired = true
    this.publish('PAYMENT_EXPIRED', {}, { source: 'server', verified: true })
  }

  /** Moves the deadline of the payment link, as a backend does by PATCH. */
  extend (): void {
    this.expired = false
    this.publish('LINK_UPDATED', { expiresAt: this.clock.now + 60_000 }, { source: 'server', verified: true })
  }

  /** Loses the log and begins a new one. */
  restart (): void {
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`
    this.log = []
    this.seq = 0
    this.payment = newPayment(this.clock.now)
  }

  handle (socket: FakeSocket, frame: Frame): void {
    if (this.intercept(socket, frame)) return
    const { type, payload, id } = frame
    if (type === 'PING') return socket.receive('PONG', {})
    if (type === 'LEAVE_ROOM') return socket.receive('ROOM_LEFT', {})
    if (type === 'JOIN_ROOM') {
      socket.joined = true
      const { reply, missing } = this.#join(payload.recover)
      socket.receive('ROOM_JOINED', { ...reply, ...(payload.presence && { members: [{ clientId: 'c', deviceId: 'd1', role: 'device1' }] }) })
      for (const entry of missing) this.deliver(entry, socket)
      return
    }
    if (this.expired && this.refuse(socket, 'ROOM_CLOSED', false, id)) return
    const published = this.publish(type, payload, { id, origin: socket })
    if (id !== undefined) socket.receive('ACK', { id, roomId: 'room 1', epoch: this.epoch, ...published })
  }

  /** @param id of the refused message; a number is its number on the socket, where its id breaks the rules */
  refuse (socket: FakeSocket, code: string, retryable: boolean, id?: string | number): true {
    socket.receive('ERROR', { code, message: `refused: ${code}`, retryable, timestamp: 0, ...(typeof id === 'number' ? { number: id } : id !== undefined && { id }) })
    return true
  }

  readonly fetch = async (url: string, init: RequestLike): Promise<ResponseLike> => {
    this.http.requests.push({ ...init, url })
    const { answer } = this.http
    await new Promise<void>((resolve) => { this.clock.setTimeout(resolve, this.http.latency()) })
    if (answer === 'unreachable') throw new TypeError('fetch failed')
    if (answer === 'hang') return new Promise(() => {})
    if (answer !== 'ok') return response(answer.status, answer.code === undefined ? undefined : { success: false, error: `refused: ${answer.code}`, code: answer.code })
    if (init.method === 'POST' && this.expired) return response(410, { success: false, error: 'refused: ROOM_CLOSED', code: 'ROOM_CLOSED' })
    if (init.method !== 'POST') return this.#stream(new URL(url).searchParams, init.signal!)
    const body = JSON.parse(init.body!) as Frame & { events?: Frame[] }
    const results = (body.events ?? [body]).map(({ type, payload, id }) => this.rejects(type) ? { code: 'SENSITIVE_DATA', error: 'refused' } : { ...this.publish(type, payload, { id }), sentToClients: 1 })
    return response(201, { success: true, data: { epoch: this.epoch, ...(body.events ? { results } : results[0]) }, timestamp: 0 })
  }

  #stream (query: URLSearchParams, signal: AbortSignal): ResponseLike {
    const waiting: Array<Uint8Array | undefined> = []
    let wake = (): void => {}
    const send = (text: string | undefined) => {
      if (text === undefined) this.streams.delete(send)
      // A network splits chunks anywhere, also within a character.
      const bytes = new TextEncoder().encode(text)
      for (let i = 0; i < bytes.length; i += 7) waiting.push(bytes.slice(i, i + 7))
      if (text === undefined) waiting.push(undefined)
      wake()
    }
    const { reply: view, missing } = this.#join({ seq: Number(query.get('since')), epoch: query.get('epoch') ?? undefined })
    const reply = { ...view, ...(query.get('presence') === 'true' && { members: [{ clientId: 'c', deviceId: 'd1', role: 'device1' }] }) }
    this.streams.add(send)
    send(`${this.heartbeat === undefined ? '' : `: heartbeat ${this.heartbeat}\n`}retry: 1000\n\ndata: ${JSON.stringify({ type: 'ROOM_JOINED', payload: reply })}\n\n: comment\n\n${missing.map(sse).join('')}`)
    signal.addEventListener('abort', () => this.streams.delete(send))
    const read = async (): Promise<{ done: boolean, value?: Uint8Array }> => {
      while (waiting.length === 0) await new Promise<void>((resolve) => { wake = resolve })
      const text = waiting.shift()!
      return text === undefined ? { done: true } : { done: false, value: text }
    }
    return { ok: true, status: 200, body: { getReader: () => ({ read }) }, json: async () => ({}) }
  }

  #join (recover?: { seq: number, epoch?: string | undefined }): { reply: object, missing: Entry[] } {
    const first = this.seq - this.log.length + 1
    const isOurs = recover && (recover.epoch === this.epoch || (recover.epoch === undefined && recover.seq === 0))
    const recovered = isOurs === true && recover.seq >= first - 1 && recover.seq <= this.seq
    const missing = recovered ? this.log.filter(({ seq }) => seq > recover.seq) : [...this.log]
    return { reply: { roomId: 'room 1', epoch: this.epoch, seq: this.seq, state: this.payment.state, ...(this.extensions && { recovered, replayed: missing.length }) }, missing }
  }
}

function sse ({ type, payload, ...extra }: Entry): string {
  return `id: e:${extra.seq}\r\ndata: ${JSON.stringify({ type, payload, ...extra })}\r\n\r\n`
}

/** @param body undefined is a page that is no JSON */
function response (status: number, body: object | undefined): ResponseLike {
  return { ok: status < 300, status, body: null, json: async () => body ?? JSON.parse('<html>') }
}

/** Storage as a page has it; it outlives its clients. */
export class FakeStorage implements StorageLike {
  readonly items = new Map<string, string>()
  getItem (key: string): string | null { return this.items.get(key) ?? null }
  setItem (key: string, value: string): void { this.items.set(key, value) }
  removeItem (key: string): void { this.items.delete(key) }
}

/** Page: a window, a document, and the events on them. */
export class FakePage {
  readonly window = new EventTarget()
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible' })

  see (visibilityState: 'visible' | 'hidden'): void {
    this.document.visibilityState = visibilityState
    this.document.dispatchEvent(new Event('visibilitychange'))
  }

  tell (type: 'pagehide' | 'pageshow' | 'online' | 'offline'): void { this.window.dispatchEvent(new Event(type)) }
}

/** Records every signal that a client emits. */
export function listenTo (room: Room): Array<[signal: string, value: any]> {
  const received: Array<[string, unknown]> = []
  for (const signal of ['event', 'state', 'settled', 'status', 'members', 'stalled', 'gap', 'error', 'closed'] as const) room.on(signal, (value) => { received.push([signal, value]) })
  return received
}

export const of = (received: Array<[string, any]>, signal: string): any[] => received.filter(([name]) => name === signal).map(([, value]) => value)

/** Storage key of the unacknowledged events of the device `d1` in `room 1`. */
export const KEY = 'ws-payment ws://fake/base/ room 1 d1'

/** Types of the events that a server has logged. */
export const types = (server: FakeServer): string[] => server.log.map(({ type }) => type)

/** Makes every later request fail. */
export const unreachable = (server: FakeServer): void => { server.http.answer = 'unreachable' }
