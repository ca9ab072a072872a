// Promises of every queue of webhooks, with the dispatcher on it: order, tries, receivers that are off, and the list for operators. Clock and receivers are the test's.
import type { Test } from 'tap'
import type { RoomChange } from '../../src/broker/broker.js'
import type { Log } from '../../src/rooms/log.js'
import { idOf } from '../../src/changes/notification.js'
import { Failure } from '../../src/errors.js'
import { Metrics } from '../../src/metrics/metrics.js'
import type { DeliveryStatus, WebhookDelivery } from '../../src/protocol/rest-deliveries.js'
import { WEBHOOK_TYPES, type Notification } from '../../src/protocol/notifications.js'
import type { DeliveryQueue } from '../../src/webhooks/delivery-queue.js'
import { Dispatcher } from '../../src/webhooks/dispatcher.js'
import type { Answer } from '../../src/webhooks/http-post.js'
import { MAX_RETRY_AFTER, RETRY_DELAYS } from '../../src/webhooks/retries.js'
import { until } from '../until.js'

export const START = 1_795_504_813_000

export interface QueueUnderTest {
  readonly queue: DeliveryQueue
  /** Takes a change in, as the last of its room. */
  readonly add: (change: RoomChange, url?: string) => Promise<void>
  /** Wakes the rooms that are due by the clock of the test. */
  readonly tick: () => Promise<void>
}

/** Clock of a test, ms since the epoch. */
export interface TestClock { time: number }

export type StartQueue = (t: Test, clock: TestClock) => Promise<QueueUnderTest>

