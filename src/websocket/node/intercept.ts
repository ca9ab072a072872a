// Looks at the first bytes of every new TCP connection before Node's HTTP server does.
// A well-formed WebSocket handshake is claimed here and costs half; everything else is handed to the HTTP server unchanged.
import type { Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'
import { ConnectionCount } from './connection-count.js'
import { CHANNEL_SUBSCRIBER, CONNECTION_LISTENER, isChannelWatched, reasonNotToIntercept } from './host-server.js'
import { acceptorOf, isTcpHandle, type Acceptor, type Handle } from './internals.js'
import { RawConnection, type RawConnectionListener } from './raw-connection.js'

/** Idle sweep, ms: a connection silent for one to two sweeps is handed to the HTTP server, whose timeouts apply from then on. */
const FIRST_BYTES_TIMEOUT_MS = 250

/**
 * Decides on a connection's first bytes. The bytes must be copied to be kept.
 * @returns true to claim the connection, which then has no other reader or listener; false to leave it to the server as if untouched
 */
export type TryClaim = (connection: RawConnection, bytes: Buffer) => boolean

export interface InterceptOptions {
  readonly tryClaim: TryClaim
  /** Longest request head that `tryClaim` accepts, bytes. */
  readonly headSize: number
  /** Called once if the interception stops by itself, with the reason: the host's server does something with connections that claimed ones would miss. */
  readonly onOff: (reason: string) => void
}

/** Interception of each server. Several users of a server share one, so that a connection is read once. */
const interceptions = new WeakMap<Server, Interception>()

/**
 * Intercepts the new connections of a server from the time it listens. Claimed connections count for `getConnections()`, `maxConnections` and 'close'.
 * @returns a function that ends it. With the last user of a server, idle connections are handed to the server, and so is every later connection
 */
export function interceptConnections (server: Server, options: InterceptOptions): () => void {
  const interception = interceptions.get(server) ?? new Interception(server)
  interceptions.set(server, interception)
  return interception.add(options)
}

class Interception {
  readonly #server: Server
  readonly #users = new Set<InterceptOptions>()
  readonly #count: ConnectionCount
  /** Makes the server accept a handle as a connection of its own. */
  #accept!: (handle: Handle) => void
  /** Connections accepted since the last sweep, and those accepted before it. */
  #recent: RawConnection[] = []
  #before: RawConnection[] = []
  #timer: NodeJS.Timeout | undefined
  /** Calls that restore the server. */
  readonly #undo: Array<() => void> = []

  /** Listener before the claim. A connection that still has this listener is idle, handed off or closed. */
  readonly #first: RawConnectionListener = {
    onData: (memory, length, connection) => {
      const bytes = memory.subarray(0, length)
      for (const { tryClaim } of this.#users) if (tryClaim(connection, bytes)) return
      connection.handOff(this.#accept, length)
    },
    onClose: () => {}
  }

  constructor (server: Server) {
    this.#server = server
    this.#count = new ConnectionCount(server)
    const start = () => this.#start()
    server.on('listening', start)
    this.#undo.push(() => server.off('listening', start))
  }

  add (user: InterceptOptions): () => void {
    this.#users.add(user)
    return () => { if (this.#users.delete(user) && this.#users.size === 0) this.#stop() }
  }

  #stop (): void {
    interceptions.delete(this.#server)
    // The last change first: a server may have listened more than once.
    for (const undo of this.#undo.reverse()) undo()
    this.#releaseIdle()
    this.#releaseIdle()
  }

  #start (): void {
    const reason = reasonNotToIntercept(this.#server, Math.max(...[...this.#users].map(({ headSize }) => headSize)))
    const acceptor = acceptorOf(this.#server)
    if (reason !== undefined || !acceptor?.onconnection) return this.#turnOff(reason ?? 'the connections of this server cannot be intercepted')
    this.#intercept(acceptor, acceptor.onconnection)
    this.#watchListeners()
    this.#releaseBefore('closeAllConnections')
    this.#releaseBefore('closeIdleConnections')
  }

  #turnOff (reason: string): void {
    this.#stop()
    for (const { onOff } of this.#users) onOff(reason)
    this.#users.clear()
  }

  #intercept (acceptor: Acceptor, onconnection: NonNullable<Acceptor['onconnection']>): void {
    this.#accept = (handle) => onconnection.call(acceptor, 0, handle)
    const intercepted: Acceptor['onconnection'] = (error, handle) => {
      if (this.#users.size > 0 && isChannelWatched()) this.#turnOff(CHANNEL_SUBSCRIBER)
      if (this.#users.size > 0 && error === 0 && isTcpHandle(handle) && !this.#count.isFull) this.#read(handle)
      else onconnection.call(acceptor, error, handle)
    }
    acceptor.onconnection = intercepted
    this.#undo.push(() => { if (acceptor.onconnection === intercepted) acceptor.onconnection = onconnection })
  }

  #read (handle: Handle): void {
    // Same as the HTTP server's own connections: no Nagle delay for small writes.
    handle.setNoDelay(true)
    this.#recent.push(new RawConnection(handle, this.#first, this.#count))
    this.#timer ??= setTimeout(() => this.#releaseIdle(), FIRST_BYTES_TIMEOUT_MS).unref()
  }

  /** Stops as soon as the host listens for 'connection', before its listener is added: it receives the same events as without interception. */
  #watchListeners (): void {
    const onNewListener = (event: string | symbol) => { if (event === 'connection') this.#turnOff(CONNECTION_LISTENER) }
    this.#server.on('newListener', onNewListener)
    this.#undo.push(() => this.#server.off('newListener', onNewListener))
  }

  /**
   * Hands idle connections to the HTTP server before it closes its connections: all of them, or those that are idle in its sense, which since Node.js 26 are
   * also silent ones. Like upgraded sockets, claimed connections stay open.
   */
  #releaseBefore (method: 'closeAllConnections' | 'closeIdleConnections'): void {
    const server = this.#server as HttpServer
    const original = server[method]
    const isOwn = Object.hasOwn(server, method)
    const replacement = () => {
      this.#releaseIdle()
      this.#releaseIdle()
      original.call(server)
    }
    server[method] = replacement
    this.#undo.push(() => {
      if (server[method] !== replacement) return
      if (isOwn) server[method] = original
      else Reflect.deleteProperty(server, method)
    })
  }

  #releaseIdle (): void {
    clearTimeout(this.#timer)
    const due = this.#before
    this.#before = this.#recent
    this.#recent = []
    this.#timer = this.#before.length > 0 ? setTimeout(() => this.#releaseIdle(), FIRST_BYTES_TIMEOUT_MS).unref() : undefined
    for (const connection of due) if (connection.listener === this.#first) connection.handOff(this.#accept)
  }
}
