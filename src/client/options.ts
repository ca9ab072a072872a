// What an application says when it connects, and the addresses that follow from it.
import type { Environment } from './environment.js'
import type { Position, Role } from './frames.js'

export interface ConnectOptions extends Partial<Environment> {
  /** Where the server is, `ws:`, `wss:`, `http:` or `https:`; in a page it may be relative. A path is kept. */
  readonly url: string
  readonly roomId: string
  /** `device1` made the link and watches; `device2` opened it and pays. */
  readonly role: Role
  /** The device's own name. Without one it gets a random name, which a reload keeps. Two clients of one page in one room need two names. */
  readonly deviceId?: string | undefined
  /** A room token, or a function that gives a fresh one for each attempt to connect. */
  readonly token?: string | (() => string | Promise<string>) | undefined
  /** Asks who else is in the room, for `members`. Not over an event stream. */
  readonly presence?: boolean | undefined
  /** Time between two pings, ms; 20 s. */
  readonly pingInterval?: number | undefined
  /** How long to wait for the answer to one, ms; 5 s. */
  readonly pongTimeout?: number | undefined
  /** Sockets that may fail in a row before an event stream is tried; 3. */
  readonly socketAttempts?: number | undefined
}

export interface Addresses {
  readonly socket: string
  /** Of the room's events. */
  readonly events: string
}

/** @throws TypeError for an address that is none */
export function addresses ({ url, roomId }: Pick<ConnectOptions, 'url' | 'roomId'>): Addresses {
  const { href } = new URL(url, (globalThis as { location?: { href: string } }).location?.href)
  return {
    socket: href.replace(/^http/, 'ws'),
    events: `${href.replace(/^ws/, 'http').replace(/\/?([?#].*)?$/, '')}/api/rooms/${encodeURIComponent(roomId)}/events`
  }
}

/** The address of the room as an event stream, after a position. */
export function streamAddress (events: string, deviceId: string, role: Role, position: Position | undefined): string {
  return `${events}?${new URLSearchParams({ deviceId, role, since: String(position?.seq ?? 0), ...(position && { epoch: position.epoch }) })}`
}
