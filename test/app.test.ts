// The app as a whole, before it listens.
import t from 'tap'
import { build } from './build.js'

t.test('on a machine that is ten thousand times slower than its clock, the app still starts', async (t) => {
  const { setTimeout: soon } = globalThis
  // Timeouts run out as if the process had hardly been given any time meanwhile.
  t.intercept(globalThis, 'setTimeout', { value: Object.assign((done: () => void, delay = 0, ...rest: []) => soon(done, delay / 10_000, ...rest), soon) })
  const { app } = await build(t)
  t.equal((await app.inject('/health')).statusCode, 200)
})
