// Closing sockets: each has the time that is left to it, and no more.
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { CLOSING_LIMIT, ClosingSockets, type Closing } from '../../src/websocket/closing-sockets.js'

/** Creates a clock that is moved by hand, and sockets that record the second in which they are cut off. */
function setUp (t: Test) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const sockets = new ClosingSockets()
  let now = 0
  const pass = (seconds: number) => {
    for (let i = 0; i < seconds * 2; i++) {
      now += 0.5
      mock.timers.tick(500)
    }
  }
  const open = (bufferedAmount: number): Closing & { bufferedAmount: number, cutAt?: number } => ({
    bufferedAmount,
    terminate () {
      this.cutAt = now
      sockets.delete(this)
    }
  })
  return { sockets, pass, open }
}

t.test('a peer without pending bytes has two seconds; a peer that is behind has thirty, and two after it has caught up', async (t) => {
  const { sockets, pass, open } = setUp(t)
  const [idle, behind, late] = [open(0), open(1_000), open(1_000)]
  for (const socket of [idle, behind, late]) sockets.add(socket)
  pass(10)
  late.bufferedAmount = 0
  pass(30)
  t.strictSame([idle.cutAt, behind.cutAt, late.cutAt], [2, CLOSING_LIMIT / 1000, 12])
})

t.test('a peer that the server closes has two seconds, even if it is behind', async (t) => {
  const { sockets, pass, open } = setUp(t)
  const behind = open(1_000)
  sockets.add(behind, true)
  pass(5)
  t.equal(behind.cutAt, 2)
})

t.test('at a stop every peer has at most two seconds', async (t) => {
  const { sockets, pass, open } = setUp(t)
  const before = open(1_000)
  sockets.add(before)
  pass(5)
  sockets.hurry()
  const after = open(1_000)
  sockets.add(after)
  pass(5)
  t.strictSame([before.cutAt, after.cutAt], [7, 7])
})

t.test('a closed socket is not cut off, and the next one is watched again', async (t) => {
  const { sockets, pass, open } = setUp(t)
  const closed = open(0)
  sockets.add(closed)
  sockets.delete(closed)
  pass(5)
  t.equal(closed.cutAt, undefined)
  const next = open(0)
  sockets.add(next)
  pass(5)
  t.equal(next.cutAt, 7)
})
