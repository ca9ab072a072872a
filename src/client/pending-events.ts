// Events that the server has not acknowledged: kept in order and across reloads until they are logged or refused for good.
import { RoomError, type Receipt } from './frames.js'
import type { DeviceRecord, Outgoing } from './record.js'

/** Largest number of pending events. */
export const MAX_WAITING = 100
/** Size of the largest event accepted, bytes of UTF-8: the server closes the socket on a message above its limit. */
export const MAX_BYTES = 16_384

/** The server's rule for ids. */
const ID = /^[ -~]{1,64}$/

interface Waiting { readonly promise: Promise<Receipt>, readonly resolve: (receipt: Receipt) => void, readonly reject: (error: RoomError) => void }

export class PendingEvents {
  readonly #record: DeviceRecord
  /** Promises of the events published since the page was loaded; an event stored before a reload has none. */
  readonly #waiting = new Map<string, Waiting>()

  constructor (record: DeviceRecord) { this.#record = record }

  get events (): readonly Outgoing[] { return this.#record.outgoing }

  /** Adds an event; the promise settles with the result. The same id again is the same event. */
  add ({ id, text }: Outgoing): Promise<Receipt> {
    const pending = this.#waiting.get(id)
    if (pending) return pending.promise
    const { outgoing } = this.#record
    if (outgoing.length >= MAX_WAITING) return refused(new RoomError('OUTBOX_FULL', `${MAX_WAITING} events are pending.`, true))
    if (bytesOf(text) > MAX_BYTES) return refused(new RoomError('TOO_LARGE', `The event exceeds ${MAX_BYTES} bytes.`))
    if (!outgoing.some((event) => event.id === id)) outgoing.push({ id, text })
    this.#record.save()
    let waiting: Omit<Waiting, 'promise'>
    const promise = markHandled(new Promise<Receipt>((resolve, reject) => { waiting = { resolve, reject } }))
    this.#waiting.set(id, { promise, ...waiting! })
    return promise
  }

  /**
   * Removes an event whose result is known, and settles its promise.
   * @returns the event, and in `hadPromise` whether a caller has its promise; undefined if the event was not pending
   */
  settle (id: string | undefined, result: Receipt | RoomError): { event: Outgoing, hadPromise: boolean } | undefined {
    const { outgoing } = this.#record
    const index = outgoing.findIndex((event) => event.id === id)
    if (index < 0) return undefined
    const [event] = outgoing.splice(index, 1)
    this.#record.save()
    return { event: event!, hadPromise: this.#settlePromise(event!.id, result) }
  }

  /** Rejects all promises. The events stay stored: they may be in the log or not. */
  abandon (error: RoomError): void {
    for (const id of this.#waiting.keys()) this.#settlePromise(id, error)
  }

  #settlePromise (id: string, result: Receipt | RoomError): boolean {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (result instanceof RoomError) waiting?.reject(result)
    else waiting?.resolve(result)
    return waiting !== undefined
  }
}

/** @returns size in UTF-8 */
export function bytesOf (text: string): number { return new TextEncoder().encode(text).length }

/**
 * Returns an event as it is sent and stored.
 * @param message may throw, as may its conversion to JSON: both depend on the application
 */
export function outgoing (message: () => { readonly id: string }): Outgoing | RoomError {
  try {
    const content = message()
    const { id } = content
    return ID.test(id) ? { id, text: JSON.stringify(content) } : new RoomError('INVALID_FRAME', 'The id must be 1 to 64 ASCII characters.')
  } catch (error) {
    return new RoomError('INVALID_FRAME', String(error))
  }
}

/** Returns the rejected promise of an event that was not accepted. */
export function refused (error: RoomError): Promise<never> { return markHandled(Promise.reject(error)) }

/** Marks a rejection as handled, for callers that ignore the promise: in Node.js an unhandled rejection ends the process. */
function markHandled<T> (promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
