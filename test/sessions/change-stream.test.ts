// A stream of the changes of all rooms, on a feed of the test: changes that come while earlier ones are read.
import { PassThrough } from 'node:stream'
import t from 'tap'
import type { ChangeFeed, FeedEntry, FeedPage } from '../../src/changes/feed.js'
import { Metrics } from '../../src/metrics/metrics.js'
import { ChangeStream, MAX_BUFFERED } from '../../src/sessions/change-stream.js'

const entry = (number: number): FeedEntry => ({ id: `1-${number}`, text: `{"n":${number}}` })

function start () {
  let emit: (entry: FeedEntry) => void = () => {}
  let answer: (page: FeedPage) => void = () => {}
  const feed: ChangeFeed = {
    push: () => {},
    pushGap: () => {},
    read: () => new Promise((resolve) => { answer = resolve }),
    follow: (listener) => {
      emit = listener
      return () => { emit = () => {} }
    },
    close: () => {}
  }
  const output = new PassThrough()
  let text = ''
  output.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  const metrics = new Metrics()
  const stream = new ChangeStream('127.0.0.1', output, { feed, metrics, maxBytes: 1_000_000, settle: () => {} })
  const opened = stream.open('1-0', () => {})
  return { stream, output, opened, metrics, emit: (entry: FeedEntry) => emit(entry), answer: (page: FeedPage) => answer(page), text: () => text }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const ids = (text: string) => [...text.matchAll(/^id: 1-(\d+)$/gm)].map(([, number]) => Number(number))

t.test('changes that come while earlier ones are read follow them, each once', async (t) => {
  const { opened, emit, answer, text } = start()
  await turn()
  for (const number of [2, 3, 4]) emit(entry(number))
  answer({ isComplete: true, entries: [entry(1), entry(2), entry(3)], end: '1-3' })
  t.equal(await opened, undefined)
  emit(entry(5))
  await turn()
  t.strictSame(ids(text()), [0, 1, 2, 3, 4, 5], 'the position of `open`, then each change')
})

t.test('a reader is cut off if too many changes come before it has the earlier ones', async (t) => {
  const { emit, output, metrics } = start()
  await turn()
  for (let number = 1; number <= MAX_BUFFERED; number++) emit(entry(number))
  t.notOk(output.destroyed)
  emit(entry(MAX_BUFFERED + 1))
  t.ok(output.destroyed)
  t.match(await metrics.registry.metrics(), 'wsp_slow_consumers_total{transport="stream"} 1')
})
