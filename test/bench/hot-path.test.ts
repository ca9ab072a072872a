// Garbage per event on a node stays at the stated figure, and each receiver costs one write per event.
import t from 'tap'
import { KINDS, MAJOR, measure, readStated, verdict } from '../../bench/hot-path.js'

const { tolerance, bytes, writes } = readStated()
const stated = bytes[MAJOR]
const unstated: string | false = stated !== undefined || process.env.CI === 'true' ? false : `nothing is stated for Node.js ${MAJOR} (npm run bench:hot-path -- --state)`
const figures = await measure()

t.test('an event is one write for each receiver', async (t) => {
  for (const kind of KINDS) t.strictSame(figures[kind].writes, writes[kind], kind)
})

t.test('an event leaves the stated amount of garbage', { skip: unstated }, async (t) => {
  for (const kind of KINDS) {
    t.comment(`${kind}: ${figures[kind].bytes} bytes`)
    t.equal(verdict(figures[kind].bytes, stated![kind], tolerance), undefined, kind)
  }
})

t.test('a figure outside the tolerance fails with the command to run', async (t) => {
  const limits = { above: 0.15, below: 0.25 }
  for (const bytes of [751, 1_000, 1_149]) t.equal(verdict(bytes, 1_000, limits), undefined, `${bytes} bytes are within the tolerance`)
  t.match(verdict(1_151, 1_000, limits), /find what allocates them/, 'more garbage than stated')
  t.match(verdict(749, 1_000, limits), /so that it stays so/, 'much less garbage than stated')
})
