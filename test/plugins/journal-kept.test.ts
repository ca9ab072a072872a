// What an app with DATA_DIR keeps beside its rooms: webhooks that wait, the sums of the funnel, and the feed of changes.
import t, { type Test } from 'tap'
import { changeListOf, type FeedPage } from '../../src/changes/feed.js'
import { SYSTEM_DISK, type Disk } from '../../src/broker/journal/disk.js'
import { openFolder, type FolderOptions } from '../../src/broker/journal/folder.js'
import { freshFolder } from '../broker/journal/fresh.js'
import { build, listen, type BuildOptions } from '../build.js'
import { readStream } from '../event-stream.js'
import { until } from '../until.js'
import { SECRET, startReceiver } from '../webhooks/receiver.js'

type App = Awaited<ReturnType<typeof build>>['app']

const publish = async (app: App, roomId: string, type: string, payload: object = {}) => (await app.inject({ method: 'POST', url: `/api/rooms/${roomId}/events`, payload: { type, payload } })).statusCode
const deliveries = async (app: App) => (await app.inject('/api/webhooks/deliveries')).json().data.deliveries as Array<Record<string, unknown>>

/** Opens the folder of an app, so that its process can end without any work of its own. */
async function killable (dir: string, options: Partial<FolderOptions> = {}) {
  const clock = () => 0
  const folder = await openFolder({ dir, sync: 'none', now: clock, monotonic: clock, onFatal: (error) => { throw error }, ...options })
  let isOver = false
  const kill = () => {
    isOver = true
    folder.journal.flush()
    folder.segments.close()
    folder.release()
  }
  return { folder: { ...folder, release: () => { if (!isOver) folder.release() } }, kill }
}

for (const DATA_SYNC of ['none', 'second', 'always']) {
  t.test(`DATA_SYNC=${DATA_SYNC}: webhooks wait over a restart, and come in order`, async (t) => {
    const receiver = await startReceiver(t)
    const own = await startReceiver(t)
    const clock = { time: 1_795_504_813_040 }
    const env = { DATA_DIR: freshFolder(t), DATA_SYNC, WEBHOOK_SECRET: SECRET, WEBHOOK_URL: receiver.url, WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_EVENTS: 'payment.failed,payment.succeeded,room.closed' }
    const start = async () => (await build(t, { env, now: () => clock.time })).app
    const first = await start()
    receiver.replies.push(503, 503)
    own.replies.push(410)
    await first.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'a', reference: 'order 1' } })
    await first.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'own', webhookUrl: own.url } })
    await publish(first, 'own', 'PAYMENT_ERROR', { error: 'declined' })
    await publish(first, 'a', 'PAYMENT_ERROR', { error: 'declined' })
    await publish(first, 'a', 'CLICKED_PAY')
    await publish(first, 'a', 'PAYMENT_SUCCESS', { transactionId: 't' })
    await first.inject({ method: 'DELETE', url: '/api/rooms/a' })
    await until('the first try has failed, and the other receiver is off', async () => {
      const all = await deliveries(first)
      return all.some(({ attempts, status }) => attempts === 1 && status === 'pending') && all.some(({ status }) => status === 'disabled')
    })
    const before = await deliveries(first)
    await first.close()

    const { app: without } = await build(t, { env: { DATA_DIR: env.DATA_DIR, DATA_SYNC } })
    t.strictSame(await deliveries(without), [], 'a server that sends no webhooks leaves them')
    await without.close()

    const second = await start()
    t.strictSame(await deliveries(second), before)
    await publish(second, 'own', 'PAYMENT_SUCCESS', { transactionId: 't' })
    await until('a receiver that was switched off stays so', async () => (await deliveries(second)).filter(({ status }) => status === 'disabled').length === 2)
    t.equal(own.received.length, 1)
    const [{ id }] = before.filter(({ roomId }) => roomId === 'own') as [{ id: string }]
    t.equal((await second.inject({ method: 'POST', url: `/api/webhooks/deliveries/${id}/retry` })).statusCode, 202)
    await until('what was given up is sent again', () => own.received.length === 2)
    t.equal(own.received[1]!.id, id)
    t.equal(receiver.received.length, 1, 'the next try is not due')
    await until('the second delivery of the other room is over', async () => (await deliveries(second)).some(({ id: other, status }) => other === id && status === 'delivered'))
    await second.close()

    clock.time += 6_000
    const third = await start()
    await until('one more failure', () => receiver.received.length === 2)
    await until('it waits', async () => (await deliveries(third)).some(({ attempts, nextTryAt }) => attempts === 2 && nextTryAt !== null))
    clock.time += 400_000
    await until('all arrive', () => receiver.received.length === 5)
    t.strictSame(receiver.received.map(({ type, data: { seq } }) => `${type} ${seq}`), [
      'payment.failed 1', 'payment.failed 1', 'payment.failed 1', 'payment.succeeded 3', 'room.closed 3'
    ])
    t.match(receiver.received[3], { data: { roomId: 'a', reference: 'order 1', state: { status: 'succeeded', outcome: { transactionId: 't' } } } })
    t.equal(receiver.refused(), 0)
    await until('all are delivered', async () => (await deliveries(third)).filter(({ status }) => status === 'pending').length === 0)
    await third.close()
    const last = await start()
    t.strictSame((await deliveries(last)).map(({ roomId, status }) => [roomId, status]), [['own', 'disabled']])
  })
}

