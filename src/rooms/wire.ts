// One write to a socket for all that a turn of the event loop has for it.
import type { Duplex } from 'node:stream'

/** Sockets that hold back what is written to them until the end of the turn. */
let held: Duplex[] = []

/** Lets a socket collect what is written to it in this turn of the event loop, for one write to the network. */
export function hold (socket: Duplex): void {
  if (socket.writableCorked > 0) return
  socket.cork()
  if (held.push(socket) === 1) process.nextTick(release)
}

function release (): void {
  const sockets = held
  held = []
  for (const socket of sockets) socket.uncork()
}
