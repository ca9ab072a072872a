// Restarts: a room is after a start as it was before, however the process ended.
import t from 'tap'
import { draftEvent, type DraftOptions } from '../../../src/broker/event-draft.js'
import type { Published, RoomView } from '../../../src/broker/broker.js'
import { payloadOf } from '../../../src/websocket/frame-writer.js'
import { LOG_SIZE, RETENTION, STALL } from '../contract.js'
import { crash, freshFolder, Machine, type Run } from './fresh.js'

interface Event { readonly type?: string, readonly payload?: object, readonly id?: string, readonly options?: Partial<DraftOptions> }

function publish ({ broker }: Run, roomId: string, { type = 'CLICKED_PAY', payload, id, options }: Event = {}) {
  const draft = draftEvent({ type, payload: { roomId, ...payload }, id }, { source: 'device', timestamp: 5, ...options })
  return broker.publish(roomId, draft, true) as Published
}

const view = ({ broker }: Run, roomId: string, from = { seq: 0 }) => broker.read(roomId, from) as RoomView
const texts = ({ entries }: RoomView) => entries.map(({ frame }) => payloadOf(frame).toString())
const backend = { source: 'api', verified: true } as const

const ENDS: Readonly<Record<string, (run: Run) => Promise<void>>> = {
  'a clean stop': ({ broker }) => broker.close(),
  'the sudden end of the process': async (run) => crash(run)
}

