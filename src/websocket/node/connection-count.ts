// The server's count of its connections, which a net.Socket keeps by itself and a RawConnection through this.
import type { Server, Socket } from 'node:net'

/** Undocumented members of net.Server, which net.Socket uses in the same way. */
interface CountingServer {
  _connections: number
  _emitCloseIfDrained?: () => void
}

/** Counts the connections of one server that have no net.Socket, for `getConnections()`, `maxConnections` and the 'close' event. */
export class ConnectionCount {
  readonly #server: Server & CountingServer

  constructor (server: Server) { this.#server = server as Server & CountingServer }

  /** True if the server may be at its `maxConnections`. Its own handling then decides, which differs between versions of Node.js for a limit of 0. */
  get isFull (): boolean {
    const { maxConnections, _connections } = this.#server
    return typeof maxConnections === 'number' && !(_connections < maxConnections)
  }

  add (): void { this.#server._connections++ }

  /** Takes a connection out of the count that the server counts again at once. */
  subtract (): void { this.#server._connections-- }

  /** Takes a closed connection out of the count. A closed server emits 'close' after its last connection. */
  remove (): void {
    this.#server._connections--
    this.#server._emitCloseIfDrained?.()
  }

  /** Leaves the count of a connection to its new net.Socket, which takes itself out when it closes. */
  moveTo (socket: Socket): void {
    if (socket.destroyed) this.remove()
    else Object.assign(socket, { server: this.#server, _server: this.#server })
  }
}
