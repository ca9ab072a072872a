// Device 2 of the load: it sends numbered events, keeps the unacknowledged ones, and sends them again under the same id.
import { PAYLOAD } from '../../log-marks.js'
import { Device, type Frame } from './device.js'

/** Maximum of unacknowledged events. */
const WINDOW = 16
const TYPES = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY']

interface Event { readonly type: string, readonly id: string, readonly payload: { readonly transactionId?: string } }

export class Publisher extends Device {
  readonly #unacknowledged = new Map<string, Event>()
  #count = 0

  get waiting (): number { return this.#unacknowledged.size }

  /**
   * Sends one more event.
   * @param more further keys of its payload
   * @returns false if too many are still unacknowledged
   */
  publish (more: object = {}): boolean {
    if (this.waiting >= WINDOW) return false
    this.#begin(TYPES[this.#count % TYPES.length]!, more)
    return true
  }

  /** Sends the end of the payment, the last event of the room. */
  finish (): void { this.#begin('PAYMENT_SUCCESS', { transactionId: `t-${this.room}`, amount: 1 }) }

  #begin (type: string, more: { transactionId?: string, amount?: number } = {}): void {
    const n = ++this.#count
    const event = { type, id: `${this.room}.${n}`, payload: { roomId: this.room, n, ...PAYLOAD, ...more } }
    this.#unacknowledged.set(event.id, event)
    this.#send(event)
  }

  protected opened (): void { for (const event of this.#unacknowledged.values()) this.#send(event) }

  protected heard ({ type, payload }: Frame): void {
    const { name: by, room } = this
    if (type === 'ACK') {
      const { id, epoch, seq, duplicate } = payload as { id: string, epoch: string, seq: number, duplicate: boolean }
      this.journal.write({ what: 'acked', by, room, id, epoch, seq, duplicate })
      this.#unacknowledged.delete(id)
    } else if (type === 'ERROR') {
      const { id, code } = payload as { id?: string, code: string }
      this.journal.write({ what: 'refused', by, room, id, code })
      const event = this.#unacknowledged.get(id ?? '')
      if (event) this.later(200, () => { if (this.#unacknowledged.has(event.id)) this.#send(event) })
    }
  }

  #send (event: Event): void {
    const { id, payload: { transactionId } } = event
    if (!this.send(event)) return
    this.journal.write({ what: 'sent', by: this.name, room: this.room, id, ...(transactionId !== undefined && { transactionId }) })
  }
}
