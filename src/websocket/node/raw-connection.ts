// An accepted TCP connection, driven through its libuv handle.
// No net.Socket is created (20 % of a connection's cost) until one is needed: HTTP upgrade, ws, or back-pressure.
import { Socket } from 'node:net'
import { HandleWriter, type WriteCallbacks } from './handle-writer.js'
import { addressOfPeer, internals, unusedHandleOf, type Handle } from './internals.js'
import type { ConnectionCount } from './connection-count.js'
import type { WritableConnection } from '../batch-writer.js'

/** Read buffer shared by all connections; 64 KiB is libuv's read size. Allocating one per read costs 10 % of an event. */
const readBuffer = Buffer.allocUnsafeSlow(65_536)

/** Reader of a connection. */
export interface RawConnectionListener {
  /**
   * Called for each chunk, which is at the start of `memory`. Copy the bytes to keep them: the buffer is reused as soon as the call returns.
   * @param length bytes of the chunk
   */
  onData: (memory: Buffer, length: number, connection: RawConnection) => void
  /** Called once when the connection closes, from either side; not after {@link RawConnection.handOff}. An end or a reset by the peer is not an error: phones do both all day. */
  onClose: () => void
}

export class RawConnection implements WritableConnection, WriteCallbacks {
  listener: RawConnectionListener
  /** Set while the connection is open and has no net.Socket. */
  #handle: Handle | undefined
  #stream: Socket | undefined
  /** Handle between {@link writeAndClose} and the close of the connection. */
  #ended: Handle | undefined
  /** Bytes of the last write that the kernel has not taken yet. */
  #unsent = 0
  readonly #count: ConnectionCount | undefined

  /**
   * @param handle must not belong to a net.Socket
   * @param count count of the server that accepted the connection
   */
  constructor (handle: Handle, listener: RawConnectionListener, count?: ConnectionCount) {
    this.#handle = handle
    this.listener = listener
    this.#count = count
    count?.add()
    handle.connection = this
    handle.onread = onRead
    handle.useUserBuffer(readBuffer)
    handle.reading = true
    if (handle.readStart() < 0) this.#close(handle)
  }

  get handle (): Handle | undefined { return this.#stream ? unusedHandleOf(this.#stream) : this.#handle }

  get writableLength (): number { return this.#stream ? this.#stream.writableLength : this.#unsent }

  /** True once the connection is closing, closed or handed off. */
  get destroyed (): boolean { return this.#stream ? this.#stream.destroyed : this.#handle === undefined }

  get isPaused (): boolean { return this.#stream !== undefined && this.#stream.isPaused() }

  /** Address of the peer; undefined once there is a net.Socket, or if the peer is gone. */
  get address (): string | undefined { return this.#handle && addressOfPeer(this.#handle) }

  openStream (): Socket | undefined {
    if (!this.#stream && this.#handle) this.#stream = this.#streamOf(this.#handle)
    return this.#stream
  }

  pause (): void { this.openStream()?.pause() }

  resume (): void { this.#stream?.resume() }

  /**
   * Writes the last bytes and FIN, then discards input until the peer ends its side as well (RFC 6455 §7.1.1). Closing at once, with input unread or still to
   * come, would reset the connection, and the kernel would drop all bytes that are not delivered yet. The wait has no limit: see {@link destroy}.
   * @returns false if there is a net.Socket, whose buffer may hold earlier bytes
   */
  writeAndClose (last: Uint8Array): boolean {
    const handle = this.#handle
    if (!handle) return false
    this.#handle = undefined
    this.#ended = handle
    handle.onread = () => { if (internals!.readLength() < 0) this.destroy() }
    this.#unsent = last.length
    const outcome = new HandleWriter().write(handle, last, this)
    if (outcome === 'written') this.#unsent = 0
    if (outcome === 'refused' || handle.shutdown(new internals!.ShutdownRequest()) < 0) this.destroy()
    return true
  }

  /** Closes the connection after {@link writeAndClose} without further waiting. Bytes that the kernel has taken are still delivered, unless the peer sends something. */
  destroy (): void {
    const ended = this.#ended
    if (!ended) return
    this.#ended = undefined
    this.#close(ended)
  }

  onWritten (): void { this.#unsent = 0 }

  /** A failed write needs no handling: the next read reports the broken connection. */
  onFailed (): void {}

  /**
   * Hands a connection that has no net.Socket to a new owner. This object does not touch the connection any more.
   * @param take creates a net.Socket on the handle
   * @param length bytes of a chunk that was read but not processed; 0 if there is none
   */
  handOff (take: (handle: Handle) => void, length = 0): void {
    const handle = this.#handle
    if (!handle) return
    this.#handle = undefined
    this.#count?.subtract()
    take(handle)
    const { onread } = handle
    // The new owner has closed the handle instead of creating a net.Socket: a server at its `maxConnections` does.
    if (onread === onRead) return
    handle.connection = undefined
    // libuv keeps reading into the shared read buffer. net.Socket expects each chunk in an ArrayBuffer of its own.
    handle.onread = function () {
      const length = internals!.readLength()
      onread!.call(this, length > 0 ? readBuffer.buffer.slice(0, length) : undefined)
    }
    // Replay the unprocessed chunk. It was the last read, so the length that Node.js keeps internally is still that of this chunk.
    if (length > 0) handle.onread()
  }

  onRead (): void {
    const length = internals!.readLength()
    if (length > 0) this.listener.onData(readBuffer, length, this)
    else if (length < 0 && this.#handle) this.#close(this.#handle)
  }

  #close (handle: Handle): void {
    this.#handle = undefined
    handle.close(() => {
      this.#count?.remove()
      this.listener.onClose()
    })
  }

  /** Creates the net.Socket. Its `onread` callback passes the bytes to the listener as before; the stream itself only sees the end and errors. */
  #streamOf (handle: Handle): Socket {
    this.#handle = undefined
    handle.connection = undefined
    const onread = { buffer: readBuffer, callback: (length: number) => { this.listener.onData(readBuffer, length, this) } }
    // Undocumented option `handle`, with which Node.js itself creates its sockets.
    const stream = new Socket({ handle, onread } as object).on('error', ignore).on('close', () => this.listener.onClose())
    this.#count?.moveTo(stream)
    return stream
  }
}

/** One function for all connections: a closure for each would take 96 B. */
function onRead (this: Handle): void { this.connection!.onRead() }

/** The 'close' event follows every error and is enough. */
function ignore (): void {}
