// Device of the load generator at minimal cost: a plain TCP socket, frames encoded in advance, and a parser that only finds the ends of frames.
import { connect, type Socket } from 'node:net'
import type { Dialect } from './contestants.js'

/** Number of source addresses for connections, so that no address runs out of ports. */
const ADDRESSES = 8
let dialled = 0

/**
 * Read buffer shared by all devices; each read is processed before the next one. A new buffer for each read would be garbage, whose collection would count
 * as time of the server.
 */
const INBOX = Buffer.alloc(65_536)

/** Number of digits in which events differ. */
const DIGITS = 10

/** A ping without a payload, as servers send it, and the pong. A device that sends no pong is disconnected. */
const PING = Buffer.from([0x89, 0])
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])

/** Encodes a text message of a client. The masking key is four zero bytes, which leave the text as it is. */
function maskedFrame (text: string): Buffer {
  const body = Buffer.from(text)
  const head = body.length < 126 ? Buffer.from([0x81, 0x80 | body.length]) : Buffer.from([0x81, 0x80 | 126, body.length >> 8, body.length & 255])
  return Buffer.concat([head, Buffer.alloc(4), body])
}

export class Device {
  /** Number of events received since the join. */
  received = 0
  /** Called when events were received. */
  onEvents: () => void = () => {}
  readonly #socket: Socket
  readonly #frame: Buffer
  /** Offset of the ten digits in `#frame`. */
  readonly #digits: number
  /** Frames of the last `send`, one after the other. */
  #frames: Buffer
  #unread: Buffer | undefined
  #sent = 0
  /** Handles the bytes that were read into INBOX. */
  #hear: (length: number) => void = () => {}

  private constructor (port: number, event: Buffer) {
    this.#frame = this.#frames = event
    this.#digits = event.indexOf('#'.repeat(DIGITS))
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      localAddress: `127.0.1.${1 + dialled++ % ADDRESSES}`,
      noDelay: true,
      onread: {
        buffer: INBOX,
        callback: (length) => {
          this.#hear(length)
          return true
        }
      }
    })
  }

  /** Connects and joins. */
  static async join (port: number, { path, steps, event }: Dialect, roomId: string, deviceId: string): Promise<Device> {
    const device = new Device(port, maskedFrame(event(roomId, deviceId)))
    const socket = device.#socket
    socket.write(`GET ${path(roomId)} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`)
    await new Promise<void>((resolve, reject) => {
      let heard = ''
      let step = 0
      device.#hear = (length) => {
        // The two bytes occur in no text that is received here, and in no length.
        if (INBOX.subarray(0, length).includes(PING)) socket.write(PONG)
        heard += INBOX.toString('latin1', 0, length)
        for (let next = steps[step]; next && heard.includes(next.hears); next = steps[++step]) {
          heard = heard.slice(heard.indexOf(next.hears) + next.hears.length)
          if (next.says) socket.write(maskedFrame(next.says(roomId, deviceId)))
        }
        if (step < steps.length) return
        device.#hear = device.#read
        resolve()
      }
      socket.on('error', reject)
      socket.on('close', () => reject(new Error(`closed before it was in the room: ${heard.slice(0, 200)}`)))
    })
    socket.removeAllListeners()
    socket.on('error', () => {})
    return device
  }

  /** Sends several events in one write. The buffer is reused, so the previous events must already be on their way. */
  send (count = 1): void {
    const { length } = this.#frame
    if (this.#frames.length !== count * length) this.#frames = Buffer.concat(Array.from({ length: count }, () => this.#frame))
    for (let end = this.#digits + DIGITS; end < this.#frames.length; end += length) {
      let rest = this.#sent++
      for (let at = end - 1; at >= end - DIGITS; at--, rest = Math.floor(rest / 10)) this.#frames[at] = 0x30 + rest % 10
    }
    this.#socket.write(this.#frames)
  }

  /** True if the server or the network has ended the connection. */
  get isGone (): boolean { return this.#socket.destroyed }

  /** Resets the connection, so that no state of it remains in the kernel. */
  leave (): void { this.#socket.resetAndDestroy() }

  #read (length: number): void {
    const data = this.#unread ? Buffer.concat([this.#unread, INBOX.subarray(0, length)]) : INBOX
    const end = this.#unread ? data.length : length
    const before = this.received
    let at = 0
    while (at + 2 <= end) {
      const short = data[at + 1]!
      if (short === 126 && at + 4 > end) break
      const next = at + (short < 126 ? 2 + short : 4 + data.readUInt16BE(at + 2))
      if (next > end) break
      if (data[at] === 0x81) this.received++
      else if (data[at] === 0x89) this.#socket.write(PONG)
      at = next
    }
    // A copy, since the next read overwrites INBOX.
    this.#unread = at < end ? Buffer.from(data.subarray(at, end)) : undefined
    if (this.received > before) this.onEvents()
  }
}
