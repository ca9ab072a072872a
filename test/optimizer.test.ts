// Optimization by V8: a function that is called 1,500 times is optimized with the server's flags, and not with those of V8; none is once the server stops.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import t, { type Test } from 'tap'
import { optimizeEarlier, stopOptimizing } from '../src/optimizer.js'
import { ROOT } from '../src/root.js'
import { plainNode } from './plain-node.js'

const WORK = `
  const { optimizeEarlier, stopOptimizing } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'dist/src/optimizer.js')))})
  if (process.argv[1] !== 'by default') optimizeEarlier()
  if (process.argv[1] === 'never') stopOptimizing()
  const counted = (i) => (i * 31 + 7) % 1013 + (i ^ 5) * 3 - (i % 17) + (i >> 2)
  for (let i = 0, sum = 0; i < 1500; i++) sum += counted(i)`

/** True if V8 has optimized the function. Compiling in the same thread, it does so at the same call in each run. */
function isOptimized (t: Test, when: 'early' | 'by default' | 'never'): boolean {
  const [command, args] = plainNode('--trace-opt', '--no-concurrent-recompilation', '--no-use-osr', '--input-type=module', '-e', WORK, when)
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  t.equal(stderr, '')
  return /^\[compiling method .*<JSFunction counted .*TURBOFAN/m.test(stdout)
}

t.test('functions are optimized earlier, and no more at the end', async (t) => {
  t.equal(isOptimized(t, 'by default'), false)
  t.equal(isOptimized(t, 'early'), true)
  t.equal(isOptimized(t, 'never'), false)
})

t.test('on a version of Node.js on which it was not tried, nothing is set', async (t) => {
  t.equal(optimizeEarlier('27.0.0'), undefined)
})

t.test('flags of V8 are set without a complaint in this process, too', async (t) => {
  t.equal(optimizeEarlier(), undefined)
  t.equal(stopOptimizing(), undefined)
  setFlagsFromString('--opt')
})
