// Writes to a connection's libuv handle and bypasses its stream, whose work is wasted when the kernel takes the bytes at once, as it nearly always does.
import { internals, type Handle, type WriteRequest } from './internals.js'

/** Callbacks of a write that did not complete synchronously. */
export interface WriteCallbacks {
  /** The write in flight is done. */
  onWritten: () => void
  /** The write in flight has failed. */
  onFailed: () => void
}

/** `written`: done. `under way`: in flight, a callback follows. `refused`: nothing was written; use the stream, which writes the bytes or reports the error. */
export type WriteOutcome = 'written' | 'under way' | 'refused'

/** The part of a handle that {@link writeToHandle} uses. */
export type WritableHandle = Pick<Handle, 'writeBuffer' | 'writeQueueSize'>

/** Request of the next write. A write that completes synchronously leaves it unused, so it serves again. null where Node.js creates the requests. */
let request = newRequest()

function newRequest (): WriteRequest | null { return internals?.WriteRequest ? new internals.WriteRequest() : null }

/**
 * Writes to a connection whose stream, if there is one, has an empty buffer. After `under way`, bytes written to the stream follow these.
 * @param bytes must not change until they are written
 */
export function writeToHandle (handle: WritableHandle, bytes: Uint8Array, writer: WriteCallbacks): WriteOutcome {
  const passed = request
  const result = handle.writeBuffer(passed, bytes)
  if (result === 0 && (passed === null || handle.writeQueueSize === 0)) return 'written'
  request = newRequest()
  const pending = result === 0 ? passed : result
  // A libuv error code, or undefined from a closed handle.
  if (!pending || typeof pending === 'number') return 'refused'
  // The request is not in the queue, so it has completed already.
  if (handle.writeQueueSize === 0) return pending.writeStatus === 0 ? 'written' : 'refused'
  // libuv holds only a pointer: keep the bytes from being garbage collected.
  pending.buffer = bytes
  pending.oncomplete = (status) => {
    if (status === 0) writer.onWritten()
    else writer.onFailed()
  }
  return 'under way'
}
