// Writes to a socket past its stream, which does much that bytes need none of when the network takes them at once, as it nearly always does.
import type { Writable } from 'node:stream'
import { isKnown, streamWrap, type WriteRequest } from './node-sockets.js'

/** Whoever writes. */
export interface Writer {
  /** What was under way is written. */
  written: () => void
}

/** What became of a write. `refused` was not written at all: given to the stream, it becomes what it always would have. */
export type Outcome = 'written' | 'under way' | 'refused'

type Known = { readonly _handle?: { readonly writeBuffer?: (request: WriteRequest, bytes: Uint8Array) => number } | null }

/** One that is done at once leaves nothing in its request, so it serves again. */
let request = streamWrap && new streamWrap.WriteWrap()

/** Whether it can be done for a socket. @param isVersionKnown see {@link isKnown} */
export function canWriteDirectly (network: Writable, isVersionKnown?: boolean): boolean {
  return request !== undefined && isKnown(network, isVersionKnown) && (network as Known)._handle?.writeBuffer !== undefined
}

/**
 * Writes to a socket that {@link canWriteDirectly} and whose stream holds nothing. While it is `under way`, what is written to the stream comes after it.
 * @param bytes must stay as they are until they are written
 */
export function writeDirectly (network: Writable, bytes: Uint8Array, writer: Writer): Outcome {
  const handle = (network as Known)._handle
  // It is gone.
  if (!handle) return 'refused'
  const used = request!
  const error = handle.writeBuffer!(used, bytes)
  if (error === 0 && streamWrap!.streamBaseState[streamWrap!.kLastWriteWasAsync] === 0) return 'written'
  request = new streamWrap!.WriteWrap()
  if (error !== 0) return 'refused'
  // The network holds no more than a pointer to them.
  used.buffer = bytes
  used.oncomplete = (status) => {
    if (status === 0) writer.written()
    else network.destroy()
  }
  return 'under way'
}
