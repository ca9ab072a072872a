// A TCP connection that a server has accepted, without the stream that Node.js makes of each: what a payment sends and hears needs none, and it is a fifth of
// what a connection costs. It is made as soon as somebody asks for it, for whatever is not everyday: an upgrade by HTTP, ws, a peer that falls behind.
import { Socket } from 'node:net'
import { writeToHandle, type WriteCallbacks } from './write-to-handle.js'
import { addressOfPeer, handleOf, internals, type Handle } from './internals.js'
import type { WritableConnection } from '../batch-writer.js'

/** What the next chunk of any of them is written to, for a new piece for each is a tenth of what an event costs; as much as libuv reads at once. */
const readBuffer = Buffer.allocUnsafeSlow(65_536)

/** Whoever reads a connection. */
export interface RawConnectionListener {
  /**
   * Takes a chunk, which is at the start of the memory. What it keeps of it must be a copy: the memory is written to again as soon as it returns.
   * @param length bytes of the chunk
   */
  onData: (memory: Buffer, length: number, connection: RawConnection) => void
  /** The connection is closed, by whichever side, unless it was given away. A peer that ends its side or cuts it is gone: phones do that all day, so it is no error. */
  onClose: () => void
}

export class RawConnection implements WritableConnection, WriteCallbacks {
  listener: RawConnectionListener
  /** As long as it is open and no stream. */
  #handle: Handle | undefined
  #stream: Socket | undefined
  /** The handle after {@link writeAndClose}, until the connection is closed. */
  #ended: Handle | undefined
  /** Bytes of the last write that the kernel has not taken yet. */
  #unsent = 0

  /** @param handle of which there is no socket */
  constructor (handle: Handle, listener: RawConnectionListener) {
    this.#handle = handle
    this.listener = listener
    handle.onread = () => this.#onRead()
    handle.useUserBuffer(readBuffer)
    handle.reading = true
    if (handle.readStart() < 0) this.#close(handle)
  }

  get handle (): Handle | undefined { return this.#stream ? handleOf(this.#stream) : this.#handle }

  get writableLength (): number { return this.#stream ? this.#stream.writableLength : this.#unsent }

  /** It is closed, or about to be. */
  get destroyed (): boolean { return this.#stream ? this.#stream.destroyed : this.#handle === undefined }

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
   * Writes the last bytes and FIN, then discards input until the peer ends its side as well (RFC 6455 §7.1.1). To close at once, with input unread or still to
   * come, would reset the connection, and with that the kernel drops everything that it has not delivered. The wait has no limit: see {@link destroy}.
   * @returns false where there is a stream, which may hold something that comes before
   */
  writeAndClose (last: Uint8Array): boolean {
    const handle = this.#handle
    if (!handle) return false
    this.#handle = undefined
    this.#ended = handle
    handle.onread = () => { if (internals!.readLength() < 0) this.destroy() }
    this.#unsent = last.length
    const outcome = writeToHandle(handle, last, this)
    if (outcome === 'written') this.#unsent = 0
    if (outcome === 'refused' || handle.shutdown(new internals!.ShutdownRequest()) < 0) this.destroy()
    return true
  }

  /** Closes a connection after {@link writeAndClose} without waiting any longer. Bytes that the kernel has taken are still delivered, unless the peer sends something. */
  destroy (): void {
    const ended = this.#ended
    if (!ended) return
    this.#ended = undefined
    this.#close(ended)
  }

  onWritten (): void { this.#unsent = 0 }

  /** The connection is broken; the next read says so. */
  onFailed (): void {}

  /**
   * Is done with a connection that has no stream yet, which from now on is somebody else's.
   * @param length of a chunk that nobody has taken, 0 where there is none
   * @param take makes a socket of it
   */
  handOff (take: (handle: Handle) => void, length = 0): void {
    const handle = this.#handle
    if (!handle) return
    this.#handle = undefined
    const before = handle.onread
    take(handle)
    const { onread } = handle
    // It has been closed instead: a server may have as many as it takes.
    if (onread === before) return
    // The network goes on to read into the memory; each chunk of it is copied as streams know them.
    handle.onread = function () {
      const length = internals!.readLength()
      onread!.call(this, length > 0 ? readBuffer.buffer.slice(0, length) : undefined)
    }
    // The chunk is the last one that was read, so it is also what the socket takes its length from.
    if (length > 0) handle.onread()
  }

  #onRead (): void {
    const length = internals!.readLength()
    if (length > 0) this.listener.onData(readBuffer, length, this)
    else if (length < 0 && this.#handle) this.#close(this.#handle)
  }

  #close (handle: Handle): void {
    this.#handle = undefined
    handle.close(() => this.listener.onClose())
  }

  /** Makes the stream, which hears of the end of what is read but not of its bytes: what has come so far came this way as well. */
  #streamOf (handle: Handle): Socket {
    this.#handle = undefined
    const onread = { buffer: readBuffer, callback: (length: number) => { this.listener.onData(readBuffer, length, this) } }
    // `handle` is an option that Node.js itself makes its sockets with.
    return new Socket({ handle, onread } as object).on('error', ignore).on('close', () => this.listener.onClose())
  }
}

/** The close that follows says it. */
function ignore (): void {}
