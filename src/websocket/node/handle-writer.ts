// Writes to a connection's libuv handle and bypasses its stream, whose work is wasted when the kernel takes the bytes at once, as it nearly always does.
import { internals, type Handle, type WriteRequest } from './internals.js'

/** Callbacks of a write that did not complete synchronously. */
export interface WriteCallbacks {
  /** The write in flight is done. */
  onWritten: () => void
  /** The write in flight has failed. */
  onFailed: () => void
}

/** `written`: done. `pending`: in flight, a callback follows. `refused`: nothing was written; use the stream, which writes the bytes or reports the error. */
export type WriteOutcome = 'written' | 'pending' | 'refused'

/** The part of a handle that a {@link HandleWriter} uses. */
export type WritableHandle = Pick<Handle, 'writeBuffer'>

/** Async id of a request that no write has used. */
const UNUSED = -1

/** Writes to connections whose stream, if there is one, has an empty buffer. One object per server. */
export class HandleWriter {
  /** Request of the next write. A write that completes synchronously leaves it unused, so it serves again. null where Node.js creates the requests. */
  #request = newRequest()

  /**
   * Writes bytes to a handle. After `pending`, bytes written to the stream follow these.
   * @param bytes must not change until they are written
   */
  write (handle: WritableHandle, bytes: Uint8Array, writer: WriteCallbacks): WriteOutcome {
    const passed = this.#request
    const result = handle.writeBuffer(passed, bytes)
    // An empty queue of the handle would not show this: libuv may have queued the bytes that the kernel did not take, and written them within the same call.
    // Node.js aborts the process if a request is used again before its callback.
    if (result === 0 && (passed === null || passed.getAsyncId!() === UNUSED)) return 'written'
    this.#request = newRequest()
    const request = result === 0 ? passed : result
    // A libuv error code, or undefined from a closed handle.
    if (!request || typeof request === 'number') return 'refused'
    // Completed before there was a callback.
    if (typeof request.writeStatus === 'number') return request.writeStatus === 0 ? 'written' : 'refused'
    // libuv holds only a pointer: keep the bytes from being garbage collected.
    request.buffer = bytes
    request.oncomplete = (status) => {
      if (status === 0) writer.onWritten()
      else writer.onFailed()
    }
    return 'pending'
  }
}

function newRequest (): WriteRequest | null { return internals?.WriteRequest ? new internals.WriteRequest() : null }
