// Reads sockets into one piece of memory that they share, instead of a new one for each chunk, which is a tenth of what an event costs.
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { isKnown, streamWrap, type OnRead } from './node-sockets.js'

/** What the next chunk of any socket is written to; as much as libuv reads at once. */
const memory = Buffer.allocUnsafeSlow(65_536)

/** The field in which net.Socket keeps the memory of its option `onread`. Where there is some, pausing and resuming stop and start the reading itself. */
const FIELD = 'kBuffer'
/** Its symbol, which all sockets have in common, once it is found. */
let field: symbol | undefined

/** The peer has cut the connection, as libuv says it. */
const RESET = -constants.errno.ECONNRESET

interface Handle { onread?: OnRead, readonly useUserBuffer?: (memory: Buffer) => void }

/**
 * Takes a chunk, which is at the start of the memory. What it keeps of it must be a copy: the memory is written to again as soon as it returns.
 * @param length bytes of the chunk
 */
export type OnChunk = (length: number, memory: Buffer) => void

/**
 * Does for a socket that a server has accepted what net.Socket's option `onread` does for one that connects: its bytes are no longer told as `data`, and are
 * told past net.Socket besides. Pausing, resuming, errors and the end are as they were, but for a connection that its peer cuts: phones do that all day, so it
 * is closed without an error, whose stack alone would cost more than an event. There is no such option for a server's sockets, so this knows how they keep it.
 * @param isVersionKnown see {@link isKnown}
 * @returns whether it did; otherwise all is as it was
 */
export function readShared (network: Socket, onChunk: OnChunk, isVersionKnown?: boolean): boolean {
  if (!streamWrap || !isKnown(network, isVersionKnown)) return false
  const { _handle: handle } = network as { _handle?: Handle | null }
  field ??= Object.getOwnPropertySymbols(network).find(({ description }) => description === FIELD)
  if (!handle?.useUserBuffer || !handle.onread || !field || !Object.hasOwn(network, field)) return false
  const { streamBaseState, kReadBytesOrError } = streamWrap
  const { onread } = handle
  handle.onread = function (chunk) {
    const length = streamBaseState[kReadBytesOrError]!
    if (length > 0) onChunk(length, memory)
    else if (length === RESET) network.destroy()
    else onread.call(this, chunk)
  };
  (network as unknown as Record<symbol, unknown>)[field] = memory
  handle.useUserBuffer(memory)
  return true
}
