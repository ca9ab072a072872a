// Encoded frames, compared with the library that the clients use.
import type { Writable } from 'node:stream'
import t from 'tap'
import * as ws from 'ws'
import { encodePong, encodeTextFrame, FrameWriter, payloadOf, PING_FRAME } from '../../src/websocket/frame-writer.js'

// Exported, though its types lack it.
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable }

const HEADS: Array<[number, number[]]> = [
  [0, [0x81, 0]], [1, [0x81, 1]], [125, [0x81, 125]], [126, [0x81, 126, 0, 126]], [65535, [0x81, 126, 255, 255]], [65536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]]
]

t.test('a frame encodes the length of its text in the shortest form', async (t) => {
  for (const [length, head] of HEADS) {
    const text = 'x'.repeat(length)
    const frame = new FrameWriter().encodeText(text)
    t.strictSame([...frame.subarray(0, frame.length - length)], head, `${length} bytes`)
    t.equal(String(payloadOf(frame)), text)
    for (const same of [new FrameWriter().encodeText(Buffer.from(text)), encodeTextFrame(text), encodeTextFrame(Buffer.from(text))]) t.ok(Buffer.from(frame).equals(same))
  }
})

t.test('a receiver gets the framed texts in order', async (t) => {
  const texts = ['', 'a', 'ç "quoted" \u2028 😀', 'x'.repeat(125), 'x'.repeat(126), 'é'.repeat(40_000)]
  const received: string[] = []
  const receiver = new Receiver({ isServer: false })
  receiver.on('message', (data: Buffer) => received.push(String(data)))
  const writer = new FrameWriter()
  receiver.write(Buffer.concat(texts.map((text) => writer.encodeText(text))))
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(received, texts)
})

t.test('an event encoded from its parts equals the event encoded as one text', async (t) => {
  const seqs = [0, 1, 9, 10, 99, 100, 65_535, 99_999, 1_000_000, 2 ** 31, 2 ** 32, 10 ** 15, Number.MAX_SAFE_INTEGER]
  const writer = new FrameWriter()
  for (let n = 0; n < 2_000; n++) {
    const [opening, seq, closing] = ['x'.repeat(n % 251), seqs[n % seqs.length]!, `,"at":${Math.floor(n / 7)}${'.'.repeat(n % 3 * 40)}}`]
    // Other frames may lie between those with the same ending.
    if (n % 5 === 0) writer.encodeText('somebody else')
    const expected = encodeTextFrame(`${opening},"n":${seq}${closing}`)
    t.ok(Buffer.from(writer.encodeEvent(opening, ',"n":', seq, closing)).equals(expected), `${opening.length} characters, ${seq}, ${closing}`)
  }
  for (const length of [125, 126, 8_000, 9_000, 65_534, 65_535, 70_000]) {
    const opening = 'x'.repeat(length - 2)
    t.ok(Buffer.from(writer.encodeEvent(opening, '', 1, '}')).equals(encodeTextFrame(`${opening}1}`)), `${length} bytes`)
  }
})

t.test('a frame follows another one if it begins at the other\'s end', async (t) => {
  const writer = new FrameWriter()
  let before = writer.encodeText('a')
  let pieces = 0
  for (let n = 0; n < 1_000; n++) {
    const frame = writer.encodeText('x'.repeat(n % 130))
    const isNext = frame.buffer === before.buffer && frame.byteOffset === before.byteOffset + before.length
    t.equal(writer.isAdjacent(frame, before), isNext)
    t.notOk(writer.isAdjacent(frame, frame) || writer.isAdjacent(before, frame) || writer.isAdjacent(before, before))
    if (!isNext) pieces++
    before = frame
  }
  t.ok(pieces > 2, `in ${pieces} pieces of memory`)
  const [first, , third] = [writer.encodeText('1'), writer.encodeText('2'), writer.encodeText('3')]
  t.notOk(writer.isAdjacent(third, first), 'another frame lies between them')
  const large = writer.encodeText('x'.repeat(20_000))
  t.notOk(writer.isAdjacent(large, third), 'a frame in its own piece')
  t.ok(writer.isAdjacent(writer.encodeText('4'), third), 'the frame takes no memory of the others')
})

t.test('a receiver reads a ping and its pong as such', async (t) => {
  const received: string[] = []
  const receiver = new Receiver({ isServer: false })
  for (const kind of ['ping', 'pong']) receiver.on(kind, (data: Buffer) => received.push(`${kind} ${data.toString('latin1')}`))
  const longest = 'x'.repeat(125)
  receiver.write(Buffer.concat([PING_FRAME, encodePong(Buffer.alloc(0)), encodePong(Buffer.from('\xff\x00', 'latin1')), encodePong(Buffer.from(longest)), PING_FRAME]))
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(received, ['ping ', 'pong ', 'pong \xff\x00', `pong ${longest}`, 'ping '])
})