for (const [name, end] of Object.entries(ENDS)) {
  t.test(`after ${name}`, (t) => {
    t.test('a room has its log, its state, its link and its epoch', async (t) => {
      const machine = new Machine(freshFolder(t))
      const first = await machine.start()
      await first.broker.createRoom('r', { ttl: 60_000, amount: '10.50', currency: 'brl', reference: 'order 1', description: 'olá' })
      publish(first, 'r', { payload: { note: 'olá' }, id: 'a' })
      publish(first, 'r', { type: 'PAYMENT_SUCCESS', payload: { amount: 10.5, transactionId: 't' }, options: { ...backend, idempotencyKey: 'key é' } })
      publish(first, 'open')
      const before = [view(first, 'r'), view(first, 'open')]
      const listed = await first.broker.listRooms({ limit: 10 })
      await end(first)
      const second = await machine.start()
      t.ok(second.folder.isComplete)
      t.strictSame(await second.broker.listRooms({ limit: 10 }), listed)
      const after = [view(second, 'r'), view(second, 'open')]
      t.strictSame(after.map(texts), before.map(texts))
      t.strictSame(after.map(({ entries, ...rest }) => rest), before.map(({ entries, ...rest }) => rest))
      t.equal(after[0]!.state.status, 'succeeded')
      t.equal(await second.broker.roomNamed('order 1'), 'r')
      t.match(publish(second, 'r'), { seq: 3, isNew: true })
      t.match(view(second, 'r', { seq: 2, epoch: before[0]!.epoch } as never), { recovered: true, entries: { length: 1 } })
      await second.broker.close()
    })

    t.test('ids and Idempotency-Keys are remembered with their first answers', async (t) => {
      const machine = new Machine(freshFolder(t))
      const first = await machine.start()
      await first.broker.subscribe('r')
      first.broker.announce('r', [1, 2, 3].map((n) => ({ clientId: `c${n}`, deviceId: `d${n}`, role: 'device1' as const })))
      const answers = [
        publish(first, 'r', { id: 'a', options: { origin: 'c1' } }),
        publish(first, 'r', { id: 'a', options: backend }),
        publish(first, 'r', { payload: { n: 1 }, options: { ...backend, idempotencyKey: 'k' } })
      ]
      t.strictSame(answers.map(({ receivers }) => receivers), [2, 3, 3])
      await end(first)
      const second = await machine.start()
      t.match(publish(second, 'r', { id: 'a', options: { timestamp: 9 } }), { seq: 1, duplicate: true, receivers: 2, timestamp: 5 })
      t.match(publish(second, 'r', { id: 'a', options: backend }), { seq: 2, duplicate: true, receivers: 3 })
      t.match(publish(second, 'r', { payload: { n: 1 }, options: { ...backend, idempotencyKey: 'k' } }), { seq: 3, duplicate: false, isNew: false })
      t.match(publish(second, 'r', { payload: { n: 2 }, options: { ...backend, idempotencyKey: 'k' } }), { code: 'ID_CONFLICT' })
      await second.broker.close()
    })

    t.test('deadlines go on, and what ended stays ended', async (t) => {
      const machine = new Machine(freshFolder(t))
      const first = await machine.start()
      await first.broker.createRoom('due', { ttl: 10_000 })
      await first.broker.createRoom('extended', { ttl: 10_000 })
      await first.broker.createRoom('expired', { ttl: 1_000 })
      await first.broker.createRoom('closed')
      publish(first, 'extended', { type: 'LINK_UPDATED', options: { source: 'server', verified: true, ttl: 50_000 } })
      publish(first, 'empty')
      await first.broker.closeRoom('closed')
      machine.time += 1_000
      await first.broker.tick()
      t.equal(view(first, 'expired').state.status, 'expired')
      await end(first)

      machine.time += 9_000
      const second = await machine.start()
      await second.broker.tick()
      const statuses = () => ['due', 'extended', 'expired'].map((roomId) => [view(second, roomId).state.status, view(second, roomId).seq])
      t.strictSame(statuses(), [['expired', 1], ['pending', 1], ['expired', 1]], 'the deadline has passed meanwhile, and is in the log once')
      t.match(second.broker.read('closed'), { code: 'ROOM_CLOSED' })
      t.match(publish(second, 'expired'), { code: 'ROOM_CLOSED' }, 'no device pays after the deadline')
      machine.time += 40_000
      await second.broker.tick()
      t.strictSame(statuses(), [['expired', 1], ['expired', 2], ['expired', 1]])
      machine.time += RETENTION - 50_000
      await second.broker.tick()
      t.match(second.broker.read('closed'), { code: 'ROOM_NOT_FOUND' }, 'a closed room is forgotten after its retention, of which the stop is a part')
      t.match(second.broker.read('empty'), { seq: 1 }, 'the retention of an empty room starts anew')
      machine.time += 10_000
      await second.broker.tick()
      t.match(second.broker.read('empty'), { code: 'ROOM_NOT_FOUND' })
      await second.broker.close()
    })

    t.test('the URL of the webhooks and the furthest milestone are kept', async (t) => {
      const machine = new Machine(freshFolder(t))
      let run = await machine.start()
      await run.broker.createRoom('r', { webhookUrl: 'https://shop.example/hook', ttl: 3_600_000 })
      publish(run, 'r', { type: 'ENTERED_SUMMARY' })
      for (const [type, from, to] of [['CLICKED_PAY', 1, 5], ['PAYMENT_SUCCESS', 5, 6]] as const) {
        await end(run)
        run = await machine.start()
        const seen: unknown[] = []
        run.broker.listen({
          ...{ entry: () => {}, closed: () => {}, lost: () => {}, remoteMembers: () => {}, stalled: () => {} },
          changed: ({ webhookUrl }) => { seen.push(webhookUrl) },
          advanced: ({ from, to }) => { seen.push([from?.number, to.number]) }
        })
        publish(run, 'r', { type })
        t.strictSame(seen, ['https://shop.example/hook', [from, to]], type)
      }
      await run.broker.close()
    })

    t.test('a pause of the payer is reported once, and the time of a stop is no pause', async (t) => {
      const machine = new Machine(freshFolder(t))
      const first = await machine.start()
      const stallsOf = ({ broker }: Run) => {
        const stalls: string[] = []
        broker.listen({ entry: () => {}, closed: () => {}, lost: () => {}, remoteMembers: () => {}, advanced: () => {}, stalled: () => {}, changed: ({ cause, roomId }) => { if (cause === 'stalled') stalls.push(roomId) } })
        return stalls
      }
      const pass = async ({ broker }: Run, ms: number) => {
        machine.time += ms
        await broker.tick()
      }
      const stalls = stallsOf(first)
      await first.broker.createRoom('created', { ttl: 3_600_000 })
      for (const roomId of ['paused', 'resumed']) {
        await first.broker.createRoom(roomId, { ttl: 3_600_000 })
        publish(first, roomId)
      }
      await pass(first, 1)
      await pass(first, STALL)
      t.strictSame(stalls, ['paused', 'resumed'])
      publish(first, 'resumed')
      await first.broker.createRoom('late', { ttl: 3_600_000 })
      publish(first, 'late')
      await end(first)
      machine.time += 10 * STALL
      const second = await machine.start()
      const again = stallsOf(second)
      await pass(second, STALL - 1)
      t.strictSame(again, [])
      await pass(second, 1)
      t.strictSame(again, ['resumed', 'late'])
      publish(second, 'paused')
      await pass(second, 1)
      await pass(second, STALL)
      t.strictSame(again, ['resumed', 'late', 'paused'])
      await end(second)
    })

    t.test('the backend of a room is known, also by the change that closes it', async (t) => {
      const machine = new Machine(freshFolder(t))
      const first = await machine.start()
      const webhookUrl = 'https://shop.example/hook'
      await first.broker.createRoom('r', { webhookUrl })
      await end(first)
      const second = await machine.start()
      const changes: object[] = []
      second.broker.listen({
        ...{ entry: () => {}, closed: () => {}, lost: () => {}, remoteMembers: () => {}, stalled: () => {}, advanced: () => {} },
        changed: (change) => { changes.push(change) }
      })
      await second.broker.closeRoom('r')
      t.match(changes, [{ cause: 'closed', roomId: 'r', seq: 0, webhookUrl }])
      await second.broker.close()
    })

    t.test('a log that is longer than its bound, over several starts', async (t) => {
      const machine = new Machine(freshFolder(t))
      for (let n = 1; n <= 4; n++) {
        const run = await machine.start()
        for (let i = 0; i < 3; i++) t.match(publish(run, 'r', { payload: { n, i } }), { seq: (n - 1) * 3 + i + 1 })
        t.equal(view(run, 'r').entries.length, Math.min(n * 3, LOG_SIZE))
        await end(run)
      }
    })

    t.test('a room that was closed may be opened again, and a new one takes no number twice', async (t) => {
      const machine = new Machine(freshFolder(t))
      const first = await machine.start()
      publish(first, 'r')
      publish(first, 'r')
      await first.broker.closeRoom('r')
      await end(first)
      const second = await machine.start()
      await second.broker.createRoom('r')
      t.equal(view(second, 'r').seq, 0)
      publish(second, 'r')
      await end(second)
      const third = await machine.start()
      t.equal(view(third, 'r').seq, 1)
      await third.broker.close()
    })
    t.end()
  })
}

