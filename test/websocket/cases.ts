// Cases of the Autobahn testsuite (1–7, 9, 10), written for this protocol: the frames of a client, and all answers of the server.
import { BINARY, CLOSE, closing, fragments, frame, PING, TEXT } from '../e2e/hostile/raw.js'

const PONG = 10
const CONTINUATION = 0

/** Limit of a message in bytes on the servers that the cases are for. */
export const MAX_MESSAGE_BYTES = 393_216

/** Composes the frames of one run. The log of a room is read back at the end of a run, so each run has a room of its own. */
export interface Composer {
  /** Returns the next event, as JSON. @param note may be no UTF-8 @param size its bytes, exactly; 130 or more */
  event: (options?: { note?: string | Buffer, size?: number }) => Buffer
}

export interface Case {
  readonly id: string
  /** Description of the frames. */
  readonly sends: string
  readonly frames: (composer: Composer) => Buffer[]
  /** Answers of the server before the socket is closed, in order; see `exchange.ts` for the words. */
  readonly answers: readonly string[]
  /** Close code of the server. If missing, the socket stays open to the end, and the client closes it. */
  readonly closed?: string
  /** Set if the client's own close is among the frames: no frame follows them. */
  readonly closes?: boolean
  /** Set if the server waits for the client's close before it ends the connection: only that close follows the frames. */
  readonly awaitsClose?: boolean
  /** Bytes in each write, if the case requires a size. */
  readonly chop?: number
  /** Limit of writes, for a server that accepts few: a message may come in a chunk for each 16 bytes of the limit. */
  readonly maxWrites?: number
}

const PROTOCOL_ERROR = 'close 1002'
const INVALID_TEXT = 'close 1007'
const BINARY_REFUSED = { answers: [], closed: 'close 1003 text frames only', awaitsClose: true }
const ACK = 'ACK'
const NOT_JSON = 'ERROR INVALID_JSON'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const stars = (count: number) => Buffer.alloc(count, '*')
const ping = (data: string | Buffer = '', options = {}) => frame(data, { opcode: PING, ...options })
const pong = (data: string | Buffer = '', options = {}) => frame(data, { opcode: PONG, ...options })
const close = (data: string | Buffer = '', options = {}) => frame(data, { opcode: CLOSE, ...options })
/** Returns the server's answer to a ping. */
const pongs = (data: string | Buffer = '') => `pong ${Buffer.from(data).toString('hex')}`.trim()

/** Cuts bytes into pieces of this size. */
export function chopped (bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}
function halves (bytes: Buffer): Buffer[] { return chopped(bytes, Math.ceil(bytes.length / 2)) }

/** Texts and binary messages of all lengths around the limits of a frame's head. */
const SIZES = [125, 126, 127, 128, 65_535, 65_536]

const sizes: Case[] = [
  { id: '1.1.1', sends: 'an empty text', frames: () => [frame('')], answers: [NOT_JSON] },
  ...SIZES.map((size, i): Case => ({ id: `1.1.${i + 2}`, sends: `a text of ${size} bytes`, frames: ({ event }) => [frame(event({ size }))], answers: [ACK] })),
  { id: '1.1.8', sends: 'a text of 65536 bytes in writes of 997', frames: ({ event }) => [frame(event({ size: 65_536 }))], answers: [ACK], chop: 997 },
  ...[0, ...SIZES, 65_536].map((size, i): Case => ({
    id: `1.2.${i + 1}`,
    sends: `a binary message of ${size} bytes`,
    frames: () => [frame(stars(size), { opcode: BINARY })],
    ...BINARY_REFUSED,
    ...(i === 7 && { chop: 997 })
  }))
]

const ODD_BYTES = hex('00 ff fe fd fc fb 00 ff')
const TEN = Array.from({ length: 10 }, (_, i) => `payload-${i}`)

