// The WebSocket as a link: it notices a silent death, since a browser shows no protocol pings.
import type { Environment } from './environment.js'
import { parseFrame, type Link, type LinkListener } from './link.js'

const OPEN = 1
const PING = '{"type":"PING","payload":{}}'

export interface SocketTimes {
  /** Time between two pings, ms. */
  readonly pingInterval: number
  /** How long to wait for the answer to one, ms. */
  readonly pongTimeout: number
}

/** Opens a socket. That it cannot even be tried is told like any other failure. */
export function openSocket ({ WebSocket, setTimeout, clearTimeout }: Environment, url: string, times: SocketTimes, listener: LinkListener): Link {
  let over = false
  let nextPing: unknown
  let deadline: unknown

  const end = () => {
    over = true
    clearTimeout(nextPing)
    clearTimeout(deadline)
  }
  const fail = (code: number, reason: string) => {
    if (over) return
    end()
    listener.closed(code, reason)
  }
  const probe = () => {
    if (socket?.readyState !== OPEN) return
    clearTimeout(nextPing)
    nextPing = setTimeout(probe, times.pingInterval)
    socket.send(PING)
    // Unless something is heard in time, the link is dead, whatever the socket says of itself.
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
      // Such as an insecure socket from a secure page.
      setTimeout(() => fail(0, String(error)), 0)
      return undefined
    }
  }
  if (socket) {
    socket.onopen = () => {
      if (over) return
      nextPing = setTimeout(probe, times.pingInterval)
      listener.opened?.()
    }
    socket.onmessage = ({ data }) => {
      if (over) return
      clearTimeout(deadline)
      deadline = undefined
      const frame = parseFrame(data)
      if (frame) listener.frame(frame)
    }
    // The close that follows tells it; but without a listener the socket of `ws` would throw.
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
