// Early answers: an error may be sent before the body of its request has arrived.
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'

/**
 * Lets an answer reach a client that is still sending the body of its request, if the connection ends with that answer. A connection that is closed with unread bytes
 * is reset, and a client that is writing then fails before it reads. So only our side is closed, and the rest of the body is read and dropped (RFC 9112 §9.6), as Node.js
 * does by itself where the connection stays open. The time for it is bounded as for any body, by the server's `requestTimeout`.
 */
export function closeAfterBody (request: IncomingMessage): void {
  // A stream of HTTP/2 ends without its connection.
  if (request.complete || request.httpVersionMajor > 1) return
  const { socket } = request
  // Node.js calls it once the last response of a connection is written.
  socket.destroySoon = () => {
    if (request.complete) return Socket.prototype.destroySoon.call(socket)
    socket.end()
    request.once('close', () => socket.destroy()).resume()
  }
}
