// Writes to a connection past its stream, which does much that bytes need none of when the network takes them at once, as it nearly always does.
import { internals, type Handle, type WriteRequest } from './internals.js'

/** Whoever writes. */
export interface WriteCallbacks {
  /** What was under way is written. */
  onWritten: () => void
  /** What was under way cannot be. */
  onFailed: () => void
}

/** What became of a write. `refused` was not written at all: given to the stream, it becomes what it always would have. */
export type WriteOutcome = 'written' | 'under way' | 'refused'

/** Written to by {@link writeToHandle}. */
export type WritableHandle = Pick<Handle, 'writeBuffer' | 'writeQueueSize'>

/** One that is done at once leaves nothing in its request, so it serves again; null where Node.js makes them. */
let request = newRequest()

function newRequest (): WriteRequest | null { return internals?.WriteRequest ? new internals.WriteRequest() : null }

/**
 * Writes to a connection whose stream, if it has one, holds nothing. While it is `under way`, what is written to the stream comes after it.
 * @param bytes must stay as they are until they are written
 */
export function writeToHandle (handle: WritableHandle, bytes: Uint8Array, writer: WriteCallbacks): WriteOutcome {
  const passed = request
  const result = handle.writeBuffer(passed, bytes)
  if (result === 0 && (passed === null || handle.writeQueueSize === 0)) return 'written'
  request = newRequest()
  const pending = result === 0 ? passed : result
  // An error, or nothing at all from a handle that is gone.
  if (!pending || typeof pending === 'number') return 'refused'
  // A request that is not in the queue is over already.
  if (handle.writeQueueSize === 0) return pending.writeStatus === 0 ? 'written' : 'refused'
  // The network holds no more than a pointer to them.
  pending.buffer = bytes
  pending.oncomplete = (status) => {
    if (status === 0) writer.onWritten()
    else writer.onFailed()
  }
  return 'under way'
}
