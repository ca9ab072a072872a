// Run of a case: a connection of its own, the frames written in one of several ways, and all answers, in words.
import net from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { CLOSE, closing, frame, handshake, PING, TEXT } from '../e2e/hostile/raw.js'
import { seeded } from '../seeded.js'
import { chopped, type Case, type Composer } from './cases.js'

/** Transports of a run: `fast` is the server's own, `ws` the library, since the server's own handshake reader leaves subprotocols to HTTP. */
export const PATHS = ['fast', 'ws'] as const
export type Path = typeof PATHS[number]

export const WAYS = ['in one write', 'frame by frame', 'byte by byte', 'in random pieces'] as const
export type Way = typeof WAYS[number]

export interface Run { readonly test: Case, readonly path: Path, readonly way: Way }

/** Lists every case, in each of these ways and on each of these paths; by default all of them. */
export function runsOf (cases: readonly Case[], { ways = WAYS, paths = PATHS }: { ways?: readonly Way[], paths?: readonly Path[] } = {}): Run[] {
  return cases.flatMap((test) => ways.flatMap((way) => paths.map((path) => ({ test, path, way }))))
}

/** Limit of writes in one run: large messages are written in pieces of more than one byte. */
const MAX_WRITES = 500
/** Time limit of a run, ms. */
const PATIENCE = Number(process.env.CASE_PATIENCE_MS ?? 60_000)
const PONG = 10

/** @returns the difference from the expected answers, or undefined */
export async function faultOf (port: number, { test, path, way }: Run): Promise<string | undefined> {
  const room = `${test.id}-${path}-${WAYS.indexOf(way)}`
  const messages: Buffer[] = []
  const frames = test.frames(composer(room, messages))
  const pieces = piecesOf([...frames, ...endOf(test, room)], way, test, room)
  const { words, events } = await converse(port, path, pieces)
  const accepted = messages.slice(0, test.answers.filter((word) => word === 'ACK').length)
  const expected = test.closed === undefined ? [...test.answers, 'ROOM_JOINED', ...accepted.map(() => 'event'), 'close 1000', 'FIN'] : [...test.answers, test.closed, 'FIN']
  const run = `${test.id}, ${test.sends}; ${path}, ${way}`
  if (!isDeepStrictEqual(words, expected)) return `${run}: expected ${shown(expected)}, got ${shown(words)}`
  if (test.closed !== undefined || isDeepStrictEqual(events, accepted.map((text) => (JSON.parse(text.toString()) as { payload: unknown }).payload))) return undefined
  return `${run}: the log does not hold what was sent`
}

/** Frames after those of a case: one that makes the server read the log, and a close. */
function endOf ({ closes, awaitsClose }: Case, roomId: string): Buffer[] {
  if (closes) return []
  const close = frame(closing(1000), { opcode: CLOSE })
  return awaitsClose ? [close] : [frame(JSON.stringify({ type: 'JOIN_ROOM', payload: { roomId, recover: { seq: 0 } } })), close]
}

/** Prints a list of words, with equal ones counted. */
function shown (words: readonly string[]): string {
  const counted: Array<[word: string, count: number]> = []
  for (const word of words) {
    const last = counted.at(-1)
    if (last?.[0] === word) last[1]++
    else counted.push([word, 1])
  }
  return `[${counted.map(([word, count]) => count > 1 ? `${word} × ${count}` : word).join(', ')}]`
}

/** @param messages receives each event that is composed */
function composer (roomId: string, messages: Buffer[]): Composer {
  const event: Composer['event'] = ({ note = '', size } = {}) => {
    const [before, after] = JSON.stringify({ type: 'CLICKED_PAY', id: `e${messages.length}`, payload: { roomId, ...(size && { list: filling(size) }), note: '|' } }).split('|')
    const rest = size === undefined ? 0 : size - before!.length - after!.length
    const message = Buffer.concat([Buffer.from(before!), Buffer.from(note), Buffer.alloc(rest, '*'), Buffer.from(after!)])
    messages.push(message)
    return message
  }
  return { event }
}

