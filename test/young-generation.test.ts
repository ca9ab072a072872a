// Memory of the young generation: it does not grow while it is held, and grows under load afterwards.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { ROOT } from '../src/root.js'
import { holdYoungGeneration } from '../src/young-generation.js'
import { plainNode } from './plain-node.js'

/** Makes garbage of which a part survives, as loading modules does, and prints the size of the young generation: at first, held, and let go. */
const WORK = `
  import { getHeapSpaceStatistics } from 'node:v8'
  const { holdYoungGeneration } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'dist/src/young-generation.js')))})
  const size = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size
  const kept = []
  const work = () => { for (let i = 0; i < 400_000; i++) if (kept.push({ i, text: 'x' + i }) > 50_000) kept.length = 0 }
  const sizes = [size()]
  const letGrow = holdYoungGeneration()
  work()
  sizes.push(size())
  letGrow()
  work()
  console.log(JSON.stringify([...sizes, size()]))`

t.test('the young generation does not grow while it is held, and grows afterwards', async (t) => {
  const [command, args] = plainNode('--input-type=module', '-e', WORK)
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  t.equal(stderr, '')
  const [first, held, grown] = JSON.parse(stdout) as [number, number, number]
  t.ok(held <= first * 2, `${held} bytes while it is held, ${first} before`)
  t.ok(grown > held * 2, `${grown} bytes afterwards`)
})

t.test('on a version of Node.js on which it was not tried, nothing is set', async (t) => {
  t.equal(holdYoungGeneration('27.0.0')(), undefined)
})

t.test('flags of V8 are set without a complaint in this process, too', async (t) => {
  const letGrow = holdYoungGeneration()
  t.equal(letGrow(), undefined)
})