const pings: Case[] = [
  { id: '2.1', sends: 'a ping without data', frames: () => [ping()], answers: [pongs()] },
  { id: '2.2', sends: 'a ping with a text', frames: () => [ping('Hello, world!')], answers: [pongs('Hello, world!')] },
  { id: '2.3', sends: 'a ping with bytes that are no text', frames: () => [ping(ODD_BYTES)], answers: [pongs(ODD_BYTES)] },
  { id: '2.4', sends: 'a ping with 125 bytes', frames: () => [ping(Buffer.alloc(125, 0xfe))], answers: [pongs(Buffer.alloc(125, 0xfe))] },
  { id: '2.5', sends: 'a ping with 126 bytes', frames: () => [ping(Buffer.alloc(126, 0xfe))], answers: [], closed: PROTOCOL_ERROR },
  { id: '2.6', sends: 'a ping with 125 bytes, one in each write', frames: () => [ping(Buffer.alloc(125, 0xfe))], answers: [pongs(Buffer.alloc(125, 0xfe))], chop: 1 },
  { id: '2.7', sends: 'an unsolicited pong', frames: () => [pong()], answers: [] },
  { id: '2.8', sends: 'an unsolicited pong with data', frames: () => [pong('unasked')], answers: [] },
  { id: '2.9', sends: 'an unsolicited pong and a ping', frames: () => [pong('unasked'), ping('asked')], answers: [pongs('asked')] },
  { id: '2.10', sends: 'ten pings', frames: () => TEN.map((data) => ping(data)), answers: TEN.map(pongs) },
  { id: '2.11', sends: 'ten pings, one byte in each write', frames: () => TEN.map((data) => ping(data)), answers: TEN.map(pongs), chop: 1 },
  { id: '2.12', sends: 'a pong with 125 bytes', frames: () => [pong(stars(125))], answers: [] },
  { id: '2.13', sends: 'a pong with 126 bytes', frames: () => [pong(stars(126))], answers: [], closed: PROTOCOL_ERROR }
]

const reserved: Case[] = [
  { id: '3.1', sends: 'a text with RSV 1', frames: ({ event }) => [frame(event(), { rsv: 1 })], answers: [], closed: PROTOCOL_ERROR },
  { id: '3.2', sends: 'a text, one with RSV 2, a ping', frames: ({ event }) => [frame(event()), frame(event(), { rsv: 2 }), ping()], answers: [ACK], closed: PROTOCOL_ERROR },
  { id: '3.3', sends: 'a text, one with RSV 3, a ping', frames: ({ event }) => [frame(event()), frame(event(), { rsv: 3 }), ping()], answers: [ACK], closed: PROTOCOL_ERROR },
  { id: '3.4', sends: 'a text, one with RSV 4, a ping', frames: ({ event }) => [frame(event()), frame(event(), { rsv: 4 }), ping()], answers: [ACK], closed: PROTOCOL_ERROR },
  { id: '3.5', sends: 'a binary message with RSV 5', frames: () => [frame(stars(4), { opcode: BINARY, rsv: 5 })], answers: [], closed: PROTOCOL_ERROR },
  { id: '3.6', sends: 'a ping with RSV 6', frames: () => [ping('', { rsv: 6 })], answers: [], closed: PROTOCOL_ERROR },
  { id: '3.7', sends: 'a close with RSV 7', frames: () => [close(closing(1000), { rsv: 7 })], answers: [], closed: PROTOCOL_ERROR },
  { id: '3.8', sends: 'a pong with RSV 4', frames: () => [pong('', { rsv: 4 })], answers: [], closed: PROTOCOL_ERROR }
]

const opcodes: Case[] = [[3, 4, 5, 6, 7], [11, 12, 13, 14, 15]].flatMap((list, group) => list.map((opcode, i): Case => ({
  id: `4.${group + 1}.${i + 1}`,
  sends: `a text, a frame of opcode ${opcode}${i % 2 ? ' with data' : ''}, a ping`,
  frames: ({ event }) => [frame(event()), frame(i % 2 ? 'reserved' : '', { opcode }), ping()],
  answers: [ACK],
  closed: PROTOCOL_ERROR
})))

