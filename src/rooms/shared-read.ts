// Reads sockets into one piece of memory that they share, instead of a new one for each chunk, which is a tenth of what an event costs.
import type { Socket } from 'node:net'
import { isKnown } from './node-sockets.js'

/** What the next chunk of any socket is written to; as much as libuv reads at once. */
const memory = Buffer.allocUnsafeSlow(65_536)

/** The fields in which net.Socket keeps its option `onread`: the memory, what is called with each chunk, and what gives other memory for the next one. */
const FIELDS = ['kBuffer', 'kBufferCb', 'kBufferGen'] as const
type Fields = Record<symbol, unknown>

/**
 * Takes a chunk, which is at the start of the memory. What it keeps of it must be a copy: the memory is written to again as soon as it returns.
 * @param length bytes of the chunk
 * @returns nothing: `false` would stop the reading, and whoever wants that pauses the socket
 */
export type OnChunk = (length: number, memory: Buffer) => void

/**
 * Does for a socket that a server has accepted what net.Socket's option `onread` does for one that connects: its bytes are no longer told as `data`. Pausing,
 * resuming and the end are as they were. There is no such option for a server's sockets, so this knows how they keep it.
 * @returns whether it did; otherwise all is as it was
 */
export function readShared (network: Socket, onChunk: OnChunk, version = process.versions.node): boolean {
  if (!isKnown(network, version)) return false
  const { _handle: handle } = network as { _handle?: { useUserBuffer?: (memory: Buffer) => void } | null }
  const own = Object.getOwnPropertySymbols(network)
  const [buffer, callback, generator] = FIELDS.map((name) => own.find(({ description }) => description === name))
  if (!handle?.useUserBuffer || !buffer || !callback || !generator) return false
  const fields = network as unknown as Fields
  fields[buffer] = memory
  fields[generator] = null
  fields[callback] = onChunk
  handle.useUserBuffer(memory)
  return true
}
