// Sends to one socket: as text, in order, and no further once too much is waiting.
import t from 'tap'
import type { WebSocket } from 'ws'
import { Outbox } from '../../src/rooms/outbox.js'

const LIMIT = 1000

/** An outbox on a socket that only takes notes. */
function setUp () {
  const sent: unknown[] = []
  const socket = { readyState: 1, bufferedAmount: 0, send: (...args: unknown[]) => { sent.push(args) } }
  const overflows: number[] = []
  const outbox = new Outbox(socket as unknown as WebSocket, LIMIT, () => { overflows.push(socket.bufferedAmount) })
  return { outbox, socket, sent, overflows }
}

t.test('frames go out in order, and as text also where they are bytes', async (t) => {
  const { outbox, sent, overflows } = setUp()
  const bytes = Buffer.from('{"n":2}')
  outbox.send('{"n":1}')
  outbox.send(bytes)
  t.strictSame(sent, [['{"n":1}', { binary: false }], [bytes, { binary: false }]])
  t.strictSame(overflows, [])
})

t.test('up to the limit a slow peer gets everything; past it nothing is sent and the overflow is told', async (t) => {
  const { outbox, socket, sent, overflows } = setUp()
  socket.bufferedAmount = LIMIT
  outbox.send('at the limit')
  t.equal(sent.length, 1)
  t.strictSame(overflows, [])
  socket.bufferedAmount = LIMIT + 1
  outbox.send('past it')
  t.equal(sent.length, 1)
  t.strictSame(overflows, [LIMIT + 1])
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
    t.strictSame([sent, overflows], [[], []], state)
  }
})
