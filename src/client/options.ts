// Options of `connect`, and the URLs derived from them.
import { definedOf, type Environment } from './environment.js'
import type { Position, Role } from './frames.js'

export interface ConnectOptions extends Partial<Environment> {
  /** URL of the server: `ws:`, `wss:`, `http:` or `https:`; in a page it may be relative. A path is kept. */
  readonly url: string
  readonly roomId: string
  /** `device1` made the payment link and watches; `device2` opened the link and pays. */
  readonly role: Role
  /** Device id. The default is a random id that survives a reload. Two clients of one page in one room need two ids. */
  readonly deviceId?: string | undefined
  /** Room token, or a function that returns a fresh one for each attempt to connect. */
  readonly token?: string | (() => string | Promise<string>) | undefined
  /** Asks the server for the members of the room, see `members`. */
  readonly presence?: boolean | undefined
  /** Asks the server to tell when the payer pauses, see the signal `stalled`; for `device1`. */
  readonly stalls?: boolean | undefined
  /** Time between two pings, ms. Default: 20 s. */
  readonly pingInterval?: number | undefined
  /** Time limit for the answer to a ping, ms. Default: 5 s. */
  readonly pongTimeout?: number | undefined
  /** Number of sockets that may fail in a row before an event stream is tried. Default: 3. */
  readonly socketAttempts?: number | undefined
}

export interface Addresses {
  readonly socket: string
  /** URL of the room's events. */
  readonly events: string
}

/** @throws {TypeError} if `url` is not a valid URL */
export function addresses ({ url, roomId }: Pick<ConnectOptions, 'url' | 'roomId'>): Addresses {
  const { href } = new URL(url, (globalThis as { location?: { href: string } }).location?.href)
  return {
    socket: href.replace(/^http/, 'ws'),
    events: `${href.replace(/^ws/, 'http').replace(/\/?([?#].*)?$/, '')}/api/rooms/${encodeURIComponent(roomId)}/events`
  }
}

/** Returns the URL of the room's event stream, starting after a position. */
export function streamAddress (events: string, deviceId: string, { role, presence, stalls }: Pick<ConnectOptions, 'role' | 'presence' | 'stalls'>, position: Position | undefined): string {
  const query = definedOf({ deviceId, role, since: position?.seq ?? 0, epoch: position?.epoch, presence, stalls })
  return `${events}?${new URLSearchParams(query as unknown as Record<string, string>)}`
}