/** Returns a list that makes an event nearly as large as this, within the limits of a string and of a list; less than 2048 bytes are missing. */
function filling (size: number): string[] { return Array.from({ length: Math.max(0, Math.floor((size - 150) / 2_003)) }, () => '*'.repeat(2_000)) }

function piecesOf (frames: readonly Buffer[], way: Way, { chop, maxWrites = MAX_WRITES }: Case, seed: string): Buffer[] {
  const joined = Buffer.concat(frames)
  if (way === 'in one write') return chop ? chopped(joined, chop) : [joined]
  if (way === 'frame by frame') return [...frames]
  if (way === 'byte by byte') return chopped(joined, Math.ceil(joined.length / maxWrites))
  const random = seeded([...seed].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0) | 0, 0))
  const places = Array.from({ length: 1 + Math.floor(random() * 6) }, () => Math.floor(random() * joined.length)).sort((a, b) => a - b)
  return [0, ...places].map((place, i) => joined.subarray(place, places[i])).filter(({ length }) => length > 0)
}

/** Writes the pieces, each in a tick of its own, and reads until the server has ended its side. */
async function converse (port: number, path: Path, pieces: readonly Buffer[]): Promise<{ words: string[], events: unknown[] }> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  const words: string[] = []
  const events: unknown[] = []
  let isOver = false
  const over = new Promise<void>((resolve) => {
    const finish = (word: string) => {
      if (isOver) return
      isOver = true
      words.push(word)
      resolve()
    }
    socket.on('end', () => finish('FIN')).on('error', ({ message }) => finish(message)).on('close', () => finish('cut off')).setTimeout(PATIENCE, () => finish('silence'))
  })
  const greeted = new Promise<void>((resolve) => {
    const read = frameReader((word, message) => {
      if (word === 'CONNECTION_ESTABLISHED') return resolve()
      words.push(word)
      if (word === 'event') events.push(message!.payload)
    })
    let head = ''
    socket.on('data', function begin (chunk: Buffer) {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', begin).on('data', read)
      read(Buffer.from(head.slice(end + 4), 'latin1'))
    })
  })
  socket.write(handshake(path === 'ws' ? { 'Sec-WebSocket-Protocol': 'payments' } : {}))
  await Promise.race([greeted, over])
  for (const piece of pieces) {
    if (isOver) break
    socket.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await over
  socket.destroy()
  return { words, events }
}

interface Message { readonly type: string, readonly seq?: number, readonly payload: { readonly code?: string } }

/** Reads chunks, and describes each frame in them in words: a server's frames are complete, and have no mask and no reserved bits. */
function frameReader (say: (word: string, message?: Message) => void): (chunk: Buffer) => void {
  let unread: Buffer[] = []
  let missing = 0
  return (chunk) => {
    unread.push(chunk)
    missing -= chunk.length
    if (missing > 0) return
    let bytes = Buffer.concat(unread)
    for (;;) {
      const short = bytes[1] ?? 0
      const start = short === 127 ? 10 : short === 126 ? 4 : 2
      const length = bytes.length < start ? 0 : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short
      missing = start + length - bytes.length
      if (missing > 0) break
      sayFrame(bytes[0]!, bytes.subarray(start, start + length), say)
      bytes = bytes.subarray(start + length)
    }
    unread = [bytes]
  }
}

function sayFrame (first: number, data: Buffer, say: (word: string, message?: Message) => void): void {
  if (first === (0x80 | TEXT)) {
    const message = JSON.parse(data.toString()) as Message
    say(message.seq !== undefined ? 'event' : message.type === 'ERROR' ? `ERROR ${message.payload.code}` : message.type, message)
  } else if (first === (0x80 | PONG)) {
    say(`pong ${data.toString('hex')}`.trim())
  } else if (first === (0x80 | CLOSE)) {
    say(`close ${data.length < 2 ? 1005 : data.readUInt16BE(0)} ${data.toString('utf8', 2)}`.trim())
  } else if (first !== (0x80 | PING)) {
    // Pings of the server come at any time, and are not part of a case.
    say(`a frame that begins with ${first}`)
  }
}
