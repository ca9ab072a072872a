// @ts-check
// Simulated network: a WebSocket and a fetch for one device, which can be cut, so that this device goes offline and not the whole browser.

const OPEN = 1
const CLOSED = 3

/** Network of one device. Reports each message in both directions. */
export class Network {
  isOffline = false
  /** @type {Set<Line>} */
  #lines = new Set()
  #onFrame
  #onSent

  /**
   * @param {(frame: any, line: Line) => void} onFrame called for each message that arrives, before the device receives it
   * @param {(frame: any) => void} onSent called for each message that is sent
   */
  constructor (onFrame, onSent) {
    this.#onFrame = onFrame
    this.#onSent = onSent
  }

  /** Parts of the platform, for the client's options of the same names. */
  get parts () {
    const open = (/** @type {string} */ url) => this.#open(url)
    /** @type {any} */
    const WebSocket = function (/** @type {string} */ url) { return open(url) }
    return {
      WebSocket,
      fetch: (/** @type {string} */ url, /** @type {any} */ init) => this.isOffline ? Promise.reject(new TypeError('offline')) : fetch(url, init)
    }
  }

  /** Breaks every connection, as at the edge of a mobile cell. New connections work at once. */
  drop () {
    for (const line of [...this.#lines]) line.cut()
  }

  /** @param {boolean} isOffline true: nothing gets through; false: connections that were dialled meanwhile are opened */
  setOffline (isOffline) {
    this.isOffline = isOffline
    if (isOffline) return this.drop()
    for (const line of this.#lines) line.dial()
    window.dispatchEvent(new Event('online'))
  }

  /** @param {string} url */
  #open (url) {
    const line = new Line(url, {
      heard: (data) => this.#onFrame(JSON.parse(data), line),
      sent: (data) => this.#onSent(JSON.parse(data)),
      over: () => this.#lines.delete(line)
    })
    this.#lines.add(line)
    if (!this.isOffline) line.dial()
    return line
  }
}

/** Subset of the WebSocket API that the client uses. Offline, a connection stays in CONNECTING instead of failing, as in a tunnel. */
class Line {
  readyState = 0
  /** True once the room was joined over this connection. */
  hasJoined = false
  /** @type {((event: any) => void) | null} */
  onopen = null
  /** @type {((event: any) => void) | null} */
  onmessage = null
  /** @type {((event: any) => void) | null} */
  onerror = null
  /** @type {((event: any) => void) | null} */
  onclose = null
  /** @type {WebSocket | undefined} */
  #socket
  #url
  #watcher

  /**
   * @param {string} url
   * @param {{ heard: (data: string) => void, sent: (data: string) => void, over: () => void }} watcher
   */
  constructor (url, watcher) {
    this.#url = url
    this.#watcher = watcher
  }

  dial () {
    if (this.#socket) return
    const socket = this.#socket = new WebSocket(this.#url)
    socket.onopen = (event) => {
      this.readyState = OPEN
      this.onopen?.(event)
    }
    socket.onmessage = (event) => {
      this.#watcher.heard(event.data)
      this.onmessage?.(event)
    }
    socket.onerror = (event) => this.onerror?.(event)
    socket.onclose = (event) => this.#end(event)
  }

  /** @param {string} text */
  send (text) {
    this.#watcher.sent(text)
    this.#socket?.send(text)
  }

  /** @param {number} [code] */
  close (code) {
    this.#watcher.over()
    this.#socket?.close(code)
  }

  /** Breaks the connection without a close frame, as the network would; the client notices at once. */
  cut () {
    const socket = this.#socket
    if (socket) {
      socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null
      socket.close()
    }
    this.#end({ code: 1006, reason: '' })
  }

  /** @param {{ code: number, reason: string }} event */
  #end (event) {
    this.readyState = CLOSED
    this.#watcher.over()
    this.onclose?.(event)
  }
}
