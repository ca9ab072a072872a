// An event leaves no more garbage on its way through a node than is stated, and is one write for each who gets a frame.
import t from 'tap'
import { KINDS, MAJOR, measure, readStated, verdict } from '../../bench/hot-path.js'

const { tolerance, bytes, writes } = readStated()
const stated = bytes[MAJOR]
const unstated: string | false = stated !== undefined || process.env.CI === 'true' ? false : `nothing is stated for Node.js ${MAJOR} (npm run bench:hot-path -- --state)`
const figures = await measure()

t.test('an event is one write for each who gets a frame', async (t) => {
  for (const kind of KINDS) t.strictSame(figures[kind].writes, writes[kind], kind)
})

t.test('an event leaves as much garbage as is stated', { skip: unstated }, async (t) => {
  for (const kind of KINDS) {
    t.comment(`${kind}: ${figures[kind].bytes} bytes`)
    t.equal(verdict(figures[kind].bytes, stated![kind], tolerance), undefined, kind)
  }
})

t.test('a figure that is too far off says what to do', async (t) => {
  const limits = { above: 0.15, below: 0.25 }
  for (const bytes of [751, 1_000, 1_149]) t.equal(verdict(bytes, 1_000, limits), undefined, `${bytes} bytes are near enough`)
  t.match(verdict(1_151, 1_000, limits), /find what allocates them/, 'where there is more garbage')
  t.match(verdict(749, 1_000, limits), /so that it stays so/, 'where there is much less')
})
