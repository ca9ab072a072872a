// One write to a socket for all that a turn has for it.
import type { Duplex } from 'node:stream'

/** Sockets that hold back what is written to them until the end of the turn. */
const held: Duplex[] = []
let isTurn = false

/** Lets a socket collect what is written to it in this turn, for one write to the network. */
export function hold (socket: Duplex): void {
  if (socket.writableCorked > 0) return
  socket.cork()
  // A turn of its own ends with the tick.
  if (held.push(socket) === 1 && !isTurn) process.nextTick(release)
}

/** Makes one turn of what is done until {@link endTurn}, which must be called then. No tick is needed to end it. */
export function beginTurn (): void { isTurn = true }

/** Writes what was held back. */
export function endTurn (): void {
  isTurn = false
  if (held.length > 0) release()
}

function release (): void {
  for (const socket of held) socket.uncork()
  held.length = 0
}
