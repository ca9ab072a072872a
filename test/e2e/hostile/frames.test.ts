// Frames that break RFC 6455: their socket is closed with the matching code, and no other socket is affected.
import t from 'tap'
import { listen } from '../../build.js'
import { backTo, besideAPayment, forEach, openThings } from './bystanders.js'
import { BINARY, CLOSE, closing, fragments, frame, PING, RawPeer, TEXT } from './raw.js'

const PONG = 10
const bytes = (...values: number[]) => Buffer.from(values)
const dots = (count: number) => Buffer.alloc(count, '.')
const EVENT = JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: 'r' } })
const begun = frame('{', { fin: false })

/** Bytes that are not valid UTF-8 (RFC 3629 §3, §4). */
const NO_TEXT: Record<string, Buffer> = {
  'a byte that never occurs': bytes(0xff),
  'a continuation with nothing to continue': bytes(0x80),
  'a sequence that another character cuts short': bytes(0xc3, 0x28),
  'a sequence that the end cuts short': bytes(0xe2, 0x82),
  'an overlong slash': bytes(0xc0, 0xaf),
  'an overlong NUL': bytes(0xe0, 0x80, 0x80),
  'a surrogate': bytes(0xed, 0xa0, 0x80),
  'a pair of surrogates': bytes(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80),
  'a code point past U+10FFFF': bytes(0xf4, 0x90, 0x80, 0x80),
  'five bytes for one character': bytes(0xf8, 0x88, 0x80, 0x80, 0x80)
}

const BREACHES: Record<string, [code: number, ...frames: Buffer[]]> = {
  'a frame without a mask': [1002, frame(EVENT, { masked: false })],
  'a ping without a mask': [1002, frame('', { opcode: PING, masked: false })],
  ...Object.fromEntries([1, 2, 4, 7].map((rsv) => [`reserved bits ${rsv} on a text`, [1002, frame(EVENT, { rsv })]])),
  ...Object.fromEntries([1, 2, 4].map((rsv) => [`reserved bits ${rsv} on a ping`, [1002, frame('', { opcode: PING, rsv })]])),
  'reserved bits on a continuation': [1002, begun, frame('}', { opcode: 0, rsv: 4 })],
  ...Object.fromEntries([3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [`opcode ${opcode}`, [1002, frame('', { opcode })]])),
  'a continuation of nothing': [1002, frame(EVENT, { opcode: 0 })],
  'a continuation after the message has ended': [1002, ...fragments([Buffer.from('{'), Buffer.from('}')]), frame('', { opcode: 0 })],
  'a new text inside a message': [1002, begun, frame(EVENT)],
  'binary inside a message': [1002, begun, frame(EVENT, { opcode: BINARY })],
  'a ping in pieces': [1002, frame('', { opcode: PING, fin: false })],
  'a pong in pieces': [1002, frame('', { opcode: PONG, fin: false })],
  'a close in pieces': [1002, frame('', { opcode: CLOSE, fin: false })],
  'a ping of 126 bytes': [1002, frame(dots(126), { opcode: PING })],
  'a pong of 70,000 bytes': [1002, frame(dots(70_000), { opcode: PONG })],
  'a close of 126 bytes': [1002, frame(closing(1000, dots(124)), { opcode: CLOSE })],
  'a ping that announces 2^62 bytes': [1002, frame('', { opcode: PING, announced: 2n ** 62n })],
  'half a close code': [1002, frame(bytes(3), { opcode: CLOSE })],
  ...Object.fromEntries([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535].map((code) =>
    [`close code ${code}`, [1002, frame(closing(code), { opcode: CLOSE })]])),
  ...Object.fromEntries(Object.entries(NO_TEXT).flatMap(([what, sequence]) => [
    [`${what}, as a text`, [1007, frame(Buffer.concat([bytes(0x22), sequence]))]],
    [`${what}, as the reason of a close`, [1007, frame(closing(1000, sequence), { opcode: CLOSE })]]
  ])),
  'broken UTF-8 over two fragments': [1007, ...fragments([bytes(0x22, 0xe2, 0x82), bytes(0x22)])],
  'a text of 16,385 bytes': [1009, frame(dots(16_385))],
  ...Object.fromEntries([2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n].map((announced) =>
    [`a text that announces ${announced} bytes`, [1009, frame('{', { announced })]])),
  'fragments that are too large together': [1009, ...fragments([dots(10_000), dots(6_384), dots(1)])],
  'fragments whose sum is too large only by what the last announces': [1009, begun, frame('', { opcode: 0, announced: 2n ** 53n - 1n })],
  'binary that is too large': [1009, frame(dots(16_385), { opcode: BINARY })],
  binary: [1003, frame(EVENT, { opcode: BINARY })],
  'binary in pieces': [1003, ...fragments([Buffer.from('{'), Buffer.from('}')], BINARY)],
  'empty binary': [1003, frame('', { opcode: BINARY })],
  'thousands of fragments of one byte': [1008, ...fragments(Array.from({ length: 5_000 }, () => dots(1)))],
  'thousands of fragments of nothing': [1008, ...fragments(Array.from({ length: 5_000 }, () => dots(0)))]
}