const masks: Case[] = [TEXT, BINARY, PING, PONG, CLOSE].map((opcode, i): Case => ({
  id: `5.0.${i + 1}`,
  sends: `a text, a frame of opcode ${opcode} without a mask`,
  frames: ({ event }) => [frame(event()), frame(opcode === TEXT ? event() : '', { opcode, masked: false })],
  answers: [ACK],
  closed: PROTOCOL_ERROR
}))

const inTwo = ({ event }: Composer) => fragments(halves(event()))
const inFive = ({ event }: Composer) => fragments(chopped(event({ size: 200 }), 40))
const continuation = (fin: boolean) => frame('nothing to continue', { opcode: CONTINUATION, fin })

const fragmentation: Case[] = [
  { id: '5.1', sends: 'a ping in two fragments', frames: () => fragments([stars(3), stars(3)], PING), answers: [], closed: PROTOCOL_ERROR },
  { id: '5.2', sends: 'a pong in two fragments', frames: () => fragments([stars(3), stars(3)], PONG), answers: [], closed: PROTOCOL_ERROR },
  { id: '5.3', sends: 'a text in two fragments', frames: inTwo, answers: [ACK] },
  { id: '5.4', sends: 'a text in two fragments, in writes of 7 bytes', frames: inTwo, answers: [ACK], chop: 7 },
  { id: '5.5', sends: 'a text in two fragments, one byte in each write', frames: inTwo, answers: [ACK], chop: 1 },
  ...[undefined, 7, 1].map((chop, i): Case => ({
    id: `5.${i + 6}`,
    sends: `a text in two fragments, a ping between them${chop ? `, in writes of ${chop}` : ''}`,
    frames: (composer) => {
      const [first, second] = inTwo(composer)
      return [first!, ping('between'), second!]
    },
    answers: [pongs('between'), ACK],
    ...(chop && { chop })
  })),
  ...[true, false].flatMap((fin, group) => [undefined, 7, 1].map((chop, i): Case => ({
    id: `5.${9 + group * 3 + i}`,
    sends: `a continuation of nothing, ${fin ? 'the last' : 'not the last'}, and a text${chop ? `, in writes of ${chop}` : ''}`,
    frames: ({ event }) => [continuation(fin), frame(event())],
    answers: [],
    closed: PROTOCOL_ERROR,
    ...(chop && { chop })
  }))),
  { id: '5.15', sends: 'a text in two fragments, a continuation of nothing, a text', frames: (c) => [...inTwo(c), continuation(false), frame(c.event())], answers: [ACK], closed: PROTOCOL_ERROR },
  ...[false, true].map((fin, i): Case => ({
    id: `5.${16 + i}`,
    sends: `twice: a continuation of nothing, ${fin ? 'the last' : 'not the last'}, and a text in two fragments`,
    frames: (c) => [continuation(fin), ...inTwo(c), continuation(fin), ...inTwo(c)],
    answers: [],
    closed: PROTOCOL_ERROR
  })),
  { id: '5.18', sends: 'the beginning of a text, and another text', frames: ({ event }) => [frame('{', { fin: false }), frame(event())], answers: [], closed: PROTOCOL_ERROR },
  ...[undefined, 1].map((chop, i): Case => ({
    id: `5.${19 + i}`,
    sends: `a text in five fragments, pings after the second and the fourth${chop ? ', one byte in each write' : ''}`,
    frames: (c) => inFive(c).flatMap((part, i) => i === 1 || i === 3 ? [part, ping(`ping ${i}`)] : [part]),
    answers: [pongs('ping 1'), pongs('ping 3'), ACK],
    ...(chop && { chop })
  })),
  { id: '5.21', sends: 'the beginning of a text, and binary', frames: () => [frame('{', { fin: false }), frame('}', { opcode: BINARY })], answers: [], closed: PROTOCOL_ERROR },
  { id: '5.22', sends: 'a close in two fragments', frames: () => fragments([closing(1000), stars(3)], CLOSE), answers: [], closed: PROTOCOL_ERROR }
]

