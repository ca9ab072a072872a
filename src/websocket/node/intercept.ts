// Looks at the first bytes of every new TCP connection before Node's HTTP server does.
// A well-formed WebSocket handshake is claimed here and costs half; everything else is handed to the HTTP server unchanged.
import type { Server } from 'node:net'
import { acceptorOf, isTcpHandle, fastPathAvailable, type Handle } from './internals.js'
import { RawConnection, type RawConnectionListener } from './raw-connection.js'

/** Idle sweep, ms: a connection silent for one to two sweeps is handed to the HTTP server, whose timeouts apply from then on. */
const FIRST_BYTES_TIMEOUT_MS = 250

/**
 * Decides on a connection's first bytes. The bytes must be copied to be kept.
 * @returns true to claim the connection, which then has no other reader or listener; false to leave it to the server as if untouched
 */
export type TryClaim = (connection: RawConnection, bytes: Buffer) => boolean

/**
 * Calls `take` for each new connection, before the server's own handling. Starts when the server listens.
 * @param isKnown false in tests where Node.js's internals are not as expected
 * @returns a function that stops the interception: idle connections are handed to the server, and so is every later connection
 */
export function interceptConnections (server: Server, take: TryClaim, isKnown = fastPathAvailable): () => void {
  let isOpen = isKnown
  /** Makes the server accept a handle as a connection of its own. */
  let accept: (handle: Handle) => void
  /** Connections accepted since the last sweep, and those accepted before it. */
  let recent: RawConnection[] = []
  let before: RawConnection[] = []
  let timer: NodeJS.Timeout | undefined

  /** Listener before the claim. A connection that still has this listener is idle, handed off or closed. */
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
      // Same as the HTTP server's own connections: no Nagle delay for small writes.
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
