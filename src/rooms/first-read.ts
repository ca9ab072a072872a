// Shows what a connection says first to somebody who may keep it, before HTTP hears of it: one that becomes a socket costs half if it was never a request.
import type { Server, Socket } from 'node:net'
import { isKnown, streamWrap, type OnRead } from './node-sockets.js'

/** How often those that say nothing are looked for, ms. After one to two of these HTTP has them, which has limits of its own. */
const PATIENCE = 250

interface Handle { onread?: OnRead }

/**
 * Takes a connection's first bytes.
 * @returns whether it keeps the connection, which nobody else then reads or listens to; otherwise all goes on as if nobody had looked
 */
export type Take = (network: Socket, bytes: Buffer) => boolean

/**
 * Puts `take` before all that takes a server's connections so far.
 * @param isVersionKnown see {@link isKnown}
 * @returns a function that gives those that have not said anything yet to the others, and each one that comes later
 */
export function interceptConnections (server: Server, take: Take, isVersionKnown?: boolean): () => void {
  const others = server.listeners('connection')
  const give = (network: Socket) => { for (const other of others) other.call(server, network) }
  let isOpen = true
  let silent = new Set<Socket>()
  let silentForLong = new Set<Socket>()
  let timer: NodeJS.Timeout | undefined

  function giveSilent (): void {
    const given = silentForLong
    silentForLong = silent
    silent = new Set()
    timer = silentForLong.size > 0 ? setTimeout(giveSilent, PATIENCE).unref() : undefined
    for (const network of given) give(network)
  }

  /** Whether it is the first time that something is heard of a connection that was not given away. */
  function forget (network: Socket): boolean { return silent.delete(network) || silentForLong.delete(network) }

  server.removeAllListeners('connection').on('connection', (network: Socket) => {
    const { _handle: handle } = network as { _handle?: Handle | null }
    if (!isOpen || !streamWrap || !isKnown(network, isVersionKnown) || !handle?.onread) return give(network)
    const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = streamWrap
    const { onread } = handle
    silent.add(network)
    timer ??= setTimeout(giveSilent, PATIENCE).unref()
    handle.onread = function (chunk) {
      handle.onread = onread
      if (forget(network)) {
        const length = streamBaseState[kReadBytesOrError]!
        if (length > 0 && take(network, Buffer.from(chunk as ArrayBuffer, streamBaseState[kArrayBufferOffset], length))) return
        give(network)
      }
      onread.call(this, chunk)
    }
  })

  return () => {
    isOpen = false
    giveSilent()
    giveSilent()
  }
}
