// A TCP connection that a server has accepted, without the stream that Node.js makes of each: what a payment sends and hears needs none, and it is a fifth of
// what a connection costs. It is made as soon as somebody asks for it, for whatever is not everyday: an upgrade by HTTP, ws, a peer that falls behind.
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { writeDirectly, type Writer } from './direct-write.js'
import { addressOfPeer, handleOf, MEMORY, streamWrap, type Handle } from './node-sockets.js'
import type { Network } from './wire.js'

/** What the next chunk of any of them is written to, for a new piece for each is a tenth of what an event costs; as much as libuv reads at once. */
const memory = Buffer.allocUnsafeSlow(65_536)

/** The peer has cut the connection, as libuv says it. */
const RESET = -constants.errno.ECONNRESET

/** Whoever need not be told. */
const NOBODY: Writer = { written: () => {}, failed: () => {} }

/** Whoever reads a connection. */
export interface Listener {
  /**
   * Takes a chunk, which is at the start of the memory. What it keeps of it must be a copy: the memory is written to again as soon as it returns.
   * @param length bytes of the chunk
   */
  hear: (memory: Buffer, length: number, connection: TcpConnection) => void
  /** The connection is closed, by whichever side, unless it was given away. A peer that ends its side or cuts it is gone: phones do that all day, so it is no error. */
  closed: () => void
}

export class TcpConnection implements Network {
  listener: Listener
  /** As long as it is open and no stream. */
  #handle: Handle | undefined
  #stream: Socket | undefined

  /** @param handle of which there is no socket */
  constructor (handle: Handle, listener: Listener) {
    this.#handle = handle
    this.listener = listener
    handle.onread = () => this.#hear()
    handle.useUserBuffer(memory)
    handle.reading = true
    if (handle.readStart() < 0) this.#close(handle)
  }

  get handle (): Handle | undefined { return this.#stream ? handleOf(this.#stream) : this.#handle }

  get writableLength (): number { return this.#stream ? this.#stream.writableLength : 0 }

  /** It is closed, or about to be. */
  get isOver (): boolean { return this.#stream ? this.#stream.destroyed : this.#handle === undefined }

  get isPaused (): boolean { return this.#stream !== undefined && this.#stream.isPaused() }

  /** The address of the peer, before there is a stream; undefined where it is gone. */
  get address (): string | undefined { return this.#handle && addressOfPeer(this.#handle) }

  openStream (): Socket | undefined {
    if (!this.#stream && this.#handle) this.#stream = this.#streamOf(this.#handle)
    return this.#stream
  }

  pause (): void { this.openStream()?.pause() }

  resume (): void { this.#stream?.resume() }

  /**
   * Writes the last that there is to say, and closes. Nobody waits for a peer that does not take it at once, or that says something more: what has not
   * reached it by then is lost to it.
   * @returns false where there is a stream, which may hold something that comes before
   */
  end (last: Uint8Array): boolean {
    const handle = this.#handle
    if (!handle) return false
    writeDirectly(handle, last, NOBODY)
    this.#close(handle)
    return true
  }

  /**
   * Is done with a connection that has no stream yet, which from now on is somebody else's.
   * @param length of a chunk that nobody has taken, 0 where there is none
   * @param take makes a socket of it
   */
  giveTo (take: (handle: Handle) => void, length = 0): void {
    const handle = this.#handle
    if (!handle) return
    this.#handle = undefined
    const before = handle.onread
    take(handle)
    const { onread } = handle
    // It has been closed instead: a server may have as many as it takes.
    if (onread === before) return
    const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = streamWrap!
    // The network goes on to read into the memory; each chunk of it is copied as streams know them.
    handle.onread = function () {
      const length = streamBaseState[kReadBytesOrError]!
      if (length > 0) streamBaseState[kArrayBufferOffset] = 0
      onread!.call(this, length > 0 ? memory.buffer.slice(0, length) : undefined)
    }
    if (length === 0) return
    streamBaseState[kReadBytesOrError] = length
    handle.onread()
  }

  #hear (): void {
    const length = streamWrap!.streamBaseState[streamWrap!.kReadBytesOrError]!
    if (length > 0) this.listener.hear(memory, length, this)
    else if (length < 0 && this.#handle) this.#close(this.#handle)
  }

  #close (handle: Handle): void {
    this.#handle = undefined
    handle.close(() => this.listener.closed())
  }

  /** Makes the stream, which hears of the end of what is read but not of its bytes: what has come so far came this way as well. */
  #streamOf (handle: Handle): Socket {
    this.#handle = undefined
    // An option that Node.js itself makes its sockets with.
    const stream = new Socket({ handle } as object)
    const { onread } = handle
    const { streamBaseState, kReadBytesOrError } = streamWrap!
    handle.onread = (chunk) => {
      const length = streamBaseState[kReadBytesOrError]!
      if (length > 0) this.listener.hear(memory, length, this)
      // As an error it would have a stack, which alone costs more than an event.
      else if (length === RESET) stream.destroy()
      else onread!.call(handle, chunk)
    }
    Object.assign(stream, { [MEMORY!]: memory })
    return stream.on('error', ignore).on('close', () => this.listener.closed())
  }
}

/** The close that follows says it. */
function ignore (): void {}
