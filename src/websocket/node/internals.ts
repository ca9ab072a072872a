// Access to undocumented internals of net.Socket and its libuv handle, for intercept.ts, raw-connection.ts, handle-writer.ts and batch-writer.ts.
// If an internal is not as expected, connections are plain net.Socket streams. No deprecated API (such as `process.binding`) is used, so there are no warnings.
import { Socket, type Server } from 'node:net'
import type { Writable } from 'node:stream'

/** Node.js's request object for one write. `oncomplete` is called when the write ends, unless it completed synchronously. */
export interface WriteRequest {
  oncomplete?: (status: number) => void
  buffer?: Uint8Array
  /** Async id of a request for `writeBuffer`: -1 unless a write in flight uses it. */
  readonly getAsyncId?: () => number
  /** Since Node.js 26: the status of a write that completed before `oncomplete` was set. */
  readonly writeStatus?: number | null
}

/** Internals that Node.js passes to a net.Socket but not to the owner of a handle. */
export interface Internals {
  /**
   * Length of the current read, bytes; valid while a handle's `onread` runs. The bytes are at the start of the handle's buffer.
   * @returns 0 if there was nothing to read, a negative libuv error code for the end or an error
   */
  readonly readLength: () => number
  /** Class of the requests for `writeBuffer`; undefined since Node.js 26, which creates a request itself if a write does not complete synchronously. */
  readonly WriteRequest: (new () => WriteRequest) | undefined
  /** Class of the requests for `shutdown`. */
  readonly ShutdownRequest: new () => object
}

/** UV_EOF; the same number on every platform. */
const END = -4095

/** Stands in for a libuv handle below a net.Socket, and keeps the requests that the socket passes to it. */
class FakeHandle {
  /** Set by the socket. */
  onread: (() => void) | undefined = undefined
  request: WriteRequest | null | undefined
  shutdownRequest: object | undefined
  useUserBuffer (): void {}
  readStart (): number { return 0 }

  writeBuffer (request: WriteRequest | null): number {
    this.request = request
    return 0
  }

  shutdown (request: object): number {
    this.shutdownRequest = request
    return 1
  }
}

/**
 * Finds the internals through a net.Socket on a fake handle. Node.js keeps the length of a read in a private array, but reports it to a socket with the documented
 * option `onread`. The request classes are those of the requests that the socket passes to its handle.
 * @returns undefined if net.Socket does not use its handle as expected
 */
export function findInternals (SocketClass: new (options: object) => Socket = Socket): Internals | undefined {
  try {
    const handle = new FakeHandle()
    const readLength = useSocketOn(handle, SocketClass)
    const { onread, request, shutdownRequest } = handle
    if (!onread || request === undefined || !shutdownRequest) return undefined
    if (request !== null && typeof request.getAsyncId !== 'function') return undefined
    return {
      readLength,
      WriteRequest: request === null ? undefined : request.constructor as new () => WriteRequest,
      ShutdownRequest: shutdownRequest.constructor as new () => object
    }
  } catch {
    return undefined
  }
}

/** Writes to a socket on the handle and ends it. @returns {@link Internals.readLength} */
function useSocketOn (handle: FakeHandle, SocketClass: new (options: object) => Socket): () => number {
  let length = 0
  const told = (bytes: number) => {
    length = bytes
    return true
  }
  const socket = new SocketClass({ handle, onread: { buffer: Buffer.alloc(1), callback: told } })
  // At the end and on errors net.Socket calls push() and destroy() instead of the callback. The replacements record the status and keep the socket alive.
  const push = () => told(END)
  const destroy = (error?: NodeJS.ErrnoException) => {
    told(error!.errno!)
    return socket
  }
  Object.assign(socket, { push, destroy, read: () => null })
  socket.write(Buffer.alloc(1))
  socket._final(() => {})
  return () => {
    length = 0
    // net.Socket creates an error for a connection that was cut. Nobody sees its stack, which would take 3 % of a connection's CPU time.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    handle.onread!()
    Error.stackTraceLimit = stackTraceLimit
    return length
  }
}

/** Internals of this process; undefined if they are not as expected. Being found is not enough for the fast path: self-test.ts tries them. */
export const internals = findInternals()

interface Peer { address?: string }

/** libuv handle of a TCP connection, below net.Socket. */
export interface Handle {
  /** Called for each read, including the end and errors; {@link Internals.readLength} tells them apart. */
  onread?: (this: Handle, chunk?: unknown) => void
  /** Owner of the handle, unless that is a net.Socket. */
  connection?: { readonly onRead: () => void } | undefined
  /** True while the handle is being read; net.Socket checks it before it starts reading. */
  reading?: boolean
  /** Makes libuv write every chunk to the start of this buffer instead of allocating one per chunk. */
  readonly useUserBuffer: (memory: Buffer) => void
  readonly readStart: () => number
  /**
   * @param request null where {@link Internals.WriteRequest} is undefined
   * @returns 0 if the write was accepted, a negative libuv error code, the request that Node.js created for a write in flight, or undefined after close
   */
  readonly writeBuffer: (request: WriteRequest | null, bytes: Uint8Array) => number | WriteRequest | undefined
  /** Sends FIN after the writes in flight. @returns a negative libuv error code on failure */
  readonly shutdown: (request: object) => number
  readonly getpeername: (peer: Peer) => number
  readonly setNoDelay: (isOn: boolean) => number
  readonly close: (closed: () => void) => void
}

const METHODS = ['useUserBuffer', 'readStart', 'writeBuffer', 'shutdown', 'getpeername', 'setNoDelay', 'close'] as const satisfies ReadonlyArray<keyof Handle>

/** True if a handle has all expected methods. Handles of Unix domain sockets and of TLS are of other classes. */
export function isTcpHandle (handle: Partial<Handle> | null | undefined): handle is Handle {
  return METHODS.every((method) => typeof handle?.[method] === 'function')
}

/** Handle of a socket that passed {@link hasKnownHandle}; undefined once the socket is closed. */
export function handleOf (network: Writable): Handle | undefined { return (network as { _handle?: Handle | null })._handle ?? undefined }

/** Handle of such a socket while the socket itself has nothing to write; undefined while its buffer holds bytes, and once it is ended or closed. */
export function unusedHandleOf (network: Writable): Handle | undefined { return network.writable && network.writableLength === 0 ? handleOf(network) : undefined }

/** True if a stream is a plain net.Socket on a TCP handle, and the internals are found. */
export function hasKnownHandle (network: Writable): network is Socket {
  return internals !== undefined && network.constructor === Socket && isTcpHandle(handleOf(network))
}

/** Result object of `getpeername`, reused for every call. */
const peer: Peer = {}

/** Address of a handle's peer; undefined if the peer is gone. */
export function addressOfPeer (handle: Pick<Handle, 'getpeername'>): string | undefined { return handle.getpeername(peer) === 0 ? peer.address : undefined }

/** Handle of a listening server, which accepts its connections. */
export interface Acceptor { onconnection?: ((this: Acceptor, error: number, handle?: Partial<Handle>) => void) | undefined }

/** Acceptor of a server; undefined if the server is not listening. */
export function acceptorOf (server: Server): Acceptor | undefined { return (server as Server & { _handle?: Acceptor | null })._handle ?? undefined }