t.test('an end of the machine', (t) => {
  const lives = async (t: Parameters<typeof freshFolder>[0], sync: 'none' | 'second' | 'always', end: (run: Run) => Promise<void> | void, bootId: string) => {
    const machine = new Machine(freshFolder(t), { sync })
    const first = await machine.start()
    await publish(first, 'r')
    await publish(first, 's')
    const before = await first.broker.read('r') as RoomView
    await end(first)
    machine.bootId = bootId
    const second = await machine.start()
    const after = await second.broker.read('r', { epoch: before.epoch, seq: 1 }) as RoomView
    const other = await second.broker.read('s') as RoomView
    return { machine, second, kept: after.epoch === before.epoch, recovered: after.recovered, epochs: new Set([before.epoch, after.epoch, other.epoch]).size }
  }

  t.test('gives all rooms new epochs, unless the last events are proven to be on the disk', async (t) => {
    const close = ({ broker }: Run) => broker.close()
    t.match(await lives(t, 'second', crash, 'boot-2'), { kept: false, recovered: false, epochs: 3 })
    t.match(await lives(t, 'none', crash, 'boot-2'), { kept: false, recovered: false, epochs: 3 })
    t.match(await lives(t, 'always', crash, 'boot-2'), { kept: true, recovered: true })
    t.match(await lives(t, 'none', close, 'boot-2'), { kept: true, recovered: true })
    t.match(await lives(t, 'second', crash, 'boot-1'), { kept: true, recovered: true })
    t.match(await lives(t, 'second', crash, ''), { kept: false }, 'a machine that does not name its boots')
  })

  t.test('new epochs stay: the next start in the same boot keeps them, and so does one after a clean stop', async (t) => {
    const { machine, second } = await lives(t, 'second', crash, 'boot-2')
    const { epoch } = view(second, 'r')
    crash(second)
    const third = await machine.start()
    t.equal(view(third, 'r').epoch, epoch)
    await third.broker.close()
    machine.bootId = 'boot-3'
    const fourth = await machine.start()
    t.equal(view(fourth, 'r').epoch, epoch)
    crash(fourth)
    const fifth = await machine.start()
    t.equal(view(fifth, 'r').epoch, epoch, 'segments from before the clean stop are on the disk')
    crash(fifth)
  })

  t.test('what is not proven stays so until a clean stop', async (t) => {
    const machine = new Machine(freshFolder(t))
    const first = await machine.start()
    publish(first, 'r')
    const { epoch } = view(first, 'r')
    crash(first)
    const second = await machine.start()
    crash(second)
    machine.bootId = 'boot-2'
    const third = await machine.start({ sync: 'always' })
    t.not((await third.broker.read('r') as RoomView).epoch, epoch)
    crash(third)
  })
  t.end()
})
