// Shows what a connection says first to somebody who may keep it, before HTTP hears of it: one that becomes a socket costs half if it was never a request.
import type { Server } from 'node:net'
import { acceptorOf, isComplete, isKnownHere, type Handle } from './internals.js'
import { TcpConnection, type Listener } from './raw-connection.js'

/** How often those that say nothing are looked for, ms. After one to two of these HTTP has them, which has limits of its own. */
const PATIENCE = 250

/**
 * Takes a connection's first bytes, which must be copied where they are kept.
 * @returns whether it keeps the connection, which nobody else then reads or listens to; otherwise all goes on as if nobody had looked
 */
export type Take = (connection: TcpConnection, bytes: Buffer) => boolean

/**
 * Puts `take` before all that takes a server's connections, from when it listens.
 * @param isKnown for tests: the inside of Node.js's sockets is
 * @returns a function that gives those that have not said anything yet to the server, and each one that comes later
 */
export function interceptConnections (server: Server, take: Take, isKnown = isKnownHere): () => void {
  let isOpen = isKnown
  /** Makes one of the server's own of a connection. */
  let accept: (handle: Handle) => void
  /** Those that have come lately, and those that came before them. */
  let recent: TcpConnection[] = []
  let before: TcpConnection[] = []
  let timer: NodeJS.Timeout | undefined

  /** Who listens here has not said anything yet, or is gone. */
  const first: Listener = {
    hear: (memory, length, connection) => { if (!take(connection, memory.subarray(0, length))) connection.giveTo(accept, length) },
    closed: () => {}
  }

  function giveSilent (): void {
    const due = before
    before = recent
    recent = []
    timer = before.length > 0 ? setTimeout(giveSilent, PATIENCE).unref() : undefined
    for (const connection of due) if (connection.listener === first) connection.giveTo(accept)
  }

  server.on('listening', () => {
    const acceptor = acceptorOf(server)
    const onconnection = acceptor?.onconnection
    if (!acceptor || !onconnection) return
    accept = (handle) => onconnection.call(acceptor, 0, handle)
    acceptor.onconnection = (error, handle) => {
      if (!isOpen || error !== 0 || !isComplete(handle)) return onconnection.call(acceptor, error, handle)
      // As HTTP's own are: small writes do not wait for more.
      handle.setNoDelay(true)
      recent.push(new TcpConnection(handle, first))
      timer ??= setTimeout(giveSilent, PATIENCE).unref()
    }
  })

  return () => {
    isOpen = false
    giveSilent()
    giveSilent()
  }
}
