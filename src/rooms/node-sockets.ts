// Which sockets are known from the inside, for the two things that Node.js has no public way for: shared-read.ts and direct-write.ts.
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'

/** Major versions of Node.js where net.Socket was seen to work as those two say, by their tests. On any other, sockets are streams and nothing else. */
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

/** A write, as libuv's streams are asked for it. */
export interface WriteRequest { oncomplete?: (status: number) => void, buffer?: Uint8Array }
/** Node.js's own part between sockets and libuv. `streamBaseState` has, at those places, what came of the last read and of the last write. */
export interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest
  readonly streamBaseState: ArrayLike<number>
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

/** That part, which has no public name; undefined where it is not as expected. */
export const streamWrap = findStreamWrap()

function findStreamWrap (): StreamWrap | undefined {
  try {
    // eslint-disable-next-line n/no-deprecated-api -- deprecated for whoever has another way
    const found = (process as unknown as { binding: (name: string) => Partial<StreamWrap> }).binding('stream_wrap')
    const { WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = found
    return WriteWrap && streamBaseState && kReadBytesOrError !== undefined && kLastWriteWasAsync !== undefined
      ? { WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync }
      : undefined
  } catch {
    return undefined
  }
}