/** Returns a text of one event around these bytes. */
const note = (bytes: Buffer) => ({ event }: Composer) => [frame(event({ note: bytes }))]
const valid = (id: string, sends: string, bytes: Buffer): Case => ({ id, sends: `valid UTF-8: ${sends}`, frames: note(bytes), answers: [ACK] })
const invalid = (id: string, sends: string, bytes: Buffer): Case => ({ id, sends: `invalid UTF-8: ${sends}`, frames: note(bytes), answers: [], closed: INVALID_TEXT })
/** Cases of one group, from sequences in hexadecimal digits. */
const group = (make: typeof valid, id: string, sequences: readonly string[]) => sequences.map((digits, i) => make(`${id}.${i + 1}`, digits, hex(digits)))

const KOSME = Buffer.from('κόσμε')
const HELLO = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!')
/** Offsets in `KOSME` at which a character ends. */
const ENDS = [...KOSME.toString()].map((_, i, all) => Buffer.byteLength(all.slice(0, i + 1).join('')))
/** Returns a range of bytes, a space after each. */
const spaced = (from: number, to: number) => Buffer.from(Array.from({ length: to - from + 1 }, (_, i) => [from + i, 0x20]).flat())
const BROKEN = [KOSME, hex('f4 90 80 80'), Buffer.from('edited')]
const LONELY: Array<[number, number]> = [[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]]
const CUT_SHORT = ['c0', 'e080', 'f08080', 'f8808080', 'fc80808080', 'df', 'efbf', 'f7bfbf', 'fbbfbfbf', 'fdbfbfbfbf']
/** Last two code points of each of the 17 planes. */
const NON_CHARACTERS = Array.from({ length: 17 }, (_, plane) => [0xfffe, 0xffff].map((low) => Buffer.from(String.fromCodePoint(plane << 16 | low)).toString('hex'))).flat()

