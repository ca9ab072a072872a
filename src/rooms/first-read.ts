// Shows what a connection says first to somebody who may keep it, before HTTP hears of it: one that becomes a socket costs half if it was never a request.
import type { Server, Socket } from 'node:net'
import { SharedRead } from './shared-read.js'

/** How often those that say nothing are looked for, ms. After one to two of these HTTP has them, which has limits of its own. */
const PATIENCE = 250

/**
 * Takes a connection's first bytes, which must be copied where they are kept.
 * @returns whether it keeps the connection, which nobody else then reads or listens to; otherwise all goes on as if nobody had looked
 */
export type Take = (connection: SharedRead, bytes: Buffer) => boolean

/**
 * Puts `take` before all that takes a server's connections so far.
 * @param isVersionKnown see {@link isKnown}
 * @returns a function that gives those that have not said anything yet to the others, and each one that comes later
 */
export function interceptConnections (server: Server, take: Take, isVersionKnown?: boolean): () => void {
  const others = server.listeners('connection')
  const give = (network: Socket) => { for (const other of others) other.call(server, network) }
  let isOpen = true
  /** Those that have come lately, and those that came before them. Who still waits to be heard has its listener. */
  let recent: SharedRead[] = []
  let before: SharedRead[] = []
  let timer: NodeJS.Timeout | undefined

  function giveSilent (): void {
    const due = before
    before = recent
    recent = []
    timer = before.length > 0 ? setTimeout(giveSilent, PATIENCE).unref() : undefined
    for (const connection of due) if (connection.onOver) giveBack(connection)
  }

  /** @param length of a chunk that was not taken */
  function giveBack (connection: SharedRead, length?: number): void {
    connection.onOver = undefined
    give(connection.network)
    connection.end(length)
  }

  function hear (length: number, memory: Buffer, connection: SharedRead): void {
    connection.onOver = undefined
    if (!take(connection, memory.subarray(0, length))) giveBack(connection, length)
  }

  server.removeAllListeners('connection').on('connection', (network: Socket) => {
    const connection = isOpen && SharedRead.begin(network, hear, isVersionKnown)
    if (!connection) return give(network)
    connection.onOver = giveBack
    recent.push(connection)
    timer ??= setTimeout(giveSilent, PATIENCE).unref()
  })

  return () => {
    isOpen = false
    giveSilent()
    giveSilent()
  }
}
