// Which sockets are known from the inside, for what Node.js has no public way for: first-read.ts, shared-read.ts and direct-write.ts.
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'

/** Major versions of Node.js where net.Socket was seen to work as those three say, by their tests. On any other, sockets are streams and nothing else. */
const TRIED: ReadonlySet<string> = new Set(['20', '22', '24'])

/** Whether a version of Node.js is one of those. */
export function isTried (version: string): boolean { return TRIED.has(version.split('.')[0]!) }

const isTriedHere = isTried(process.versions.node)

/**
 * Whether a socket is one whose inside is known. One that encrypts has a handle of another kind.
 * @param isVersionKnown the version of Node.js is
 */
export function isKnown (network: Writable, isVersionKnown = isTriedHere): network is Socket {
  return isVersionKnown && network.constructor === Socket
}

interface Peer { address?: string }
/** What the network last said of a peer. */
const peer: Peer = {}

/** The address of the peer of a socket that {@link isKnown}; undefined where it is gone. The same as its `remoteAddress`, for which each socket would keep an object. */
export function addressOfPeer (network: Socket): string | undefined {
  const { _handle: handle } = network as { _handle?: { readonly getpeername?: (peer: Peer) => number } | null }
  if (!handle?.getpeername) return network.remoteAddress
  return handle.getpeername(peer) === 0 ? peer.address : undefined
}

/** A write, as libuv's streams are asked for it. */
export interface WriteRequest { oncomplete?: (status: number) => void, buffer?: Uint8Array }
/** What libuv tells of reads: a chunk, of which streamBaseState says where it begins and how many bytes it has, or an error, below 0. */
export type OnRead = (this: unknown, chunk: unknown) => void
/** Node.js's own part between sockets and libuv. `streamBaseState` has, at those places, what came of the last read and of the last write. */
export interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest
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
    const { WriteWrap, streamBaseState, kReadBytesOrError, kArrayBufferOffset, kLastWriteWasAsync } = internals.binding('stream_wrap')
    return WriteWrap && streamBaseState && kReadBytesOrError !== undefined && kArrayBufferOffset !== undefined && kLastWriteWasAsync !== undefined
      ? { WriteWrap, streamBaseState, kReadBytesOrError, kArrayBufferOffset, kLastWriteWasAsync }
      : undefined
  } catch {
    return undefined
  }
}
