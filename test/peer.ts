// One client for all tests: the same over an injected socket and a real one.
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { WebSocket, type ClientOptions } from 'ws'

export interface Frame {
  type: string
  // Tests look into payloads of every shape.
  payload: Record<string, any>
  seq?: number
  timestamp?: number
  source?: string
  id?: string
}

const TIMEOUT = 20_000

export class Peer {
  /** Everything that arrived, in order. */
  readonly frames: Frame[] = []
  /** The close code, once there is one. */
  readonly closed: Promise<number>
  #taken = new Set<Frame>()
  #wake = new Set<() => void>()
  #isClosed: number | undefined

  private constructor (readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.frames.push(JSON.parse(String(data)) as Frame)
      for (const wake of this.#wake) wake()
    })
    socket.on('error', () => { /* the close that follows says it */ })
    this.closed = new Promise((resolve) => socket.on('close', (code) => {
      this.#isClosed = code
      resolve(code)
      for (const wake of this.#wake) wake()
    }))
  }

  /** A socket without a network, straight into the app. */
  static async inject (t: Test, app: FastifyInstance): Promise<Peer> {
    let peer: Peer | undefined
    await app.injectWS('/', { socket: { remoteAddress: '127.0.0.1' } } as never, { onInit: (socket) => { peer = new Peer(socket as WebSocket) } })
    t.teardown(() => peer!.socket.terminate())
    await peer!.next('CONNECTION_ESTABLISHED')
    return peer!
  }

  /** A real socket; resolves when the greeting is there. */
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

  /** The first frame of this type that no earlier call took, arrived or yet to arrive. */
  async next (type: string): Promise<Frame> {
    const find = () => this.frames.find((frame) => frame.type === type && !this.#taken.has(frame))
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
    this.#taken.add(frame)
    return frame
  }

  /** Waits until everything this peer sent has been worked off: frames are answered in their order, so the answer to a ping is the last one. */
  async settled (): Promise<void> {
    this.send('PING', {})
    await this.next('PONG')
  }

  /** The relayed events among all frames: those that the log numbered. */
  get events (): Frame[] { return this.frames.filter(({ seq }) => seq !== undefined) }

  #arrived (): string { return this.frames.map(({ type }) => type).join(', ') || 'nothing' }
}
