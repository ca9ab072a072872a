// Writes to a connection past its stream, which does much that bytes need none of when the network takes them at once, as it nearly always does.
import { streamWrap, type Handle } from './node-sockets.js'

/** Whoever writes. */
export interface Writer {
  /** What was under way is written. */
  written: () => void
  /** What was under way cannot be. */
  failed: () => void
}

/** What became of a write. `refused` was not written at all: given to the stream, it becomes what it always would have. */
export type Outcome = 'written' | 'under way' | 'refused'

/** One that is done at once leaves nothing in its request, so it serves again. */
let request = streamWrap && new streamWrap.WriteWrap()

/**
 * Writes to a connection whose stream, if it has one, holds nothing. While it is `under way`, what is written to the stream comes after it.
 * @param bytes must stay as they are until they are written
 */
export function writeDirectly (handle: Pick<Handle, 'writeBuffer'>, bytes: Uint8Array, writer: Writer): Outcome {
  const used = request!
  const error = handle.writeBuffer(used, bytes)
  if (error === 0 && streamWrap!.streamBaseState[streamWrap!.kLastWriteWasAsync] === 0) return 'written'
  request = new streamWrap!.WriteWrap()
  if (error !== 0) return 'refused'
  // The network holds no more than a pointer to them.
  used.buffer = bytes
  used.oncomplete = (status) => {
    if (status === 0) writer.written()
    else writer.failed()
  }
  return 'under way'
}
