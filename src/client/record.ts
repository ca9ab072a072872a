// What a device remembers across a reload of its page: its name, its position in the log, and what was not acknowledged.
import { tryOrUndefined, type StorageLike } from './environment.js'
import type { Position } from './frames.js'

/** An event on its way: the text of its frame is also the body of its request, so both say exactly the same. */
export interface Outgoing { readonly id: string, readonly text: string }

export class DeviceRecord {
  deviceId: string
  position: Position | undefined
  outgoing: Outgoing[] = []
  #storage: StorageLike | null | undefined
  readonly #key: string

  /**
   * Reads what was kept under this key. A storage that fails, or holds something else, is as good as an empty one.
   * @param deviceId the device's name, where it had none
   */
  constructor (storage: StorageLike | null | undefined, key: string, deviceId: () => string) {
    this.#storage = storage
    this.#key = key
    const kept = tryOrUndefined(() => JSON.parse(storage!.getItem(key)!) as Partial<DeviceRecord> | null)
    this.deviceId = typeof kept?.deviceId === 'string' ? kept.deviceId : deviceId()
    if (typeof kept?.position?.epoch === 'string' && Number.isInteger(kept.position.seq)) this.position = kept.position
    if (Array.isArray(kept?.outgoing)) this.outgoing = kept.outgoing.filter((event) => typeof event?.id === 'string' && typeof event.text === 'string')
    this.save()
  }

  save (): void {
    const { deviceId, position, outgoing } = this
    tryOrUndefined(() => this.#storage?.setItem(this.#key, JSON.stringify({ deviceId, position, outgoing })))
  }

  /** From now on nothing is kept. */
  forget (): void {
    tryOrUndefined(() => this.#storage?.removeItem(this.#key))
    this.#storage = undefined
  }
}