t.test('A frame that breaks the protocol closes its own socket with the matching code, and no other', async (t) => {
  const server = await listen(t)
  const before = openThings(server)
  await forEach(Object.entries(BREACHES), ([what, [code, ...frames]]) => besideAPayment(t, server, what, async () => {
    const peer = await RawPeer.open(t, server.port)
    peer.write(...frames)
    // Data after the invalid frame is not read any more, even if it is valid.
    peer.write(frame(JSON.stringify({ type: 'PING' })))
    t.equal(await peer.closeFrame(), code, what)
    peer.leave()
    t.strictSame(peer.frames.map(({ type }) => type).filter((type) => type !== 'CONNECTION_ESTABLISHED' && type !== 'ERROR'), [], what)
  }))
  await backTo(before, server)
  t.strictSame(server.logs.filter(({ level }) => level > 40), [])
})

t.test('Unusual frames that the protocol allows are accepted', async (t) => {
  const server = await listen(t)
  const text = JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: 'r', note: '€😀 olá' } })
  const pieces = [...Buffer.from(text)].map((byte) => bytes(byte))
  const shop = await RawPeer.open(t, server.port)
  shop.write(frame('{"type":"JOIN_ROOM","payload":{"roomId":"r"}}'))
  await shop.next('ROOM_JOINED')
  for (const [what, ...frames] of [
    ['UTF-8 that is split within its characters, a fragment for every byte', ...fragments(pieces)],
    ['empty fragments between', ...fragments([dots(0), dots(0), Buffer.from(text), dots(0)])],
    ['a ping and a pong between two fragments', ...fragments([Buffer.from(text.slice(0, 9)), Buffer.from(text.slice(9))]).flatMap((part) =>
      [part, frame('now?', { opcode: PING }), frame(dots(125), { opcode: PONG })])],
    ['as many fragments as there may be', ...fragments([...pieces, ...Array.from({ length: 256 - pieces.length }, () => dots(0))])]
  ] as Array<[string, ...Buffer[]]>) {
    const phone = await RawPeer.open(t, server.port)
    phone.write(...frames)
    await phone.answersPing()
    t.strictSame(phone.frames.filter(({ type }) => type === 'ERROR'), [], what)
    await shop.answersPing()
    t.match(shop.frames.at(-2), { type: 'CLICKED_PAY', payload: { note: '€😀 olá' } }, what)
    phone.leave()
  }
  t.equal(shop.frames.filter(({ type }) => type === 'CLICKED_PAY').length, 4)
})

t.test('A close frame is answered with its own code, and the connection ends', async (t) => {
  const server = await listen(t)
  const before = openThings(server)
  await forEach([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999], async (code) => {
    const peer = await RawPeer.open(t, server.port)
    peer.write(frame(closing(code, 'até logo'), { opcode: CLOSE }), frame(EVENT))
    t.equal(await peer.over(), code)
  })
  const peer = await RawPeer.open(t, server.port)
  peer.write(frame('', { opcode: CLOSE }))
  t.equal(await peer.over(), 1005, 'a close frame without a code is answered without one')
  await backTo(before, server)
})

t.test('A peer that is closed and neither answers nor disconnects is cut off', async (t) => {
  const server = await listen(t)
  const before = openThings(server)
  await besideAPayment(t, server, 'peers that stay', () => forEach([frame(EVENT, { opcode: BINARY }), frame(dots(20_000)), frame(EVENT, { masked: false })], async (breach) => {
    const peer = await RawPeer.open(t, server.port)
    peer.write(breach)
    await peer.closeFrame()
    // The peer keeps sending as if it had not received the close frame.
    const talking = setInterval(() => peer.write(frame(EVENT, { opcode: TEXT })), 20)
    await peer.over(10_000)
    clearInterval(talking)
  }))
  await backTo(before, server)
})

t.test('A flood of pings, or of unsolicited pongs, closes its socket with 4004', async (t) => {
  const server = await listen(t, { env: { MESSAGES_PER_SECOND: '20', MESSAGES_BURST: '40' } })
  const before = openThings(server)
  for (const [what, opcode] of [['pings', PING], ['pongs', PONG]] as const) {
    await besideAPayment(t, server, `a flood of ${what}`, async () => {
      const peer = await RawPeer.open(t, server.port)
      peer.write(Buffer.concat(Array.from({ length: 1_000 }, () => frame('now?', { opcode }))))
      t.equal(await peer.closeFrame(), 4004, what)
      peer.leave()
    })
  }
  await backTo(before, server)
})

t.test('A peer that sends a frame byte by byte is closed before the frame costs more than it holds', async (t) => {
  const server = await listen(t)
  await besideAPayment(t, server, 'a frame byte by byte', async () => {
    const peer = await RawPeer.open(t, server.port)
    for (const byte of frame(dots(16_000))) {
      peer.write(bytes(byte))
      if (peer.isOver) break
      // Every write is a packet of its own.
      await new Promise((resolve) => setImmediate(resolve))
    }
    t.equal(await peer.closeFrame(), 1008)
  })
})