const texts: Case[] = [
  { id: '6.1.1', sends: 'an empty text', frames: () => [frame('')], answers: [NOT_JSON] },
  { id: '6.1.2', sends: 'a text of three empty fragments', frames: () => fragments([stars(0), stars(0), stars(0)]), answers: [NOT_JSON] },
  { id: '6.1.3', sends: 'a text of three fragments, the second alone not empty', frames: ({ event }) => fragments([stars(0), event(), stars(0)]), answers: [ACK] },
  valid('6.2.1', 'letters of two bytes', HELLO),
  {
    id: '6.2.2',
    sends: 'the same in two fragments, between two characters',
    frames: ({ event }) => {
      const text = event({ note: HELLO })
      const at = text.indexOf('ß')
      return fragments([text.subarray(0, at), text.subarray(at)])
    },
    answers: [ACK]
  },
  { id: '6.2.3', sends: 'the same, a fragment for each byte', frames: ({ event }) => fragments(chopped(event({ note: HELLO }), 1)), answers: [ACK] },
  { id: '6.2.4', sends: 'Greek, a fragment for each byte', frames: ({ event }) => fragments(chopped(event({ note: KOSME }), 1)), answers: [ACK] },
  invalid('6.3.1', 'a surrogate behind Greek', Buffer.concat([KOSME, hex('eda080'), Buffer.from('edited')])),
  {
    id: '6.3.2',
    sends: 'the same, a fragment for each byte',
    frames: ({ event }) => fragments(chopped(event({ note: Buffer.concat([KOSME, hex('eda080'), Buffer.from('edited')]) }), 1)),
    answers: [],
    closed: INVALID_TEXT
  },
  { id: '6.4.1', sends: 'three fragments, the second invalid', frames: () => fragments(BROKEN), answers: [], closed: INVALID_TEXT },
  { id: '6.4.2', sends: 'the same, cut within the sequence that is invalid', frames: () => fragments([Buffer.concat([KOSME, hex('f4')]), hex('90'), hex('80 80'), BROKEN[2]!]), answers: [], closed: INVALID_TEXT },
  { id: '6.4.3', sends: 'the same in one frame, a write for each part', frames: () => [frame(Buffer.concat(BROKEN))], answers: [], closed: INVALID_TEXT, chop: 11 },
  { id: '6.4.4', sends: 'the same in one frame, one byte in each write', frames: () => [frame(Buffer.concat(BROKEN))], answers: [], closed: INVALID_TEXT, chop: 1 },
  ...['κόσμε', 'olá, até já', '€ 12,50', '支付完成', '😀👍🏽'].map((text, i) => valid(`6.5.${i + 1}`, text, Buffer.from(text))),
  ...Array.from(KOSME, (_, i) => (ENDS.includes(i + 1) ? valid : invalid)(`6.6.${i + 1}`, `the first ${i + 1} bytes of Greek`, KOSME.subarray(0, i + 1))),
  { id: '6.7.1', sends: 'U+0000, which is UTF-8 but no JSON', frames: note(hex('00')), answers: [NOT_JSON] },
  ...group(valid, '6.7', ['', 'c280', 'e0a080', 'f0908080']).slice(1),
  ...group(invalid, '6.8', ['f888808080', 'fc8480808080']),
  ...group(valid, '6.9', ['7f', 'dfbf', 'efbfbf', 'f48fbfbf']),
  ...group(invalid, '6.10', ['f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf']),
  ...group(valid, '6.11', ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf']),
  invalid('6.11.5', 'f4908080', hex('f4908080')),
  ...group(invalid, '6.12', ['80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf', Buffer.from(Array.from({ length: 64 }, (_, i) => 0x80 + i)).toString('hex')]),
  ...LONELY.map(([from, to], i) => invalid(`6.13.${i + 1}`, `first bytes ${from.toString(16)} to ${to.toString(16)}, with nothing behind them`, spaced(from, to))),
  ...group(invalid, '6.14', CUT_SHORT),
  ...group(invalid, '6.15', [CUT_SHORT.join('')]),
  ...group(invalid, '6.16', ['fe', 'ff', 'fefeffff']),
  ...group(invalid, '6.17', ['c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af']),
  ...group(invalid, '6.18', ['c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf']),
  ...group(invalid, '6.19', ['c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080']),
  ...group(invalid, '6.20', ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf']),
  ...group(invalid, '6.21', ['eda080edb080', 'eda080edbfbf', 'edadbfedb080', 'edadbfedbfbf', 'edae80edb080', 'edae80edbfbf', 'edafbfedb080', 'edafbfedbfbf']),
  ...group(valid, '6.22', NON_CHARACTERS),
  ...group(valid, '6.23', ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbfbe', 'efbfbf']),
  // Additional cases, not Autobahn's: a parser that unmasks word by word reads the bytes of a text in several ways, by their offsets.
  ...[7, 27].flatMap((size, list) => Array.from({ length: size }, (_, i): Case => ({
    id: `6.24.${list * 7 + i + 1}`,
    sends: `a text of ${size} bytes that is no UTF-8 at byte ${i}`,
    frames: () => [frame(Buffer.concat([stars(i), hex('ff'), stars(size - i - 1)]))],
    answers: [],
    closed: INVALID_TEXT
  })))
]

/** Close codes that a client may send (RFC 6455 §7.4, and those that IANA has registered since), and codes that it may not. */
const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999, 1012, 1013, 1014]
const NO_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 1015]
const BAD_REASON = Buffer.concat([closing(1000), KOSME, hex('eda080'), Buffer.from('edited')])

const closeFrames: ReadonlyArray<Omit<Case, 'closes'>> = [
  { id: '7.1.1', sends: 'a text and a close', frames: ({ event }) => [frame(event()), close(closing(1000))], answers: [ACK], closed: 'close 1000' },
  { id: '7.1.2', sends: 'two closes', frames: () => [close(closing(1000)), close(closing(1001))], answers: [], closed: 'close 1000' },
  { id: '7.1.3', sends: 'a close and a ping', frames: () => [close(closing(1000)), ping('late')], answers: [], closed: 'close 1000' },
  { id: '7.1.4', sends: 'a close and a text', frames: ({ event }) => [close(closing(1000)), frame(event())], answers: [], closed: 'close 1000' },
  {
    id: '7.1.5',
    sends: 'the beginning of a text, a close, and its end',
    frames: (c) => {
      const [first, second] = inTwo(c)
      return [first!, close(closing(1000)), second!]
    },
    answers: [],
    closed: 'close 1000'
  },
  { id: '7.1.6', sends: 'a text of 256 KiB, a small one, a close, a ping', frames: ({ event }) => [frame(event({ size: 262_144 })), frame(event()), close(closing(1000)), ping()], answers: [ACK, ACK], closed: 'close 1000' },
  { id: '7.1.7', sends: 'a text, a close, a ping', frames: ({ event }) => [frame(event()), close(closing(1000)), ping()], answers: [ACK], closed: 'close 1000' },
  { id: '7.3.1', sends: 'a close without a code', frames: () => [close()], answers: [], closed: 'close 1005' },
  { id: '7.3.2', sends: 'a close with half a code', frames: () => [close(hex('03'))], answers: [], closed: PROTOCOL_ERROR },
  { id: '7.3.3', sends: 'a close with a code', frames: () => [close(closing(1000))], answers: [], closed: 'close 1000' },
  { id: '7.3.4', sends: 'a close with a code and a reason', frames: () => [close(closing(1000, 'até logo'))], answers: [], closed: 'close 1000 até logo' },
  { id: '7.3.5', sends: 'a close with a reason of 123 bytes', frames: () => [close(closing(1000, stars(123)))], answers: [], closed: `close 1000 ${stars(123)}` },
  { id: '7.3.6', sends: 'a close with a reason of 124 bytes', frames: () => [close(closing(1000, stars(124)))], answers: [], closed: PROTOCOL_ERROR },
  { id: '7.5.1', sends: 'a close whose reason is no UTF-8', frames: () => [close(BAD_REASON)], answers: [], closed: INVALID_TEXT },
  ...CODES.map((code, i): Case => ({ id: `7.7.${i + 1}`, sends: `a close with the code ${code}`, frames: () => [close(closing(code))], answers: [], closed: `close ${code}` })),
  ...NO_CODES.map((code, i): Case => ({ id: `7.9.${i + 1}`, sends: `a close with the code ${code}`, frames: () => [close(closing(code))], answers: [], closed: PROTOCOL_ERROR })),
  ...[5000, 65_535].map((code, i): Case => ({ id: `7.13.${i + 1}`, sends: `a close with the code ${code}`, frames: () => [close(closing(code))], answers: [], closed: PROTOCOL_ERROR }))
]
const closes = closeFrames.map((row): Case => ({ ...row, closes: true }))

const KIB = 1024
/** Sizes up to the limit of these servers; Autobahn goes to 16 MiB. */
const LARGE = [64 * KIB, 256 * KIB, MAX_MESSAGE_BYTES]
const ROUNDS = 50

const large: Case[] = [
  ...LARGE.map((size, i): Case => ({ id: `9.1.${i + 1}`, sends: `a text of ${size / KIB} KiB`, frames: ({ event }) => [frame(event({ size }))], answers: [ACK] })),
  { id: '9.1.4', sends: 'a text one byte larger than the limit', frames: () => [frame(stars(MAX_MESSAGE_BYTES + 1))], answers: [], closed: 'close 1009' },
  { id: '9.2.1', sends: 'binary of 64 KiB', frames: () => [frame(stars(64 * KIB), { opcode: BINARY })], ...BINARY_REFUSED },
  { id: '9.2.2', sends: 'binary one byte larger than the limit', frames: () => [frame(stars(MAX_MESSAGE_BYTES + 1), { opcode: BINARY })], answers: [], closed: 'close 1009' },
  ...[1, 4, 16, 64].map((kib, i): Case => ({
    id: `9.3.${i + 1}`,
    sends: `a text of 256 KiB in fragments of ${kib} KiB`,
    frames: ({ event }) => fragments(chopped(event({ size: 256 * KIB }), kib * KIB)),
    answers: [ACK]
  })),
  { id: '9.3.5', sends: 'fragments that together are one byte larger than the limit', frames: () => fragments(chopped(stars(MAX_MESSAGE_BYTES + 1), 64 * KIB)), answers: [], closed: 'close 1009' },
  { id: '9.3.6', sends: 'more fragments than a message may have', frames: () => fragments(chopped(stars(257), 1)), answers: [], closed: 'close 1008' },
  { id: '9.4.1', sends: 'binary of 256 KiB in fragments of 64 KiB', frames: () => fragments(chopped(stars(256 * KIB), 64 * KIB), BINARY), ...BINARY_REFUSED },
  ...[512, 1024, 2048].map((chop, i): Case => ({
    id: `9.5.${i + 1}`, sends: `a text of 256 KiB in writes of ${chop} bytes`, frames: ({ event }) => [frame(event({ size: 256 * KIB }))], answers: [ACK], chop
  })),
  { id: '9.6.1', sends: 'binary of 64 KiB in writes of 512 bytes', frames: () => [frame(stars(64 * KIB), { opcode: BINARY })], ...BINARY_REFUSED, chop: 512 },
  ...[130, 256, 1024, 4096].map((size, i): Case => ({
    id: `9.7.${i + 1}`,
    sends: `${ROUNDS} texts of ${size} bytes`,
    frames: ({ event }) => Array.from({ length: ROUNDS }, () => frame(event({ size }))),
    answers: Array.from({ length: ROUNDS }, () => ACK)
  }))
]

const cutByOthers: Case[] = [
  { id: '10.1.1', sends: 'a text of 64 KiB in fragments of 1300 bytes', frames: ({ event }) => fragments(chopped(event({ size: 64 * KIB }), 1300)), answers: [ACK] }
]

export const CASES: readonly Case[] = [...sizes, ...pings, ...reserved, ...opcodes, ...masks, ...fragmentation, ...texts, ...closes, ...large, ...cutByOthers]

/** Limit of a message in bytes, on a server that refuses large ones. */
export const SMALL_LIMIT = 1024

/** Additional cases, not Autobahn's: the limit of a message, on a server with {@link SMALL_LIMIT}. */
export const LIMIT_CASES = ([
  { id: 'limit.1', sends: 'a text as large as may be', frames: ({ event }) => [frame(event({ size: SMALL_LIMIT }))], answers: [ACK] },
  { id: 'limit.2', sends: 'a text one byte larger', frames: ({ event }) => [frame(event({ size: SMALL_LIMIT + 1 }))], answers: [], closed: 'close 1009' },
  { id: 'limit.3', sends: 'a text of 64 KiB', frames: ({ event }) => [frame(event({ size: 64 * KIB }))], answers: [], closed: 'close 1009' },
  { id: 'limit.4', sends: 'two fragments, together one byte larger', frames: ({ event }) => fragments(halves(event({ size: SMALL_LIMIT + 1 }))), answers: [], closed: 'close 1009' },
  { id: 'limit.5', sends: 'binary one byte larger', frames: () => [frame(stars(SMALL_LIMIT + 1), { opcode: BINARY })], answers: [], closed: 'close 1009' }
] as Case[]).map((row): Case => ({ ...row, maxWrites: 50 }))
