// Writes to a socket past its stream, which does much that bytes need none of when the network takes them at once, as it nearly always does.
import type { Writable } from 'node:stream'
import { isKnown } from './node-sockets.js'

/** Whoever writes. */
export interface Writer {
  /** What was under way is written. */
  written: () => void
}

/** What became of a write. `refused` was not written at all: given to the stream, it becomes what it always would have. */
export type Outcome = 'written' | 'under way' | 'refused'

/** A write, as libuv's streams are asked for it. One that is done at once leaves nothing in it, so it serves again. */
interface Request { oncomplete?: (status: number) => void, buffer?: Buffer }
interface StreamWrap { readonly WriteWrap: new () => Request, readonly streamBaseState: ArrayLike<number>, readonly kLastWriteWasAsync: number }
type Known = { readonly _handle?: { readonly writeBuffer?: (request: Request, bytes: Buffer) => number } | null }

const wrap = streamWrap()
let request = wrap && new wrap.WriteWrap()

/** Whether it can be done for a socket. */
export function canWriteDirectly (network: Writable, version = process.versions.node): boolean {
  return request !== undefined && isKnown(network, version) && (network as Known)._handle?.writeBuffer !== undefined
}

/**
 * Writes to a socket that {@link canWriteDirectly} and whose stream holds nothing. While it is `under way`, what is written to the stream comes after it.
 * @param bytes must stay as they are until they are written
 */
export function writeDirectly (network: Writable, bytes: Buffer, writer: Writer): Outcome {
  const handle = (network as Known)._handle
  // It is gone.
  if (!handle) return 'refused'
  const used = request!
  const error = handle.writeBuffer!(used, bytes)
  if (error === 0 && wrap!.streamBaseState[wrap!.kLastWriteWasAsync] === 0) return 'written'
  request = new wrap!.WriteWrap()
  if (error !== 0) return 'refused'
  // The network holds no more than a pointer to them.
  used.buffer = bytes
  used.oncomplete = (status) => {
    if (status === 0) writer.written()
    else network.destroy()
  }
  return 'under way'
}

/** Node.js's own part that knows how; it has no public name. */
function streamWrap (): StreamWrap | undefined {
  try {
    // eslint-disable-next-line n/no-deprecated-api -- deprecated for whoever has another way
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = (process as unknown as { binding: (name: string) => Partial<StreamWrap> }).binding('stream_wrap')
    return WriteWrap && streamBaseState && kLastWriteWasAsync !== undefined ? { WriteWrap, streamBaseState, kLastWriteWasAsync } : undefined
  } catch {
    return undefined
  }
}
