// Upgrades of an HTTP server: those to its socket paths are routed, and all others are left as they would be without this file.
import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterResponses, isWebSocketUpgrade, limitHandshakes, MAX_HEADERS, serveWithoutUpgrade } from './handshake.js'

/** Connection of an upgrade request. */
export interface UpgradeConnection {
  readonly socket: Duplex
  /** First bytes after the request's head. */
  readonly head: Buffer
}

export interface WebSocketUpgrades {
  /** Emits `upgrade` like the server, but only for the WebSocket upgrades that are to be routed. */
  readonly upgrades: EventEmitter
  /** @returns the connection of an upgrade to this path; undefined for any other request */
  readonly connectionOf: (request: IncomingMessage) => UpgradeConnection | undefined
  /** Removes the time limit from a request whose handshake is done. */
  readonly handshakeDone: (request: IncomingMessage) => void
  /** Ends the upgrades to this path; a later one is a plain request. */
  readonly stop: () => void
}

/** Upgrades of each server: two listeners for two paths would each serve the upgrades of the other. */
const SERVERS = new WeakMap<Server, ServerUpgrades>()

/**
 * Filters the WebSocket upgrades to a path from all upgrades of a server, and applies {@link limitHandshakes}. As long as nothing else listens to the server's
 * upgrades, those to other paths below `path` are emitted as well, for the router to refuse them, and all others are served as plain requests. Otherwise they are
 * left alone.
 * @param path without a slash at its end; empty for the root
 * @param timeout ms
 */
export function webSocketUpgrades (server: Server, { path = '', timeout }: { readonly path?: string, readonly timeout: number }): WebSocketUpgrades {
  const shared = SERVERS.get(server) ?? new ServerUpgrades(server, timeout)
  SERVERS.set(server, shared)
  return shared.add(path)
}

class ServerUpgrades {
  readonly #server: Server
  readonly #timeout: number
  readonly #paths = new Map<string, EventEmitter>()
  readonly #connections = new WeakMap<IncomingMessage, UpgradeConnection>()
  #limits: ReturnType<typeof limitHandshakes> | undefined

  constructor (server: Server, timeout: number) {
    this.#server = server
    this.#timeout = timeout
  }

  add (path: string): WebSocketUpgrades {
    if (this.#paths.size === 0) this.#start()
    const upgrades = new EventEmitter()
    this.#paths.set(path, upgrades)
    upgrades.on('upgrade', this.#remember)
    return {
      upgrades,
      connectionOf: (request) => this.#connections.get(request),
      handshakeDone: (request) => this.#limits?.done(request),
      stop: () => { if (this.#paths.delete(path) && this.#paths.size === 0) this.#stop() }
    }
  }

  #start (): void {
    this.#limits = limitHandshakes(this.#server, this.#timeout, (request) => this.#isAlone || this.#targetOf(request) !== undefined)
    this.#server.prependListener('upgrade', this.#onFirst)
    // Last of all listeners, as far as possible: another one may route every upgrade, as @fastify/websocket does.
    if (this.#server.listening) this.#listen()
    else this.#server.once('listening', this.#listen)
  }

  #stop (): void {
    this.#limits?.stop()
    this.#server.off('listening', this.#listen).off('upgrade', this.#onFirst).off('upgrade', this.#onLast)
  }

  readonly #listen = (): void => { this.#server.on('upgrade', this.#onLast) }

  readonly #remember = (request: IncomingMessage, socket: Duplex, head: Buffer): void => { this.#connections.set(request, { socket, head }) }

  readonly #onFirst = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (!this.#targetOf(request)) return
    // ws does not accept a list of protocols.
    request.headers.upgrade = 'websocket'
    this.#remember(request, socket, head)
  }

  readonly #onLast = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    const upgrades = this.#targetOf(request)
    if (upgrades) {
      // Undocumented property, see afterResponses. Another listener has routed the request already.
      if ((socket as { _httpMessage?: ServerResponse | null })._httpMessage?.req === request) return
      // ws responds at once, which fails while an earlier response is outstanding on the connection.
      afterResponses(socket, () => upgrades.emit('upgrade', request, socket, head))
    } else if (!this.#isAlone) {
      // Left to the other listeners.
    } else if (request.rawHeaders.length > 2 * MAX_HEADERS) {
      // Node.js dropped the header lines past its limit. If one of them gave the length of the body, the body would be parsed as requests.
      socket.on('error', () => socket.destroy())
      this.#server.emit('clientError', Object.assign(new Error('too many headers'), { code: 'HPE_HEADER_OVERFLOW' }), socket)
    } else serveWithoutUpgrade(this.#server, { request, socket, head, onServed: () => this.#limits?.done(request) })
  }

  /** True if nothing else listens: the three listeners are that of the limit and two of this class. */
  get #isAlone (): boolean { return this.#server.listenerCount('upgrade') === 3 }

  /** Emitter of the path that a WebSocket upgrade is routed to. */
  #targetOf (request: IncomingMessage): EventEmitter | undefined {
    if (!isWebSocketUpgrade(request)) return undefined
    const path = pathOf(request.url!)
    const target = this.#paths.get(path)
    if (target || !this.#isAlone) return target
    const above = [...this.#paths.keys()].filter((root) => path.startsWith(`${root}/`)).sort((a, b) => b.length - a.length)
    return above.length > 0 ? this.#paths.get(above[0]!) : undefined
  }
}

/** Path of a request's target in origin or absolute form (RFC 9112 §3.2), without a slash at its end. */
function pathOf (url: string): string { return /^(?:https?:\/\/[^/?#]*)?([^?#]*)/i.exec(url)![1]!.replace(/\/$/, '') }
