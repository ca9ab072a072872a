// Memory of the young generation: it does not grow while it is held, and grows under load afterwards.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { ROOT } from '../src/root.js'
import { holdYoungGeneration } from '../src/young-generation.js'
import { plainNode } from './plain-node.js'

/** Makes garbage of which a part survives, as loading modules does, twice, and prints the size of the young generation each time: held at first, then limited. */
const WORK = `
  import { setImmediate as turn } from 'node:timers/promises'
  import { getHeapSpaceStatistics } from 'node:v8'
  const { holdYoungGeneration } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'dist/src/young-generation.js')))})
  const kept = []
  const work = async () => {
    let largest = 0
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 8_000; i++) if (kept.push({ i, text: 'x' + i }) > 50_000) kept.length = 0
      await turn()
      largest = Math.max(largest, getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size)
    }
    return largest
  }
  const letGrow = process.argv[1] === 'held' ? holdYoungGeneration() : () => {}
  const first = await work()
  letGrow(...process.argv.slice(2).map(Number))
  console.log(JSON.stringify([first, await work()]))`

/** Time after which load lasts, ms: longer than the test, however slow the machine is. */
const NEVER = '1000000000'

/** Sizes of the young generation in a process of its own, bytes. */
function sizes (t: Test, how: 'held' | 'free', lasting: string[] = []) {
  const [command, args] = plainNode('--input-type=module', '-e', WORK, how, ...lasting)
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  t.equal(stderr, '')
  return JSON.parse(stdout) as [first: number, last: number]
}

t.test('the young generation is smaller while it is held, and then grows to its limit', async (t) => {
  const [[held, atRest], [, underLoad], [free, unlimited]] = [sizes(t, 'held', [NEVER]), sizes(t, 'held', ['1']), sizes(t, 'free')]
  t.ok(held * 2 <= free, `${held} bytes while it is held, ${free} where it is not`)
  t.ok(atRest >= held && atRest * 2 <= unlimited, `${atRest} bytes under load that does not last, ${unlimited} without a limit`)
  t.ok(underLoad >= atRest * 1.5, `${underLoad} bytes under load that lasts`)
})

t.test('on a version of Node.js on which it was not tried, nothing is set', async (t) => {
  t.equal(holdYoungGeneration('27.0.0')(), undefined)
})

t.test('flags of V8 are set without a complaint in this process, too', async (t) => {
  const letGrow = holdYoungGeneration()
  t.equal(letGrow(), undefined)
})
