// Data of a device that survives a reload of its page: device id, position in the log, pending events, and results that were emitted.
import { tryOrUndefined, type StorageLike } from './environment.js'
import type { PaymentStatus, Position } from './frames.js'

/** A pending event. `text` is both the WebSocket message and the body of the HTTP request, so both are identical. */
export interface Outgoing { readonly id: string, readonly text: string }

export class DeviceRecord {
  deviceId: string
  position: Position | undefined
  outgoing: Outgoing[] = []
  /** Statuses that `settled` was emitted for, and whether they were verified. */
  settled: { [Status in PaymentStatus]?: boolean }
  #stored: string | undefined
  #isOver = false
  readonly #storage: StorageLike | null | undefined
  readonly #key: string

  /**
   * Reads the data stored under this key. A storage that throws or holds anything else counts as empty.
   * @param deviceId creates the device id if none is stored
   */
  constructor (storage: StorageLike | null | undefined, key: string, deviceId: () => string) {
    this.#storage = storage
    this.#key = key
    const stored = tryOrUndefined(() => JSON.parse(storage!.getItem(key)!) as Partial<DeviceRecord> | null)
    this.deviceId = typeof stored?.deviceId === 'string' ? stored.deviceId : deviceId()
    if (typeof stored?.position?.epoch === 'string' && Number.isInteger(stored.position.seq)) this.position = stored.position
    if (Array.isArray(stored?.outgoing)) this.outgoing = stored.outgoing.filter((event) => typeof event?.id === 'string' && typeof event.text === 'string')
    this.settled = { ...stored?.settled }
    this.save()
  }

  save (): void {
    const { deviceId, position, outgoing, settled } = this
    tryOrUndefined(() => {
      // Another client of this device has taken over.
      if (this.#isOver && this.#storage!.getItem(this.#key) !== this.#stored) return
      if (this.#isOver && outgoing.length === 0) return this.#storage!.removeItem(this.#key)
      this.#stored = JSON.stringify({ deviceId, position, outgoing, settled })
      this.#storage!.setItem(this.#key, this.#stored)
    })
  }

  /** Deletes the stored data, as soon as no event is pending. */
  finish (): void {
    this.#isOver = true
    this.save()
  }
}
