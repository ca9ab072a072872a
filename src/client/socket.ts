// WebSocket link with pings of its own: a browser does not expose protocol pings, and a dead connection would go unnoticed.
import type { Environment } from './environment.js'
import { parseFrame, type Link, type LinkListener } from './link.js'

const OPEN = 1
const PING = '{"type":"PING","payload":{}}'

export interface SocketTimes {
  /** Time between two pings, ms. */
  readonly pingInterval: number
  /** Time limit for the answer to a ping, ms. */
  readonly pongTimeout: number
}

/** Opens a socket. If the constructor throws, `closed` is called as for any other failure. */
export function openSocket ({ WebSocket, setTimeout, clearTimeout }: Environment, url: string, times: SocketTimes, listener: LinkListener): Link {
  let closed = false
  let nextPing: unknown
  let deadline: unknown

  const end = () => {
    closed = true
    clearTimeout(nextPing)
    clearTimeout(deadline)
  }
  const fail = (code: number, reason: string) => {
    if (closed) return
    end()
    listener.closed(code, reason)
  }
  const probe = () => {
    if (socket?.readyState !== OPEN) return
    clearTimeout(nextPing)
    nextPing = setTimeout(probe, times.pingInterval)
    socket.send(PING)
    // Any message counts as an answer. Without one in time the link is dead, even if `readyState` is still OPEN.
    deadline ??= setTimeout(() => {
      socket.close()
      fail(0, 'no answer')
    }, times.pongTimeout)
  }

  const socket = create()
  function create () {
    try {
      return new WebSocket!(url)
    } catch (error) {
      // For example an insecure socket (`ws:`) from a secure page.
      setTimeout(() => fail(0, String(error)), 0)
      return undefined
    }
  }
  if (socket) {
    socket.onopen = () => {
      if (closed) return
      nextPing = setTimeout(probe, times.pingInterval)
      listener.opened?.()
    }
    socket.onmessage = ({ data }) => {
      if (closed) return
      clearTimeout(deadline)
      deadline = undefined
      const frame = parseFrame(data)
      if (frame) listener.frame(frame)
    }
    // The close event that follows reports the error, but the socket of `ws` throws if it has no error listener.
    socket.onerror = () => {}
    socket.onclose = ({ code, reason }) => fail(code, String(reason))
  }
  return {
    send: (text) => socket?.send(text),
    probe,
    close: () => {
      end()
      socket?.close(1000)
    }
  }
}
