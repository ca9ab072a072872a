// Sends to one socket: as text, in order, and no further once too much is waiting.
import { Writable } from 'node:stream'
import t from 'tap'
import type { WebSocket } from 'ws'
import { CLOSE, type CloseReason } from '../../src/errors.js'
import { SendQueue } from '../../src/sessions/send-queue.js'
import { StreamConnection } from '../../src/websocket/batch-writer.js'
import { encodeTextFrame } from '../../src/websocket/frame-writer.js'
import { bytesOf } from '../websocket/bytes-of.js'

const LIMIT = 1000

/** An outbox on a socket that only takes notes. */
function setUp () {
  const sent: unknown[] = []
  const socket = { readyState: 1, bufferedAmount: 0, send: (...args: unknown[]) => { sent.push(args) } }
  const overflows: number[] = []
  const reasons = new Set<CloseReason>()
  const close = (reason: CloseReason) => {
    overflows.push(socket.bufferedAmount)
    reasons.add(reason)
  }
  const outbox = new SendQueue(socket as unknown as WebSocket, undefined, LIMIT, { close })
  return { outbox, socket, sent, overflows, reasons }
}

t.test('frames go out in order, and as text also where they are bytes', async (t) => {
  const { outbox, sent, overflows } = setUp()
  outbox.send('{"n":1}')
  outbox.sendFrame(encodeTextFrame('{"n":2}'))
  t.strictSame(sent, [['{"n":1}', { binary: false }], [Buffer.from('{"n":2}'), { binary: false }]])
  t.strictSame(overflows, [])
})

t.test('up to the limit a slow peer gets everything; past it nothing is sent and the overflow is told', async (t) => {
  const { outbox, socket, sent, overflows, reasons } = setUp()
  socket.bufferedAmount = LIMIT
  outbox.send('at the limit')
  t.equal(sent.length, 1)
  t.strictSame(overflows, [])
  socket.bufferedAmount = LIMIT + 1
  outbox.send('past it')
  t.equal(sent.length, 1)
  t.strictSame(overflows, [LIMIT + 1])
  t.strictSame([...reasons], [CLOSE.TOO_SLOW])
})

t.test('what is told again goes at the pace of the peer', async (t) => {
  const { outbox, socket, sent } = setUp()
  t.equal(outbox.sendPaced(encodeTextFrame('at once')), undefined)
  socket.bufferedAmount = LIMIT / 2
  let isDone = false
  const paced = outbox.sendPaced(encodeTextFrame('when it is taken'))!.then(() => { isDone = true })
  const [text, , taken] = sent.at(-1) as [Buffer, object, () => void]
  t.equal(String(text), 'when it is taken')
  await Promise.resolve()
  t.notOk(isDone)
  taken()
  await paced
  t.ok(isDone)
  socket.readyState = 3
  t.equal(outbox.sendPaced(encodeTextFrame('too late')), undefined)
  t.equal(sent.length, 2)
})

t.test('a peer that has read again is not slow any more', async (t) => {
  const { outbox, socket, sent, overflows } = setUp()
  socket.bufferedAmount = LIMIT
  outbox.send('waits')
  socket.bufferedAmount = 0
  outbox.send('goes')
  t.equal(sent.length, 2)
  t.strictSame(overflows, [])
})

t.test('to a socket that is not open nothing is sent, and that is no overflow', async (t) => {
  for (const [state, readyState] of [['connecting', 0], ['closing', 2], ['closed', 3]] as const) {
    const { outbox, socket, sent, overflows } = setUp()
    Object.assign(socket, { readyState, bufferedAmount: LIMIT * 2 })
    outbox.send('too late')
    outbox.sendFrame(encodeTextFrame('too late'))
    t.strictSame([sent, overflows], [[], []], state)
  }
})

t.test('what one turn has for a socket is one write to its network, in order; the next turn has its own', async (t) => {
  const writes: string[][] = []
  const network = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, done) => {
      writes.push([String(chunk)])
      done()
    },
    writev: (chunks, done) => {
      writes.push(chunks.map(({ chunk }) => String(chunk)))
      done()
    }
  })
  const socket = { readyState: 1 }
  const outbox = new SendQueue(socket as WebSocket, new StreamConnection(network), LIMIT, { close: () => {} })
  outbox.sendFrame(Buffer.from('frame a'))
  outbox.send('b')
  outbox.pong(Buffer.from('c'))
  outbox.ping()
  t.strictSame(writes, [], 'nothing yet')
  await Promise.resolve()
  outbox.send('d')
  await new Promise((resolve) => process.nextTick(resolve))
  t.strictSame(writes, [['frame a', String(bytesOf('b')), String(Buffer.from('\x8a\x01c', 'latin1')), String(Buffer.from('\x89\x00', 'latin1')), String(bytesOf('d'))]])
  outbox.send('e')
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(writes.slice(1), [[String(bytesOf('e'))]])
})

t.test('frames past the limit find no room on a network either', async (t) => {
  const written: unknown[] = []
  const network = { handle: undefined, writableLength: LIMIT + 1, openStream: () => new Writable({ write: (chunk) => { written.push(chunk) } }) }
  const overflows: number[] = []
  const socket = { readyState: 1, bufferedAmount: 0, send: () => {} }
  const outbox = new SendQueue(socket as unknown as WebSocket, network, LIMIT, { close: () => { overflows.push(1) } })
  outbox.sendFrame(encodeTextFrame('a'))
  t.strictSame([written, overflows], [[], [1]])
})
