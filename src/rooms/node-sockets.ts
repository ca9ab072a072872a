// Which sockets are known from the inside, for the two things that Node.js has no public way for: shared-read.ts and direct-write.ts.
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'

/** Major versions of Node.js where net.Socket was seen to work as those two say, by their tests. On any other, sockets are streams and nothing else. */
const TRIED: ReadonlySet<string> = new Set(['20', '22', '24'])

/** Whether a socket is one whose inside is known. One that encrypts has a handle of another kind. */
export function isKnown (network: Writable, version: string): network is Socket {
  return network.constructor === Socket && TRIED.has(version.split('.')[0]!)
}
