// A device that costs next to nothing: a plain socket, frames that are made before they are sent, and a parser that only finds where frames end.
import { connect, type Socket } from 'node:net'
import type { Dialect } from './contestants.js'

/** Addresses that connections come from, so that the ports of one do not run out. */
const ADDRESSES = 8
let dialled = 0

/** What any of them reads comes into this, and is done with before the next one reads: chunks are garbage, whose collection would be taken for time of the server. */
const INBOX = Buffer.alloc(65_536)

/** In which events differ. */
const DIGITS = 10

/** A ping without a payload, which is what servers send, and the answer to it. Who gives none is cut off. */
const PING = Buffer.from([0x89, 0])
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])

/** A text message of a client. Its mask is four zeros, which leaves the text as it is. */
function maskedFrame (text: string): Buffer {
  const body = Buffer.from(text)
  const head = body.length < 126 ? Buffer.from([0x81, 0x80 | body.length]) : Buffer.from([0x81, 0x80 | 126, body.length >> 8, body.length & 255])
  return Buffer.concat([head, Buffer.alloc(4), body])
}

export class Device {
  /** Events that came since it joined. */
  received = 0
  /** Called when some have come. */
  onEvents: () => void = () => {}
  readonly #socket: Socket
  readonly #frame: Buffer
  /** Where the ten digits in it begin. */
  readonly #digits: number
  /** As many frames as were sent at once last, one behind the other. */
  #frames: Buffer
  #unread: Buffer | undefined
  #sent = 0
  /** What is done with so many bytes that came. */
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
        // No text that comes here has these bytes, and no length either.
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

  /** Sends so many events in one write, when those before are on their way. */
  send (count = 1): void {
    const { length } = this.#frame
    if (this.#frames.length !== count * length) this.#frames = Buffer.concat(Array.from({ length: count }, () => this.#frame))
    for (let end = this.#digits + DIGITS; end < this.#frames.length; end += length) {
      let rest = this.#sent++
      for (let at = end - 1; at >= end - DIGITS; at--, rest = Math.floor(rest / 10)) this.#frames[at] = 0x30 + rest % 10
    }
    this.#socket.write(this.#frames)
  }

  /** The server, or the way to it, has ended the connection. */
  get isGone (): boolean { return this.#socket.destroyed }

  /** Goes without a word, so that nothing is left of it in the kernel. */
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
    // A copy: the next one to read writes over it.
    this.#unread = at < end ? Buffer.from(data.subarray(at, end)) : undefined
    if (this.received > before) this.onEvents()
  }
}