t.test('in mode always no webhook is sent before the change is on the disk', async (t) => {
  const receiver = await startReceiver(t)
  const held: Array<() => void> = []
  let isHeld = false
  const fdatasync = ((fd: number, done: (error: Error | null) => void) => {
    if (isHeld) held.push(() => SYSTEM_DISK.fdatasync(fd, done))
    else SYSTEM_DISK.fdatasync(fd, done)
  }) as Disk['fdatasync']
  const env = { DATA_DIR: freshFolder(t), DATA_SYNC: 'always', WEBHOOK_SECRET: SECRET, WEBHOOK_URL: receiver.url, WEBHOOK_ALLOW_PRIVATE: 'true' }
  const { folder } = await killable(env.DATA_DIR, { sync: 'always', disk: { ...SYSTEM_DISK, fdatasync } })
  const { app } = await build(t, { env, folder })
  isHeld = true
  const published = publish(app, 'r', 'PAYMENT_SUCCESS', { transactionId: 't' })
  await until('the delivery is recorded', () => folder.kept.under('webhook/').length === 1 && held.length > 0)
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.strictSame([await deliveries(app), receiver.received], [[], []])
  isHeld = false
  for (const sync of held) sync()
  t.equal(await published, 201)
  await until('it arrives', () => receiver.received.length === 1)
})

t.test('the sums of the funnel outlive a restart, and a kill except for the last second', async (t) => {
  const env = { DATA_DIR: freshFolder(t) }
  const steps = async (app: App) => ((await app.inject('/api/funnel')).json().data.steps as Array<{ step: string, payments: number }>).filter(({ payments }) => payments > 0).map(({ step, payments }) => `${step} ${payments}`)
  const { app: first } = await build(t, { env })
  await publish(first, 'a', 'ENTERED_SUMMARY')
  await publish(first, 'b', 'ENTERED_SUMMARY')
  await first.close()
  const { folder, kill } = await killable(env.DATA_DIR)
  const { app: second } = await build(t, { env, folder })
  t.strictSame(await steps(second), ['created 2', 'ENTERED_SUMMARY 2'])
  await publish(second, 'a', 'CLICKED_PROCEED')
  await second.broker.tick()
  await publish(second, 'c', 'ENTERED_SUMMARY')
  t.strictSame(await steps(second), ['created 3', 'ENTERED_SUMMARY 3', 'CLICKED_PROCEED 1'])
  kill()
  const { app: third } = await build(t, { env })
  t.strictSame(await steps(third), ['created 2', 'ENTERED_SUMMARY 2', 'CLICKED_PROCEED 1'])
  t.equal((await third.inject('/api/rooms/c')).statusCode, 200, 'the room of the last second is there')
})

/** Starts an app whose feed is read. */
async function follow (t: Test, options: BuildOptions) {
  const { app, port } = await listen(t, options)
  const read = async (after?: string) => changeListOf(await app.changes.feed.read(after) as FeedPage)
  const create = (roomId: string) => app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId } })
  return { app, port, read, create }
}

t.test('the feed of changes goes on after a clean stop, and says a gap after any other end', async (t) => {
  const env = { DATA_DIR: freshFolder(t) }
  const first = await follow(t, { env })
  const { position: start } = await first.read()
  for (const roomId of ['a', 'b', 'c']) await first.create(roomId)
  const { changes: [a] } = await first.read(start)
  await first.app.close()

  const opened = await killable(env.DATA_DIR)
  const second = await follow(t, { env, folder: opened.folder })
  const rooms = ({ changes }: Awaited<ReturnType<typeof first.read>>) => changes.map(({ data: { roomId } }) => roomId)
  const stream = await readStream<{ data: { roomId: string } } | Record<string, never>>(t, second.port, '/api/events', { 'last-event-id': a!.position })
  await second.create('d')
  await until('the stream goes on', () => stream.messages().length === 4)
  t.strictSame(stream.messages().slice(1).map(({ data }) => data.data.roomId), ['b', 'c', 'd'])
  const all = await second.read(start)
  t.strictSame([all.complete, rooms(all)], [true, ['a', 'b', 'c', 'd']])
  opened.kill()

  const again = await killable(env.DATA_DIR)
  const third = await follow(t, { env, folder: again.folder })
  for (const position of [start, a!.position, all.position]) t.match(await third.read(position), { complete: false, changes: [] })
  const { position } = await third.read()
  await third.create('e')
  // A change while the process ends, after the feed was kept.
  const { kept } = third.app.dataFolder!
  kept.close()
  t.ok(kept.get('changes') !== undefined)
  await third.create('f')
  t.equal(kept.get('changes'), undefined)
  again.kill()
  const fourth = await follow(t, { env })
  t.match(await fourth.read(position), { complete: false, changes: [] })
})
