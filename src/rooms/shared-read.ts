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
interface Known { _handle?: Handle | null, [field: symbol]: unknown }

/**
 * Takes a chunk, which is at the start of the memory. What it keeps of it must be a copy: the memory is written to again as soon as it returns.
 * @param length bytes of the chunk
 */
export type OnChunk = (length: number, memory: Buffer, connection: SharedRead) => void

/**
 * Does for a socket that a server has accepted what net.Socket's option `onread` does for one that connects: its bytes are no longer told as `data`, and are
 * told past net.Socket besides. Pausing, resuming, errors and the end are as they were, but for a connection that its peer cuts: phones do that all day, so it
 * is closed without an error, whose stack alone would cost more than an event. There is no such option for a server's sockets, so this knows how they keep it.
 */
export class SharedRead {
  /** Whoever takes the chunks. */
  onChunk: OnChunk
  /** Called when no more of them come, before the stream is told. */
  onOver: ((connection: SharedRead) => void) | undefined
  /** What the stream would have taken. */
  readonly #onread: OnRead

  private constructor (readonly network: Socket, onread: OnRead, onChunk: OnChunk) {
    this.#onread = onread
    this.onChunk = onChunk
  }

  /**
   * @param isVersionKnown see {@link isKnown}
   * @returns undefined where it cannot be done; then all is as it was
   */
  static begin (network: Socket, onChunk: OnChunk, isVersionKnown?: boolean): SharedRead | undefined {
    if (!streamWrap || !isKnown(network, isVersionKnown)) return undefined
    const known = network as unknown as Known
    const { _handle: handle } = known
    field ??= Object.getOwnPropertySymbols(network).find(({ description }) => description === FIELD)
    if (!handle?.useUserBuffer || !handle.onread || !field || !Object.hasOwn(network, field)) return undefined
    const { onread } = handle
    const shared = new SharedRead(network, onread, onChunk)
    const { streamBaseState, kReadBytesOrError } = streamWrap
    handle.onread = function (chunk) {
      const length = streamBaseState[kReadBytesOrError]!
      if (length > 0) return shared.onChunk(length, memory, shared)
      shared.onOver?.(shared)
      if (length === RESET) network.destroy()
      else onread.call(this, chunk)
    }
    known[field] = memory
    handle.useUserBuffer(memory)
    return shared
  }

  /** Has its bytes told as a stream again, those of a chunk that nobody has taken too. @param length of that chunk, 0 where there is none */
  end (length = 0): void {
    const known = this.network as unknown as Known
    known[field!] = null
    const { _handle: handle } = known
    if (!handle) return
    const onread = this.#onread
    const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = streamWrap!
    // The network goes on to read into the memory; each chunk of it is copied as the stream knows them.
    handle.onread = function () {
      const length = streamBaseState[kReadBytesOrError]!
      if (length > 0) streamBaseState[kArrayBufferOffset] = 0
      onread.call(this, length > 0 ? memory.buffer.slice(0, length) : undefined)
    }
    if (length > 0) handle.onread(undefined)
  }
}
