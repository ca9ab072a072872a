// Start of the app, before it listens.
import t from 'tap'
import { build } from './build.js'

t.test('the app starts on a machine that is ten thousand times slower than its clock', async (t) => {
  const { setTimeout: soon } = globalThis
  // Timeouts expire as if the process had had hardly any time to run.
  t.intercept(globalThis, 'setTimeout', { value: Object.assign((done: () => void, delay = 0, ...rest: []) => soon(done, delay / 10_000, ...rest), soon) })
  const { app } = await build(t)
  t.equal((await app.inject('/health')).statusCode, 200)
})
