// Shows what a connection says first to somebody who may keep it, before HTTP hears of it: one that becomes a socket costs half if it was never a request.
import type { Server } from 'node:net'
import { acceptorOf, isTcpHandle, fastPathAvailable, type Handle } from './internals.js'
import { RawConnection, type RawConnectionListener } from './raw-connection.js'

/** How often those that say nothing are looked for, ms. After one to two of these HTTP has them, which has limits of its own. */
const FIRST_BYTES_TIMEOUT_MS = 250

/**
 * Takes a connection's first bytes, which must be copied where they are kept.
 * @returns whether it keeps the connection, which nobody else then reads or listens to; otherwise all goes on as if nobody had looked
 */
export type TryClaim = (connection: RawConnection, bytes: Buffer) => boolean

/**
 * Puts `take` before all that takes a server's connections, from when it listens.
 * @param isKnown for tests: the inside of Node.js's sockets is
 * @returns a function that gives those that have not said anything yet to the server, and each one that comes later
 */
export function interceptConnections (server: Server, take: TryClaim, isKnown = fastPathAvailable): () => void {
  let isOpen = isKnown
  /** Makes one of the server's own of a connection. */
  let accept: (handle: Handle) => void
  /** Those that have come lately, and those that came before them. */
  let recent: RawConnection[] = []
  let before: RawConnection[] = []
  let timer: NodeJS.Timeout | undefined

  /** Who listens here has not said anything yet, or is gone. */
  const first: RawConnectionListener = {
    onData: (memory, length, connection) => { if (!take(connection, memory.subarray(0, length))) connection.handOff(accept, length) },
    onClose: () => {}
  }

  function giveSilent (): void {
    const due = before
    before = recent
    recent = []
    timer = before.length > 0 ? setTimeout(giveSilent, FIRST_BYTES_TIMEOUT_MS).unref() : undefined
    for (const connection of due) if (connection.listener === first) connection.handOff(accept)
  }

  server.on('listening', () => {
    const acceptor = acceptorOf(server)
    const onconnection = acceptor?.onconnection
    if (!acceptor || !onconnection) return
    accept = (handle) => onconnection.call(acceptor, 0, handle)
    acceptor.onconnection = (error, handle) => {
      if (!isOpen || error !== 0 || !isTcpHandle(handle)) return onconnection.call(acceptor, error, handle)
      // As HTTP's own are: small writes do not wait for more.
      handle.setNoDelay(true)
      recent.push(new RawConnection(handle, first))
      timer ??= setTimeout(giveSilent, FIRST_BYTES_TIMEOUT_MS).unref()
    }
  })

  return () => {
    isOpen = false
    giveSilent()
    giveSilent()
  }
}
