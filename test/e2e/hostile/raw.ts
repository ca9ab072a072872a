// A peer that writes any bytes: HTTP or frames, masked or not, and reads the server's answers.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import type { Test } from 'tap'
import type { Frame } from '../../peer.js'
import { until } from '../../until.js'

export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9

/** A handshake as in RFC 6455 §4.1, except for the given headers: another value, or undefined for none. */
export function handshake (changes: Record<string, string | undefined> = {}, requestLine = 'GET / HTTP/1.1'): string {
  const headers = {
    Host: 'localhost', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...changes
  }
  return request(requestLine, headers)
}

/** A request as text, with the headers and the body unchanged. */
export function request (requestLine: string, headers: Record<string, string | undefined> = {}, body = ''): string {
  const lines = Object.entries({ Host: 'localhost', ...headers }).flatMap(([name, value]) => value === undefined ? [] : [`${name}: ${value}`])
  return [requestLine, ...lines, '', body].join('\r\n')
}

export interface FrameOptions {
  readonly opcode?: number
  readonly fin?: boolean
  /** The three reserved bits, 0–7. */
  readonly rsv?: number
  readonly masked?: boolean
  /** Announced length, if it is not the payload's. */
  readonly announced?: bigint
}

/** Encodes one frame (RFC 6455 §5.2), valid or not. */
export function frame (payload: string | Buffer, { opcode = TEXT, fin = true, rsv = 0, masked = true, announced }: FrameOptions = {}): Buffer {
  const body = Buffer.from(payload)
  const length = announced ?? BigInt(body.length)
  const short = length < 126n ? Number(length) : length < 65536n ? 126 : 127
  const extended = Buffer.alloc(short === 126 ? 2 : short === 127 ? 8 : 0)
  if (short === 126) extended.writeUInt16BE(Number(length))
  if (short === 127) extended.writeBigUInt64BE(length)
  const head = Buffer.from([(fin ? 0x80 : 0) | rsv << 4 | opcode, (masked ? 0x80 : 0) | short])
  if (!masked) return Buffer.concat([head, extended, body])
  const mask = randomBytes(4)
  return Buffer.concat([head, extended, mask, body.map((byte, i) => byte ^ mask[i % 4]!)])
}

/** Encodes one message in as many frames as there are pieces. */
export function fragments (pieces: readonly Buffer[], opcode = TEXT): Buffer[] {
  return pieces.map((piece, i) => frame(piece, { opcode: i === 0 ? opcode : 0, fin: i === pieces.length - 1 }))
}

/** Payload of a close frame. */
export function closing (code: number, reason: string | Buffer = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)])
}

export class RawPeer {
  /** Bytes before the first frame: the answers to requests. */
  answer = ''
  /** Received text frames. */
  readonly frames: Frame[] = []
  /** Code in the server's close frame, once it came. */
  closeCode: number | undefined
  /** True once the server has closed its side, or cut the connection. */
  isOver = false
  #unread = Buffer.alloc(0)
  #upgraded = false

  private constructor (readonly socket: net.Socket) {
    // Half-open: the peer never closes its side because the other one did; a server that waits for that waits for ever.
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => { /* the close that follows is handled */ })
    socket.on('end', () => { this.isOver = true })
    socket.on('close', () => { this.isOver = true })
  }

  /** Opens a connection and sends nothing. */
  static async dial (t: Test, port: number): Promise<RawPeer> {
    const peer = new RawPeer(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }))
    t.teardown(() => peer.socket.destroy())
    await once(peer.socket, 'connect')
    return peer
  }

  /** Opens a socket and waits for its greeting. */
  static async open (t: Test, port: number): Promise<RawPeer> {
    const peer = await RawPeer.dial(t, port)
    peer.write(handshake())
    await peer.next('CONNECTION_ESTABLISHED')
    return peer
  }

  write (...bytes: Array<string | Buffer>): void {
    for (const piece of bytes) if (this.socket.writable) this.socket.write(piece)
  }

  /** Disconnects without a close frame. */
  leave (): void { this.socket.destroy() }

  /** Waits for the first frame of this type. */
  async next (type: string): Promise<Frame> {
    const find = () => this.frames.find((frame) => frame.type === type)
    await until(() => `${type} comes; so far: ${this.#seen()}`, () => find() !== undefined || this.isOver)
    const found = find()
    if (!found) throw new Error(`over before ${type}; so far: ${this.#seen()}`)
    return found
  }

  /** Waits for the server's close frame; returns its code. */
  async closeFrame (): Promise<number> {
    await until(() => `a close frame comes; so far: ${this.#seen()}`, () => this.closeCode !== undefined || this.isOver)
    if (this.closeCode === undefined) throw new Error(`over without a close frame; so far: ${this.#seen()}`)
    return this.closeCode
  }

  /** Waits until the server has handled everything that was written. */
  async answersPing (): Promise<void> {
    const pongs = () => this.frames.filter(({ type }) => type === 'PONG').length
    const before = pongs()
    this.write(frame('{"type":"PING"}'))
    await until(() => `a PONG comes; so far: ${this.#seen()}`, () => pongs() > before || this.isOver)
    if (pongs() === before) throw new Error(`over before a PONG; so far: ${this.#seen()}`)
  }

  /** Waits until the server has closed its side; returns the code of its close frame, or its whole answer in HTTP. */
  async over (timeout?: number): Promise<number | string | undefined> {
    await until(() => `the server closes; so far: ${this.#seen()}`, () => this.isOver, timeout)
    return this.#upgraded ? this.closeCode : this.answer
  }

  #seen (): string { return `${this.answer.slice(0, 200)} ${this.frames.map(({ type }) => type).join(', ')} ${this.closeCode ?? ''}` }

  #read (chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk])
    if (!this.#upgraded) {
      const end = this.#unread.indexOf('\r\n\r\n')
      if (end < 0 || !this.#unread.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
        this.answer = this.#unread.toString('latin1')
        return
      }
      this.answer = this.#unread.toString('latin1', 0, end + 4)
      this.#unread = this.#unread.subarray(end + 4)
      this.#upgraded = true
    }
    while (this.#readFrame());
  }

  /** Takes one frame off the unread bytes. A server's frames are unfragmented, and have no mask. */
  #readFrame (): boolean {
    const { length } = this.#unread
    if (length < 2) return false
    const short = this.#unread[1]!
    const start = short === 127 ? 10 : short === 126 ? 4 : 2
    if (length < start) return false
    const size = short === 127 ? Number(this.#unread.readBigUInt64BE(2)) : short === 126 ? this.#unread.readUInt16BE(2) : short
    if (length < start + size) return false
    const opcode = this.#unread[0]! & 15
    const payload = this.#unread.subarray(start, start + size)
    this.#unread = this.#unread.subarray(start + size)
    if (opcode === TEXT) this.frames.push(JSON.parse(payload.toString('utf8')) as Frame)
    if (opcode === CLOSE) this.closeCode = size < 2 ? 1005 : payload.readUInt16BE(0)
    return true
  }
}