export const silentLog: Log = { level: 'silent', debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A change of a room. */
export function changeOf (roomId: string, seq: number, timestamp = START + seq): RoomChange {
  return { cause: 'event', roomId, epoch: 'epoch', seq, type: 'PAYMENT_SUCCESS', timestamp, link: { reference: `order of ${roomId}` }, state: { status: 'succeeded', step: null, attempt: 1, updatedAt: timestamp } }
}

/** Answer of the receiver to a try. */
type Receive = (notification: Notification, url: string) => Answer | Promise<Answer>

const OK: Answer = { status: 200, retryAfter: undefined }
const answer = (status: number, retryAfter?: string): Answer => ({ status, retryAfter })

interface Tried { readonly at: number, readonly roomId: string, readonly seq: number, readonly id: string, readonly url: string }

async function start (t: Test, startQueue: StartQueue, receive: Receive = () => OK, { url = 'https://shop.example/hook', random = 0, types = [...WEBHOOK_TYPES] }: { url?: string | null, random?: number, types?: string[] } = {}) {
  const clock = { time: START }
  const under = await startQueue(t, clock)
  const { queue, tick } = under
  const tried: Tried[] = []
  const metrics = new Metrics()
  const dispatcher = new Dispatcher({
    ...{ queue, url: url ?? undefined, types: new Set(types), metrics, log: silentLog, userAgent: 'test', now: () => clock.time, random: () => random },
    sign: () => 'v1,signature',
    post: async (url, headers, body) => {
      const notification = JSON.parse(body) as Notification
      const { roomId, seq } = notification.data
      tried.push({ at: clock.time - START, roomId, seq, id: headers['webhook-id']!, url: url.href })
      return receive(notification, url.href)
    }
  })
  queue.start((roomId) => dispatcher.work(roomId))
  t.teardown(() => {
    dispatcher.stop()
    metrics.stop()
  })
  const add = async (roomId: string, seq: number, url?: string) => under.add(changeOf(roomId, seq), url)
  const list = async () => await queue.list(1000) as WebhookDelivery[]
  const find = async (roomId: string, seq: number) => (await list()).find(({ id }) => id === idOf(changeOf(roomId, seq)))
  const status = async (roomId: string, seq: number) => (await find(roomId, seq))?.status
  const reached = (roomId: string, seq: number, wanted: DeliveryStatus) => until(`${roomId} ${seq} is ${wanted}`, async () => await status(roomId, seq) === wanted)
  const triedTimes = (times: number) => until(() => `${times} tries, now ${tried.length}`, async () => {
    await tick()
    return tried.length >= times
  })
  /** Resolves when the first delivery of a room has had its tries, and waits for the next one. */
  const postponed = (roomId: string, seq: number, attempts: number) => until(`${roomId} ${seq} waits after ${attempts} tries`, async () => {
    const found = await find(roomId, seq)
    return found?.status === 'pending' && found.attempts === attempts && found.nextTryAt !== null && found.nextTryAt > clock.time
  })
  const pass = async (ms: number) => {
    clock.time += ms
    await tick()
  }
  return { ...under, add, list, find, status, reached, postponed, triedTimes, tried, clock, pass, dispatcher, metrics }
}

/** Runs the contract over one kind of queue. */
export function queueContract (t: Test, startQueue: StartQueue): void {
  t.test('deliveries of a room come in order, one at a time, and rooms do not wait for each other', async (t) => {
    const atWork = new Map<string, number>()
    let most = 0
    const { add, reached, tried } = await start(t, startQueue, async ({ data: { roomId } }) => {
      atWork.set(roomId, (atWork.get(roomId) ?? 0) + 1)
      t.equal(atWork.get(roomId), 1, 'one delivery of a room at a time')
      most = Math.max(most, [...atWork.values()].reduce((sum, n) => sum + n))
      await new Promise((resolve) => setTimeout(resolve, 10))
      atWork.set(roomId, 0)
      return OK
    })
    await Promise.all(['a', 'b', 'c'].map(async (roomId) => { for (const seq of [1, 2, 3, 4]) await add(roomId, seq) }))
    for (const roomId of ['a', 'b', 'c']) {
      await reached(roomId, 4, 'delivered')
      t.strictSame(tried.filter((one) => one.roomId === roomId).map(({ seq }) => seq), [1, 2, 3, 4])
    }
    t.ok(most > 1, 'rooms at once')
  })

  t.test('a delivery that comes while its room is at work is sent as well', async (t) => {
    const { add, reached, tried } = await start(t, startQueue, async ({ data: { seq } }) => {
      if (seq < 30) await add('r', seq + 1)
      return OK
    })
    await add('r', 1)
    await reached('r', 30, 'delivered')
    t.equal(tried.length, 30)
  })

  t.test('a delivery is tried again after the documented delays, then given up, and its room goes on', async (t) => {
    const { add, reached, postponed, status, find, tried, pass, metrics, clock } = await start(t, startQueue, ({ data: { seq } }) => seq === 1 ? answer(503) : OK)
    await add('r', 1)
    await add('r', 2)
    for (const [i, delay] of RETRY_DELAYS.entries()) {
      await postponed('r', 1, i + 1)
      t.equal((await find('r', 1))!.nextTryAt, clock.time + delay)
      await pass(delay - 1)
      t.equal(await status('r', 2), 'pending', 'the next one waits')
      await pass(1)
    }
    await reached('r', 1, 'failed')
    await reached('r', 2, 'delivered')
    const times = tried.filter(({ seq }) => seq === 1).map(({ at }) => at)
    t.strictSame(times, [0, ...RETRY_DELAYS.map((_, i) => RETRY_DELAYS.slice(0, i + 1).reduce((sum, delay) => sum + delay))])
    t.match(await find('r', 1), { attempts: 10, lastStatus: 503, lastError: 'status', nextTryAt: null })
    t.equal(new Set(tried.filter(({ seq }) => seq === 1).map(({ id }) => id)).size, 1, 'each try has the same id')
    t.match(await metrics.registry.metrics(), /outcome="failed"\} 9\n[^]*outcome="given_up"\} 1\n/)
  })

  t.test('the delays differ by chance, by a tenth at most', async (t) => {
    const { add, postponed, find, clock } = await start(t, startQueue, () => ({ error: 'timeout' }), { random: 1 })
    await add('r', 1)
    await postponed('r', 1, 1)
    t.match(await find('r', 1), { lastError: 'timeout', nextTryAt: clock.time + 5_500 })
  })

  t.test('Retry-After is obeyed, within a day', async (t) => {
    const dates = { later: new Date(START + 90_000).toUTCString(), before: new Date(START - 90_000).toUTCString() }
    const asked: Record<string, [string, number]> = {
      seconds: ['120', 120_000], date: [dates.later, 90_000], past: [dates.before, 5_000], short: ['1', 5_000], long: ['999999999', MAX_RETRY_AFTER], wrong: ['soon', 5_000]
    }
    const { add, postponed, find } = await start(t, startQueue, ({ data: { roomId } }) => answer(429, asked[roomId]![0]))
    for (const [roomId, [, delay]] of Object.entries(asked)) {
      await add(roomId, 1)
      await postponed(roomId, 1, 1)
      t.equal((await find(roomId, 1))!.nextTryAt, START + delay, roomId)
    }
  })

  t.test('a redirect is a failure', async (t) => {
    const { add, postponed, find } = await start(t, startQueue, () => answer(302))
    await add('r', 1)
    await postponed('r', 1, 1)
    t.match(await find('r', 1), { lastStatus: 302, lastError: 'redirect' })
  })

  t.test('410 switches the receiver off, for all its rooms, until a delivery that is sent again succeeds', async (t) => {
    let isGone = true
    const { queue, add, reached, tried, find } = await start(t, startQueue, (_notification, url) => isGone && !url.includes('own') ? answer(410) : OK)
    await add('a', 1)
    await reached('a', 1, 'disabled')
    await add('a', 2)
    await add('b', 1)
    await add('c', 1, 'https://own.example/')
    await reached('a', 2, 'disabled')
    await reached('b', 1, 'disabled')
    await reached('c', 1, 'delivered')
    t.strictSame(tried.map(({ roomId, seq }) => [roomId, seq]), [['a', 1], ['c', 1]])
    t.match(await find('b', 1), { attempts: 0, nextTryAt: null })

    const { id } = (await find('b', 1))!
    t.match(await queue.retry(id), { id, status: 'pending' })
    await reached('b', 1, 'disabled')
    t.equal(tried.length, 3, 'one try, answered 410 again')
    isGone = false
    await queue.retry(id)
    await reached('b', 1, 'delivered')
    await add('a', 3)
    await reached('a', 3, 'delivered')
    await queue.retry((await find('a', 1))!.id)
    await reached('a', 1, 'delivered')
  })

  t.test('a delivery that has failed is sent again before those that wait, which keep their times', async (t) => {
    let fails = true
    const { queue, add, reached, postponed, find, tried, pass, clock } = await start(t, startQueue, () => fails ? answer(500) : OK)
    await add('r', 1)
    await add('r', 2)
    for (const [i, delay] of RETRY_DELAYS.entries()) {
      await postponed('r', 1, i + 1)
      await pass(delay)
    }
    await reached('r', 1, 'failed')
    await postponed('r', 2, 1)
    const { id } = (await find('r', 1))!
    const due = (await find('r', 2))!.nextTryAt
    await queue.retry(id)
    await reached('r', 1, 'failed')
    t.match(await find('r', 1), { attempts: 11 })
    await until('the other one is the first again', async () => (await find('r', 2))!.nextTryAt === due)
    fails = false
    await queue.retry(id)
    await reached('r', 1, 'delivered')
    t.match(await find('r', 2), { status: 'pending', attempts: 1, nextTryAt: due })
    clock.time = due!
    await pass(0)
    await reached('r', 2, 'delivered')
    t.strictSame(tried.slice(-2).map(({ seq }) => seq), [1, 2])
  })

  t.test('a delivery that waits is tried now, with the first one of its room', async (t) => {
    let fails = true
    const { queue, add, reached, postponed, find, tried } = await start(t, startQueue, () => fails ? answer(500) : OK)
    await add('r', 1)
    await add('r', 2)
    await postponed('r', 1, 1)
    t.match(await find('r', 2), { status: 'pending', attempts: 0, nextTryAt: null })
    fails = false
    await queue.retry((await find('r', 2))!.id)
    await reached('r', 2, 'delivered')
    t.strictSame(tried.map(({ seq }) => seq), [1, 1, 2])
    t.match(await queue.retry((await find('r', 2))!.id), { code: 'INVALID_REQUEST' })
    t.match(await queue.retry('msg_none'), { code: 'NOT_FOUND' })
    t.ok(await queue.retry('msg_none') instanceof Failure)
  })

  t.test('the list has the latest first, and the oldest that waits is known', async (t) => {
    const { queue, add, reached, postponed } = await start(t, startQueue, ({ data: { roomId } }) => roomId === 'slow' ? answer(500) : OK)
    t.equal(await queue.oldest(), undefined)
    await add('a', 1)
    await add('slow', 2)
    await add('slow', 3)
    await add('b', 4)
    await reached('b', 4, 'delivered')
    await reached('a', 1, 'delivered')
    await postponed('slow', 2, 1)
    t.strictSame((await queue.list(1000) as WebhookDelivery[]).map(({ roomId, timestamp, status }) => [roomId, timestamp - START, status]),
      [['b', 4, 'delivered'], ['slow', 3, 'pending'], ['slow', 2, 'pending'], ['a', 1, 'delivered']])
    t.equal((await queue.list(2) as WebhookDelivery[]).length, 2)
    t.equal(await queue.oldest(), START + 2)
  })

  t.test('types that nobody wants any more are discarded, and without a URL a delivery fails', async (t) => {
    const other = await start(t, startQueue, undefined, { types: ['payment.failed'] })
    await other.add('r', 1)
    await until('it is discarded', async () => (await other.list()).length === 0)
    t.strictSame(other.tried, [])
    const { add, reached, find, tried } = await start(t, startQueue, undefined, { url: null })
    await add('r', 1)
    await reached('r', 1, 'failed')
    t.match(await find('r', 1), { lastError: 'no_url', attempts: 0 })
    t.strictSame(tried, [])
  })

  t.test('a dispatcher that stops leaves its deliveries, and the outcome of a request that was cut off does not count', async (t) => {
    let end: (answer: Answer) => void = () => {}
    const { add, find, dispatcher, tried } = await start(t, startQueue, () => new Promise((resolve) => { end = resolve }))
    await add('r', 1)
    await add('r', 2)
    await until('it is sent', () => tried.length === 1)
    dispatcher.stop()
    end({ error: 'connection' })
    await new Promise((resolve) => setTimeout(resolve, 50))
    t.match([await find('r', 1), await find('r', 2)], [{ status: 'pending', attempts: 0 }, { status: 'pending', attempts: 0 }])
    t.equal(tried.length, 1)
  })
}
