// Client for all tests, over an injected or a real socket.
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { WebSocket, type ClientOptions } from 'ws'

export interface Frame {
  type: string
  // Payloads have every shape, so their type is any.
  payload: Record<string, any>
  seq?: number
  timestamp?: number
  source?: string
  id?: string
}

const TIMEOUT = 20_000

export class Peer {
  /** Received frames, in order. */
  readonly frames: Frame[] = []
  /** Close code, once the socket is closed. */
  readonly closed: Promise<number>
  #returned = new Set<Frame>()
  #wake = new Set<() => void>()
  #isClosed: number | undefined

  private constructor (readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.frames.push(JSON.parse(String(data)) as Frame)
      for (const wake of this.#wake) wake()
    })
    socket.on('error', () => { /* the close that follows has the code */ })
    this.closed = new Promise((resolve) => socket.on('close', (code) => {
      this.#isClosed = code
      resolve(code)
      for (const wake of this.#wake) wake()
    }))
  }

  /** Opens a socket without a network, directly into the app. */
  static async inject (t: Test, app: FastifyInstance): Promise<Peer> {
    let peer: Peer | undefined
    await app.injectWS('/', { socket: { remoteAddress: '127.0.0.1' } } as never, { onInit: (socket) => { peer = new Peer(socket as WebSocket) } })
    t.teardown(() => peer!.socket.terminate())
    await peer!.next('CONNECTION_ESTABLISHED')
    return peer!
  }

  /** Opens a real socket; resolves when CONNECTION_ESTABLISHED has arrived. */
  static async connect (t: Test, url: string, options: ClientOptions = {}): Promise<Peer> {
    const peer = new Peer(new WebSocket(url, options))
    t.teardown(() => peer.socket.terminate())
    await peer.next('CONNECTION_ESTABLISHED')
    return peer
  }

  send (type: string, payload: object, id?: string): void {
    this.socket.send(JSON.stringify(id === undefined ? { type, payload } : { type, payload, id }))
  }

  async join (roomId: string, deviceId?: string): Promise<Frame> {
    this.send('JOIN_ROOM', { roomId, ...(deviceId !== undefined && { deviceId }) })
    return this.next('ROOM_JOINED')
  }

  /** Takes the first frame of this type that no earlier call took, and waits for it if necessary. */
  async next (type: string): Promise<Frame> {
    const find = () => this.frames.find((frame) => frame.type === type && !this.#returned.has(frame))
    const frame = await new Promise<Frame>((resolve, reject) => {
      const check = () => {
        const found = find()
        if (!found && this.#isClosed === undefined) return
        this.#wake.delete(check)
        clearTimeout(timer)
        if (found) resolve(found)
        else reject(new Error(`closed with ${this.#isClosed} before ${type}; arrived: ${this.#arrived()}`))
      }
      const timer = setTimeout(() => {
        this.#wake.delete(check)
        reject(new Error(`no ${type} within ${TIMEOUT} ms; arrived: ${this.#arrived()}`))
      }, TIMEOUT)
      this.#wake.add(check)
      check()
    })
    this.#returned.add(frame)
    return frame
  }

  /** Waits until the server has handled all frames of this peer: frames are answered in order, so the answer to a PING is the last one. */
  async settled (): Promise<void> {
    this.send('PING', {})
    await this.next('PONG')
  }

  /** Relayed events among the received frames, which have a seq. */
  get events (): Frame[] { return this.frames.filter(({ seq }) => seq !== undefined) }

  #arrived (): string { return this.frames.map(({ type }) => type).join(', ') || 'nothing' }
}
