// Steps of the wall clock, back and forward, in a client that reconnects.
import t from 'tap'
import { FakeServer } from '../client/fake-server.js'
import { STEPS } from './steps.js'

t.test('a client resets its reconnect delay only after a connection of ten seconds', async (t) => {
  for (const { name, by, andBack } of STEPS) {
    let off = 0
    const server = new FakeServer()
    server.connect({ random: () => 0.999999, socketAttempts: Infinity, now: () => server.clock.now + off })
    /** @returns the reconnect delay after a connection of this length, during which the clock was set */
    const waitAfter = async (ms: number) => {
      off = 0
      await server.clock.advance(10)
      off = by
      await server.clock.advance(ms)
      if (andBack) off = 0
      server.socket.end(1006)
      const before = server.clock.now
      const { length } = server.sockets.all
      while (server.sockets.all.length === length) await server.clock.advance(1)
      return server.clock.now - before
    }
    t.strictSame([await waitAfter(0), await waitAfter(9_000), await waitAfter(10_000)], [2_000, 4_000, 2_000], name)
  }
})
