// Node.js's sockets from the inside, for what has no public name: used by intercept.ts, raw-connection.ts, write-to-handle.ts and batch-writer.ts. Where something is not
// as expected, sockets are streams and nothing else. No deprecated name is used (`process.binding` would be one), so nothing is printed or thrown for one.
import { Socket, type Server } from 'node:net'
import type { Writable } from 'node:stream'

/** Major versions of Node.js where all of this was seen to work, by the tests of those four. */
const SUPPORTED_MAJORS: ReadonlySet<string> = new Set(['20', '22', '24', '26'])

/** Whether a version of Node.js is one of those. */
export function isSupported (version: string): boolean { return SUPPORTED_MAJORS.has(version.split('.')[0]!) }

/** Node.js's object for one write, which is told when that is done, unless it was at once. */
export interface WriteRequest {
  oncomplete?: (status: number) => void
  buffer?: Uint8Array
  /** Since Node.js 26: the status, where it came before `oncomplete` was set. */
  readonly writeStatus?: number | null
}

/** What a socket was told by Node.js, which keeps the same from the owner of a handle. */
export interface Internals {
  /**
   * Bytes of the read that a handle's `onread` is being called for, at the start of its memory.
   * @returns 0 where there was nothing to read, below 0 for the end or an error, as libuv numbers them
   */
  readonly readLength: () => number
  /** Class of the requests that are passed to `writeBuffer`; undefined since Node.js 26, which makes them itself where a write is not done at once. */
  readonly WriteRequest: (new () => WriteRequest) | undefined
  /** Class of the requests that are passed to `shutdown`. */
  readonly ShutdownRequest: new () => object
}

/** UV_EOF, as libuv numbers it on every platform. */
const END = -4095

/**
 * Learns from a socket whose handle is ours. The length of a read is in an array that Node.js keeps to itself; a socket with the documented option `onread` is
 * told of it. The request of a write is what such a socket passes to its handle.
 * @returns undefined where sockets do not treat their handle as expected
 */
export function findInternals (SocketClass: new (options: object) => Socket = Socket): Internals | undefined {
  let length = 0
  let request: WriteRequest | null | undefined
  let shutdownRequest: object | undefined
  const handle = {
    onread: undefined as (() => void) | undefined,
    useUserBuffer: () => {},
    readStart: () => 0,
    writeBuffer: (passed: WriteRequest | null) => {
      request = passed
      return 0
    },
    shutdown: (passed: object) => {
      shutdownRequest = passed
      return 1
    }
  }
  const told = (bytes: number) => {
    length = bytes
    return true
  }
  try {
    const socket = new SocketClass({ handle, onread: { buffer: Buffer.alloc(1), callback: told } })
    // The end and errors are not for the callback; and the socket must outlive them.
    const push = () => told(END)
    const destroy = (error?: NodeJS.ErrnoException) => {
      told(error!.errno!)
      return socket
    }
    Object.assign(socket, { push, destroy, read: () => null })
    socket.write(Buffer.alloc(1))
    socket._final(() => {})
    if (!handle.onread || request === undefined || !shutdownRequest) return undefined
    const readLength = () => {
      length = 0
      handle.onread!()
      return length
    }
    return {
      readLength,
      WriteRequest: request === null ? undefined : request.constructor as new () => WriteRequest,
      ShutdownRequest: shutdownRequest.constructor as new () => object
    }
  } catch {
    return undefined
  }
}

/** Those of this process; undefined on a version that was not tried, or where they are not as expected. */
export const internals = isSupported(process.versions.node) ? findInternals() : undefined

/** Whether all of it is as expected. */
export const fastPathAvailable = internals !== undefined

interface Peer { address?: string }

/** A TCP connection as Node.js has it from libuv, below net.Socket. */
export interface Handle {
  /** Called for each read, which may be the end or an error; {@link Internals.readLength} says which. */
  onread?: (this: unknown, chunk?: unknown) => void
  /** Whether it is read, which net.Socket asks before it begins. */
  reading?: boolean
  /** Has chunks written to this memory, each at its start, instead of one of their own. */
  readonly useUserBuffer: (memory: Buffer) => void
  readonly readStart: () => number
  /**
   * @param request null where {@link Internals.WriteRequest} is undefined
   * @returns 0 where nothing was wrong with it, an error below 0, the request that Node.js made for a write that is not done at once, or undefined once it is closed
   */
  readonly writeBuffer: (request: WriteRequest | null, bytes: Uint8Array) => number | WriteRequest | undefined
  /** Bytes that libuv has not written yet. */
  readonly writeQueueSize: number
  /** Sends FIN once all that is being written is with the kernel. @returns below 0 for an error */
  readonly shutdown: (request: object) => number
  readonly getpeername: (peer: Peer) => number
  readonly setNoDelay: (isOn: boolean) => number
  readonly close: (closed: () => void) => void
}

const METHODS = ['useUserBuffer', 'readStart', 'writeBuffer', 'shutdown', 'getpeername', 'setNoDelay', 'close'] as const satisfies ReadonlyArray<keyof Handle>

/** Whether a handle is as expected. That of a local socket, or of one that encrypts, is another one. */
export function isTcpHandle (handle: Partial<Handle> | null | undefined): handle is Handle {
  return METHODS.every((method) => typeof handle?.[method] === 'function') && typeof handle!.writeQueueSize === 'number'
}

/** The handle of a socket that {@link hasKnownHandle}; undefined where it is gone. */
export function handleOf (network: Writable): Handle | undefined { return (network as { _handle?: Handle | null })._handle ?? undefined }

/** Whether a stream is a socket whose inside is known. @param isVersionKnown for tests: the version of Node.js is */
export function hasKnownHandle (network: Writable, isVersionKnown = fastPathAvailable): network is Socket {
  return isVersionKnown && network.constructor === Socket && isTcpHandle(handleOf(network))
}

/** What the network last said of a peer. */
const peer: Peer = {}

/** The address of a handle's peer; undefined where it is gone. */
export function addressOfPeer (handle: Pick<Handle, 'getpeername'>): string | undefined { return handle.getpeername(peer) === 0 ? peer.address : undefined }

/** What a server that listens accepts connections with. */
export interface Acceptor { onconnection?: ((this: Acceptor, error: number, handle?: Partial<Handle>) => void) | undefined }

/** That of a server; undefined where it does not listen. */
export function acceptorOf (server: Server): Acceptor | undefined { return (server as Server & { _handle?: Acceptor | null })._handle ?? undefined }
