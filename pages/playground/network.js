// @ts-check
// A network that can be cut: the WebSocket and the fetch that a device is given, so that one device goes offline and not the whole browser.

const OPEN = 1
const CLOSED = 3

/** What a device's network carries, for whoever looks on. */
export class Network {
  isOffline = false
  /** @type {Set<Line>} */
  #lines = new Set()
  #onFrame
  #onSent

  /**
   * @param {(frame: any, line: Line) => void} onFrame each frame that arrives, before the device gets it
   * @param {(frame: any) => void} onSent each frame that is sent
   */
  constructor (onFrame, onSent) {
    this.#onFrame = onFrame
    this.#onSent = onSent
  }

  /** For the client's options of the same names. */
  get parts () {
    const open = (/** @type {string} */ url) => this.#open(url)
    /** @type {any} */
    const WebSocket = function (/** @type {string} */ url) { return open(url) }
    return {
      WebSocket,
      fetch: (/** @type {string} */ url, /** @type {any} */ init) => this.isOffline ? Promise.reject(new TypeError('offline')) : fetch(url, init)
    }
  }

  /** Every connection breaks, as at the edge of a mobile cell. New ones can be made at once. */
  drop () {
    for (const line of [...this.#lines]) line.cut()
  }

  /** @param {boolean} isOffline nothing gets through; afterwards what was being dialled meanwhile is connected */
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

/** As much of a WebSocket as the client uses. Without a network it stays unconnected, and does not fail: so it is in a tunnel, too. */
class Line {
  readyState = 0
  /** Whether the room was joined over it before. */
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

  /** Breaks as the network would break it: without a word, and seen at once. */
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
