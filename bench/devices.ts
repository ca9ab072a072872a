// Devices of a measurement: plain sockets that connect, join and publish, wait for the reply to each step, and cost as little as possible.
import { once } from 'node:events'
import { WebSocket } from 'ws'

/** Events of an average payment, as a payer's page sends them. */
const PAYMENT: ReadonlyArray<{ type: string, payload: object }> = [
  { type: 'ENTERED_SUMMARY', payload: {} },
  { type: 'CLICKED_PROCEED', payload: {} },
  { type: 'PAYMENT_METHOD_CHANGED', payload: { method: 'pix' } },
  { type: 'PAYMENT_METHOD_CHANGED', payload: { method: 'card' } },
  { type: 'DATA_FILLED', payload: { fields: ['name', 'document', 'email'] } },
  { type: 'DATA_FILLED', payload: { fields: ['name', 'document', 'email', 'card'] } },
  { type: 'CLICKED_PAY', payload: {} },
  { type: 'PAYMENT_SUCCESS', payload: { transactionId: 'tx_456789', amount: 99.90, currency: 'BRL' } }
]

export const EVENTS_PER_PAYMENT = PAYMENT.length

export class Device {
  /** Number of events received. */
  events = 0
  readonly #socket: WebSocket
  readonly #waiting = new Map<string, () => void>()

  private constructor (readonly roomId: string, readonly deviceId: string, url: string) {
    // The greeting may arrive in the packet of the upgrade: attach the listener before the socket is open.
    const socket = this.#socket = new WebSocket(url, { perMessageDeflate: false })
    socket.on('message', (data: Buffer) => this.#hear(data.toString('latin1')))
    socket.on('error', () => { /* the close event that follows reports it */ })
    socket.on('close', (code) => { if (this.#waiting.size > 0) throw new Error(`${deviceId} of ${roomId} was closed: ${code}`) })
  }

  static async connect (url: string, roomId: string, deviceId: string): Promise<Device> {
    const device = new Device(roomId, deviceId, url)
    await device.#answer('CONNECTION_ESTABLISHED')
    return device
  }

  async join (): Promise<void> {
    this.#send({ type: 'JOIN_ROOM', payload: { roomId: this.roomId, deviceId: this.deviceId } })
    await this.#answer('ROOM_JOINED')
  }

  /** Publishes the n-th event of its payments, and waits for the acknowledgement. */
  async publish (n: number): Promise<void> {
    const { type, payload } = PAYMENT[n % PAYMENT.length]!
    this.#send({ type, payload: { roomId: this.roomId, deviceId: this.deviceId, ...payload }, id: `${this.roomId}-${n}` })
    await this.#answer('ACK')
  }

  /** Cuts the connection without a close frame. */
  cut (): void { this.#socket.terminate() }

  async leave (): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return
    this.#socket.close()
    await once(this.#socket, 'close')
  }

  #send (frame: object): void { this.#socket.send(JSON.stringify(frame)) }

  #answer (type: string): Promise<void> { return new Promise((resolve) => this.#waiting.set(type, resolve)) }

  #hear (text: string): void {
    const type = text.slice(9, text.indexOf('"', 9))
    if (type === 'ERROR') throw new Error(text)
    const answered = this.#waiting.get(type)
    if (answered) {
      this.#waiting.delete(type)
      answered()
    } else if (/,"seq":\d+,"timestamp"/.test(text)) this.events++
  }
}

/** Runs the work for each item, `atOnce` items at a time. */
export async function each<T> (items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  await Promise.all(Array.from({ length: atOnce }, async () => { for (const item of rest) await work(item) }))
}
