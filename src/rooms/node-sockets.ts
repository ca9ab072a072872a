// What is known of Node.js's sockets from the inside, for what it has no public way for: first-read.ts, tcp-connection.ts and wire.ts. Where something is not
// as expected, sockets are streams and nothing else.
import { Socket, type Server } from 'node:net'
import type { Writable } from 'node:stream'

/** Major versions of Node.js where all of this was seen to work, by the tests of those three. */
const TRIED: ReadonlySet<string> = new Set(['20', '22', '24'])

/** Whether a version of Node.js is one of those. */
export function isTried (version: string): boolean { return TRIED.has(version.split('.')[0]!) }

/** A write, as libuv's streams are asked for it. */
export interface WriteRequest { oncomplete?: (status: number) => void, buffer?: Uint8Array }
/** Node.js's own part between sockets and libuv. `streamBaseState` has, at those places, what came of the last read and of the last write. */
export interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => object
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kArrayBufferOffset: number
  readonly kLastWriteWasAsync: number
}

interface Internals { readonly binding: (name: string) => Partial<StreamWrap> }

/** That part of this process, which has no public name. */
export const streamWrap = findStreamWrap(process as unknown as Internals)

/** @returns undefined where it cannot be had, or is not as expected */
export function findStreamWrap (internals: Internals): StreamWrap | undefined {
  try {
    const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kArrayBufferOffset, kLastWriteWasAsync } = internals.binding('stream_wrap')
    return WriteWrap && ShutdownWrap && streamBaseState && kReadBytesOrError !== undefined && kArrayBufferOffset !== undefined && kLastWriteWasAsync !== undefined
      ? { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kArrayBufferOffset, kLastWriteWasAsync }
      : undefined
  } catch {
    return undefined
  }
}

/** The field in which net.Socket keeps the memory of its option `onread`. Where there is some, pausing and resuming stop and start the reading itself. */
export const MEMORY = Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === 'kBuffer')

/** Whether all of it is as expected. */
export const isKnownHere = isTried(process.versions.node) && streamWrap !== undefined && MEMORY !== undefined

interface Peer { address?: string }

/** A TCP connection as Node.js has it from libuv, below net.Socket. */
export interface Handle {
  /** Told of each chunk, of which `streamBaseState` says how many bytes it has, and of the end or an error, which are below 0. */
  onread?: (this: unknown, chunk?: unknown) => void
  /** Whether it is read, which net.Socket asks before it begins. */
  reading?: boolean
  /** Has chunks written to this memory, each at its start, instead of one of their own. */
  readonly useUserBuffer: (memory: Buffer) => void
  readonly readStart: () => number
  readonly writeBuffer: (request: WriteRequest, bytes: Uint8Array) => number
  /** Sends FIN once all that is being written is with the kernel. @returns below 0 for an error */
  readonly shutdown: (request: object) => number
  readonly getpeername: (peer: Peer) => number
  readonly setNoDelay: (isOn: boolean) => number
  readonly close: (closed: () => void) => void
}

const METHODS = ['useUserBuffer', 'readStart', 'writeBuffer', 'shutdown', 'getpeername', 'setNoDelay', 'close'] as const satisfies ReadonlyArray<keyof Handle>

/** Whether a handle is as expected. That of a local socket, or of one that encrypts, is another one. */
export function isComplete (handle: Partial<Handle> | null | undefined): handle is Handle {
  return METHODS.every((method) => typeof handle?.[method] === 'function')
}

/** The handle of a socket that {@link isKnown}; undefined where it is gone. */
export function handleOf (network: Writable): Handle | undefined { return (network as { _handle?: Handle | null })._handle ?? undefined }

/** Whether a stream is a socket whose inside is known. @param isVersionKnown for tests: the version of Node.js is */
export function isKnown (network: Writable, isVersionKnown = isKnownHere): network is Socket {
  return isVersionKnown && network.constructor === Socket && isComplete(handleOf(network))
}

/** What the network last said of a peer. */
const peer: Peer = {}

/** The address of a handle's peer; undefined where it is gone. */
export function addressOfPeer (handle: Pick<Handle, 'getpeername'>): string | undefined { return handle.getpeername(peer) === 0 ? peer.address : undefined }

/** What a server that listens accepts connections with. */
export interface Acceptor { onconnection?: ((this: Acceptor, error: number, handle?: Partial<Handle>) => void) | undefined }

/** That of a server; undefined where it does not listen. */
export function acceptorOf (server: Server): Acceptor | undefined { return (server as Server & { _handle?: Acceptor | null })._handle ?? undefined }
