// Contract of every broker, as one suite that runs unchanged over each implementation.
import type { Test } from 'tap'
import { until } from '../until.js'
import type { Advance, Broker, Lifetime, LogEntry, Published, RoomChange, RoomPage, RoomQuery, RoomView, Stall } from '../../src/broker/broker.js'
import { Failure } from '../../src/errors.js'
import { MAX_LOOKED_AT } from '../../src/broker/room-listing.js'
import { draftEvent } from '../../src/broker/event-draft.js'
import { payloadOf } from '../../src/websocket/frame-writer.js'

export interface ContractSubject {
  readonly broker: Broker
  /** Advances the broker's clock and runs its ticks. */
  readonly pass: (ms: number) => Promise<void>
}

export const LOG_SIZE = 5
export const RETENTION = 60_000
export const LATE_RESULTS = 300_000
export const STALL = 20_000

/**
 * @param make a broker with LOG_SIZE, RETENTION, LATE_RESULTS and STALL, and nothing in it
 */
export function brokerContract (t: Test, make: (t: Test) => Promise<ContractSubject>): void {
  const subject = async (t: Test) => {
    const { broker, pass } = await make(t)
    const seen: Array<[string, LogEntry]> = []
    const closed: Array<[string, string]> = []
    const changes: RoomChange[] = []
    const stalls: Array<[string, Stall]> = []
    const advances: Advance[] = []
    broker.listen({
      entry: (roomId, entry) => {
        seen.push([roomId, entry])
      },
      closed: (roomId, cause) => { closed.push([roomId, cause]) },
      changed: (change) => { changes.push(change) },
      advanced: (advance) => { advances.push(advance) },
      stalled: (roomId, stall) => { stalls.push([roomId, stall]) },
      lost: (roomId) => { t.fail(`position lost in ${roomId}`) },
      remoteMembers: (roomId) => { t.fail(`unexpected remote members in ${roomId}`) }
    })
    const announce = (roomId: string, ...clientIds: string[]) =>
      broker.announce(roomId, clientIds.map((clientId) => ({ clientId, deviceId: clientId, role: 'device1' as const })), [])
    const publish = (roomId: string, payload: object = {}, { id, create = true, type = 'CLICKED_PAY' }: { id?: string, create?: boolean, type?: string } = {}) =>
      broker.publish(roomId, draftEvent({ type, payload: { roomId, ...payload }, id }, { source: 'device', timestamp: 1000, origin: 'client_1' }), create)
    const published = async (...args: Parameters<typeof publish>) => notFailed(await publish(...args)) as Published
    const read = async (...args: Parameters<Broker['read']>) => notFailed(await broker.read(...args)) as RoomView
    return { broker, pass, seen, closed, changes, advances, stalls, announce, publish, published, read }
  }

  t.test('a change of a room is reported once, with the state after it, and nothing else is', async (t) => {
    const { broker, changes, published, publish, read } = await subject(t)
    await broker.createRoom('r', { amount: 10, currency: 'BRL', reference: 'order 1' })
    t.match(changes, [{ cause: 'created', roomId: 'r', seq: 0, state: { step: null, status: 'pending', expected: 10 }, link: { reference: 'order 1' } }])
    const { epoch, seq } = await published('r', { deviceId: 'd' }, { type: 'ENTERED_SUMMARY', id: 'a' })
    t.match(changes.slice(1), [{ cause: 'event', type: 'ENTERED_SUMMARY', roomId: 'r', epoch, seq, timestamp: 1000, link: { reference: 'order 1' } }])
    t.strictSame(changes[1]?.state, (await read('r')).state)
    await publish('r', { deviceId: 'd' }, { type: 'ENTERED_SUMMARY', id: 'a' })
    await publish('r', { deviceId: 'd' }, { type: 'ENTERED_SUMMARY', id: 'b' })
    t.equal(changes.length, 2, 'neither a repetition nor an event without an effect')
    await publish('r', { method: 'pix' }, { type: 'PAYMENT_METHOD_CHANGED' })
    t.match(changes.slice(2), [{ seq: 3, type: 'PAYMENT_METHOD_CHANGED', state: { method: 'pix' } }])
    await broker.publish('r', draftEvent({ type: 'PAYMENT_SUCCESS', payload: { roomId: 'r', amount: 10 } }, { source: 'api', verified: true, timestamp: 2000 }), false)
    t.match(changes.slice(3), [{ seq: 4, type: 'PAYMENT_SUCCESS', timestamp: 2000, state: { status: 'succeeded', paid: 10, outcome: { verified: true } } }])
    t.strictSame(changes[3]?.state, (await read('r')).state)
    await broker.closeRoom('r')
    t.match(changes.slice(4), [{ cause: 'closed', roomId: 'r', epoch, seq: 4, state: { status: 'succeeded' }, link: { reference: 'order 1' } }])
    await broker.subscribe('s')
    t.equal(changes.length, 5, 'a subscription is no change')
  })

  t.test('a deadline is reported as a change, also of a room that nobody is subscribed to', async (t) => {
    const { broker, changes, pass } = await subject(t)
    await broker.createRoom('r', { ttl: 30_000 })
    await pass(60_000)
    t.match(changes.slice(1), [{ cause: 'event', type: 'PAYMENT_EXPIRED', roomId: 'r', seq: 1, state: { status: 'expired' } }])
  })

  t.test('each milestone of a payment is reported once, with the one before', async (t) => {
    const { broker, advances, publish } = await subject(t)
    const reported = () => advances.map(({ from, to }) => [from?.number, to.number])
    const step = async (type: string, timestamp: number, source: 'device' | 'api' = 'device', payload = {}) => {
      await broker.publish('r', draftEvent({ type, payload: { roomId: 'r', ...payload } }, { source, verified: source === 'api', timestamp }), true)
      await broker.read('r')
    }
    await publish('s', {}, { type: 'PAYMENT_ERROR' })
    await step('ENTERED_SUMMARY', 1000)
    await step('CLICKED_PAY', 3000)
    await step('ENTERED_SUMMARY', 4000)
    await step('PAYMENT_ERROR', 5000)
    await step('CLICKED_PAY', 6000)
    await step('PAYMENT_SUCCESS', 7000)
    await step('PAYMENT_SUCCESS', 8000, 'api', { amount: 5 })
    await step('PAYMENT_REFUNDED', 9000, 'api', { amount: 5 })
    await until('all are reported', () => advances.length === 4)
    t.strictSame(reported(), [[undefined, 1], [1, 5], [5, 6], [6, 7]])
    t.match(advances[1], { from: { at: 1000 }, to: { at: 3000 }, state: { step: 'CLICKED_PAY' } })
    t.match(advances[3], { from: { at: 7000 }, to: { at: 8000 }, state: { status: 'succeeded' } })
  })

  t.test('a payment whose payer pauses stalls once for each pause', async (t) => {
    const { broker, changes, stalls, pass, publish, published } = await subject(t)
    const paused = () => changes.filter(({ cause }) => cause === 'stalled')
    await broker.subscribe('r')
    await pass(3 * STALL)
    t.strictSame([paused(), stalls], [[], []], 'not before the payer has begun')
    const { epoch } = await published('r', {}, { type: 'ENTERED_SUMMARY' })
    await pass(3 * STALL)
    t.match(paused(), [{ roomId: 'r', epoch, seq: 1, state: { step: 'ENTERED_SUMMARY' } }])
    await until('the pause is told', () => stalls.length > 0)
    t.strictSame(stalls, [['r', { epoch, seq: 1, step: 'ENTERED_SUMMARY', lastEventAt: 1000 }]])
    await publish('r', {}, { type: 'ENTERED_SUMMARY' })
    t.equal(paused().length, 1, 'the next event ends the pause, also one that changes nothing')
    await pass(3 * STALL)
    await until('the second pause is told', () => stalls.length > 1)
    t.match(paused().slice(1), [{ seq: 2 }])
    await publish('r', { transactionId: 'tx' }, { type: 'PAYMENT_SUCCESS' })
    await pass(3 * STALL)
    t.equal(paused().length, 2, 'nobody waits for the payer after a result')
  })

  t.test('a payment without a subscriber stalls too', async (t) => {
    const { changes, stalls, pass, publish } = await subject(t)
    await publish('r')
    await pass(STALL + 15_000)
    t.match(changes.slice(1), [{ cause: 'stalled', roomId: 'r', seq: 1 }])
    t.strictSame(stalls, [])
  })

  t.test('a room that was never opened does not exist', async (t) => {
    const { broker, publish } = await subject(t)
    t.match(await broker.read('r'), { code: 'ROOM_NOT_FOUND' })
    t.match(await publish('r', {}, { create: false }), { code: 'ROOM_NOT_FOUND' })
    t.match(await broker.closeRoom('r'), { code: 'ROOM_NOT_FOUND' })
    t.match(await broker.read('r'), { code: 'ROOM_NOT_FOUND' }, 'a refused event does not open the room')
  })

  t.test('a subscription opens an empty room with its own epoch', async (t) => {
    const { broker, read } = await subject(t)
    await broker.subscribe('a')
    await broker.subscribe('b')
    const [a, b] = [await read('a', { seq: 0 }), await read('b')]
    t.match(a, { seq: 0, recovered: true, entries: [], state: { step: null, status: 'pending' } })
    t.ok(a.epoch)
    t.not(a.epoch, b.epoch)
    t.equal((await read('a')).epoch, a.epoch, 'the epoch stays the same')
  })

  t.test('each room numbers its events 1, 2, 3 … on its own', async (t) => {
    const { published } = await subject(t)
    t.strictSame([(await published('a')).seq, (await published('a')).seq, (await published('b')).seq, (await published('a')).seq], [1, 2, 1, 3])
  })

  t.test('concurrently published events keep the order of the calls', async (t) => {
    const { broker, publish, seen } = await subject(t)
    await broker.subscribe('r')
    const results = await Promise.all(Array.from({ length: 50 }, (_, n) => publish('r', { n })))
    t.strictSame(results.map((result) => (result as Published).seq), Array.from({ length: 50 }, (_, n) => n + 1))
    t.strictSame(seen.map(([, { frame }]) => JSON.parse(payloadOf(frame).toString()).payload.n), Array.from({ length: 50 }, (_, n) => n))
  })

  t.test('a batch is one step: in order, with nothing in between, and each event what it would be by itself', async (t) => {
    const { broker, publish, published, read, seen, changes } = await subject(t)
    await broker.subscribe('r')
    const draft = (type: string, id?: string, payload: object = {}) => draftEvent({ type, payload: { roomId: 'r', deviceId: 'd', ...payload }, id }, { source: 'device', timestamp: 1000 })
    const batch = (...drafts: Array<ReturnType<typeof draft>>) => broker.publishAll('r', drafts, true)
    const [first, ...others] = await Promise.all([
      batch(draft('ENTERED_SUMMARY', 'a'), draft('CLICKED_PROCEED'), draft('CLICKED_PAY', 'c')),
      publish('r', { n: 1 }), batch(draft('DATA_FILLED', 'd', { fields: ['name'] })), publish('r', { n: 2 })
    ])
    t.match(first, [1, 2, 3].map((seq) => ({ seq, isNew: true, duplicate: false, changed: true, timestamp: 1000 })))
    t.match(others, [{ seq: 4 }, [{ seq: 5 }], { seq: 6 }])
    await until('the entries are delivered', () => seen.length === 6)
    t.strictSame(seen.map(([, { seq }]) => seq), [1, 2, 3, 4, 5, 6])
    t.match(changes.map(({ seq, type, state: { step } }) => [seq, type, step]), [[1, 'ENTERED_SUMMARY', 'ENTERED_SUMMARY'], [2, 'CLICKED_PROCEED', 'CLICKED_PROCEED'], [3, 'CLICKED_PAY', 'CLICKED_PAY'], [5, 'DATA_FILLED', 'DATA_FILLED']])

    // Repeated, in conflict, repeated within the batch, and new; none holds up another.
    t.match(await batch(draft('CLICKED_PAY', 'c'), draft('ENTERED_SUMMARY', 'c'), draft('CLICKED_PAY', 'e'), draft('CLICKED_PAY', 'e'), draft('PAYMENT_SUCCESS', 'f', { transactionId: 'tx' })), [
      { seq: 3, isNew: false, duplicate: true }, { code: 'ID_CONFLICT' }, { seq: 7, isNew: true }, { seq: 7, duplicate: true }, { seq: 8, changed: true }
    ])
    t.match(await read('r', { epoch: (await published('r')).epoch, seq: 7 }), { seq: 9, state: { status: 'succeeded', outcome: { transactionId: 'tx', verified: false } }, entries: [{ seq: 8 }, { seq: 9 }] })
    t.strictSame(await broker.publishAll('r', [], true), [])
  })

  t.test('a batch opens its room only if it may, and a room that is over refuses each event', async (t) => {
    const { broker, pass, read } = await subject(t)
    const drafts = (roomId: string) => ['a', 'b'].map((id) => draftEvent({ type: 'CLICKED_PAY', payload: { roomId }, id }, { source: 'device', timestamp: 1000 }))
    t.match(await broker.publishAll('r', drafts('r'), false), [{ code: 'ROOM_NOT_FOUND' }, { code: 'ROOM_NOT_FOUND' }])
    t.match(await broker.publishAll('r', drafts('r'), true), [{ seq: 1 }, { seq: 2 }])
    t.equal((await broker.listRooms({ limit: 10 }) as RoomPage).rooms.length, 1)
    await broker.closeRoom('r')
    t.match(await broker.publishAll('r', drafts('r'), true), [{ code: 'ROOM_CLOSED' }, { code: 'ROOM_CLOSED' }])
    await broker.createRoom('link', { ttl: 10_000 })
    await pass(20_000)
    t.match(await broker.publishAll('link', drafts('link'), true), [{ code: 'ROOM_CLOSED', message: 'The payment link has expired.' }, { code: 'ROOM_CLOSED' }])
    t.equal((await read('link')).seq, 1)
  })

  t.test('a subscribed room delivers each entry once, encoded, with its origin; other rooms only log it', async (t) => {
    const { broker, announce, published, read, seen } = await subject(t)
    await broker.subscribe('r')
    await broker.subscribe('r')
    await announce('r', 'client_1', 'client_2', 'client_3')
    t.equal((await published('r', { note: 'olá' })).receivers, 2, 'all members except the sender')
    t.equal((await published('quiet')).receivers, 0)
    t.equal(seen.length, 1)
    const [roomId, entry] = seen[0]!
    t.strictSame([roomId, entry.epoch, entry.seq, entry.origin], ['r', (await read('r')).epoch, 1, 'client_1'])
    t.strictSame(JSON.parse(payloadOf(entry.frame).toString()), { type: 'CLICKED_PAY', payload: { roomId: 'r', note: 'olá' }, seq: 1, timestamp: 1000, source: 'device' })
    t.equal((await read('quiet')).seq, 1)
  })

  t.test('after unsubscribe the broker delivers no entries, and the room still exists', async (t) => {
    const { broker, published, read, seen } = await subject(t)
    await broker.subscribe('r')
    await broker.unsubscribe('r')
    await broker.unsubscribe('never opened')
    t.equal((await published('r', {}, { create: false })).receivers, 0)
    t.equal(seen.length, 0)
    t.equal((await read('r')).seq, 1)
  })

  t.test('a read after a position returns exactly the later entries, or recovered: false', async (t) => {
    const { published, read } = await subject(t)
    for (let n = 1; n <= LOG_SIZE; n++) await published('r')
    const { epoch } = await read('r')
    const seqs = async (seq: number, of: string | undefined = epoch) => {
      const { recovered, entries } = await read('r', { epoch: of, seq })
      return [recovered, ...entries.map((entry) => entry.seq)]
    }
    t.strictSame(await seqs(0), [true, 1, 2, 3, 4, 5])
    t.strictSame(await seqs(3), [true, 4, 5])
    t.strictSame(await seqs(5), [true])
    t.strictSame(await seqs(6), [false, 1, 2, 3, 4, 5], 'a position in the future')
    t.strictSame(await seqs(3, 'another'), [false, 1, 2, 3, 4, 5], 'another epoch')
    t.match(await read('r', { seq: 0 }), { recovered: true, entries: { length: LOG_SIZE } }, 'the complete log')
    t.match(await read('r', { seq: 3 }), { recovered: false, entries: { length: LOG_SIZE } }, 'a position without an epoch is valid only at 0')
    t.strictSame((await read('r')).entries, [], 'no position, no entries')

    await published('r')
    await published('r')
    t.strictSame(await seqs(2), [true, 3, 4, 5, 6, 7], 'the oldest position that the trimmed log still covers')
    t.strictSame(await seqs(1), [false, 3, 4, 5, 6, 7], 'event 2 was trimmed')
    t.match(await read('r', { seq: 0 }), { recovered: false, entries: { length: LOG_SIZE } })
  })

  t.test('an id identifies one event', async (t) => {
    const { broker, announce, published, publish, read, seen } = await subject(t)
    await broker.subscribe('r')
    await announce('r', 'client_1', 'client_2', 'client_3')
    const first = await published('r', { amount: 1 }, { id: 'x' })
    await announce('r', 'client_1')
    await published('r')
    t.match(first, { seq: 1, duplicate: false, isNew: true })
    t.match(await published('r', { amount: 1 }, { id: 'x' }), { epoch: first.epoch, seq: 1, duplicate: true, receivers: 2, timestamp: 1000, changed: false }, 'the result of the first publish')
    t.match(await publish('r', { amount: 2 }, { id: 'x' }), { code: 'ID_CONFLICT' })
    await published('r', { a: 1, b: { c: 2, d: [3, 4] } }, { id: 'y' })
    t.match(await published('r', { b: { d: [3, 4], c: 2 }, a: 1 }, { id: 'y' }), { duplicate: true }, 'the order of keys is ignored')
    t.match(await publish('r', { b: { d: [4, 3], c: 2 }, a: 1 }, { id: 'y' }), { code: 'ID_CONFLICT' }, 'the order of items matters')
    t.match(await publish('r', { amount: 1 }, { id: 'x', type: 'CLICKED_PROCEED' }), { code: 'ID_CONFLICT' })
    t.equal(seen.length, 3, 'no entry was delivered twice')
    t.equal((await read('r')).seq, 3)
    t.match(await published('other', { amount: 9 }, { id: 'x' }), { seq: 1, duplicate: false }, 'ids are scoped to their room')
    for (let n = 0; n < LOG_SIZE; n++) await published('r')
    t.match(await published('r', { amount: 1 }, { id: 'x' }), { duplicate: false }, 'an id is remembered as long as its event is in the log')
  })

  t.test('the state follows the events and outlives the trimmed log', async (t) => {
    const { published, read } = await subject(t)
    t.match(await published('r', { method: 'pix' }, { type: 'PAYMENT_METHOD_CHANGED' }), { changed: true })
    t.match(await published('r', { transactionId: 'tx', amount: 5 }, { type: 'PAYMENT_SUCCESS' }), { changed: true })
    for (let n = 0; n < LOG_SIZE; n++) t.match(await published('r'), { changed: false })
    t.strictSame((await read('r')).state, {
      step: 'PAYMENT_METHOD_CHANGED', method: 'pix', status: 'succeeded', attempt: 1, outcome: { transactionId: 'tx', amount: 5, verified: false }, updatedAt: 1000
    })
  })

  t.test('a room lives while it has a subscription, and for its retention after the last one', async (t) => {
    const { broker, pass, published, read } = await subject(t)
    await broker.subscribe('r')
    const { epoch } = await published('r')
    await pass(RETENTION * 3)
    t.equal((await read('r')).seq, 1, 'occupied')
    await broker.unsubscribe('r')
    await pass(RETENTION - 1000)
    t.equal((await read('r')).epoch, epoch, 'empty, within its retention')
    await broker.subscribe('r')
    await pass(RETENTION)
    t.equal((await read('r')).epoch, epoch, 'subscribed again')
    await broker.unsubscribe('r')
    await pass(RETENTION + 1000)
    t.match(await broker.read('r'), { code: 'ROOM_NOT_FOUND' })
    const again = await published('r')
    t.equal(again.seq, 1)
    t.not(again.epoch, epoch, 'a later room with the same name has another log')
  })

  t.test('an event renews the retention of an empty room', async (t) => {
    const { pass, published, read } = await subject(t)
    await published('r')
    await pass(RETENTION - 1000)
    await published('r')
    await pass(RETENTION - 1000)
    t.equal((await read('r')).seq, 2)
    await pass(2000)
    await t.rejects(read('r'), { message: 'ROOM_NOT_FOUND' })
  })

  t.test('a view contains the times when the room was created and when it expires', async (t) => {
    const { broker, pass, published, read } = await subject(t)
    await published('r')
    const { createdAt, expiresAt } = await read('r')
    t.equal(expiresAt - createdAt, RETENTION)
    await broker.subscribe('r')
    await pass(1000)
    t.equal((await read('r')).expiresAt, createdAt + 1000 + RETENTION, 'postponed while the room has a subscription')
  })

  t.test('an idempotency key and an event id are separate name spaces', async (t) => {
    const { broker, published } = await subject(t)
    await published('r', {}, { id: 'x' })
    const keyed = (message: string, timestamp: number, hasServerTimestamp = true) => broker.publish('r', draftEvent({ type: 'NOTE', payload: { roomId: 'r', message, timestamp } }, {
      source: 'api', timestamp, idempotencyKey: 'x', hasServerTimestamp
    }), true)
    t.match(await keyed('same', 1), { seq: 2, duplicate: false })
    t.match(await keyed('same', 2), { seq: 2, isNew: false, duplicate: false, timestamp: 1 }, 'the first result; the content counts, not the timestamp that the server added')
    t.match(await keyed('other', 3), { code: 'ID_CONFLICT' })
    t.match(await keyed('same', 4, false), { code: 'ID_CONFLICT' }, 'a timestamp from the sender counts')
  })

  t.test('a verified result overrides a claim and is not overridden by one', async (t) => {
    const { broker, published, read } = await subject(t)
    await published('r', { amount: 1 }, { type: 'PAYMENT_SUCCESS' })
    await broker.publish('r', draftEvent({ type: 'PAYMENT_ERROR', payload: { roomId: 'r', code: '51' } }, { source: 'api', verified: true, timestamp: 2 }), true)
    await published('r', { amount: 1 }, { type: 'PAYMENT_SUCCESS' })
    t.match((await read('r')).state, { status: 'failed', outcome: { code: '51', verified: true } })
  })

  t.test('a created room exists before its first member, and cannot be created twice', async (t) => {
    const { broker, published, read } = await subject(t)
    const lifetime = notFailed(await broker.createRoom('r')) as Lifetime
    t.equal(lifetime.expiresAt - lifetime.createdAt, RETENTION)
    t.match(await broker.createRoom('r'), { code: 'ROOM_EXISTS' })
    t.match(await published('r', {}, { create: false }), { seq: 1 })
    t.equal((await read('r')).createdAt, lifetime.createdAt)
  })

  t.test('a subscription without create succeeds on an existing room and fails on a missing or closed one', async (t) => {
    const { broker, published, seen, closed } = await subject(t)
    t.match(await broker.subscribe('r', false), { code: 'ROOM_NOT_FOUND' })
    t.match(await broker.read('r'), { code: 'ROOM_NOT_FOUND' }, 'the refused subscription created no room')
    notFailed(await broker.createRoom('r'))
    t.equal(await broker.subscribe('r', false), undefined)
    await published('r')
    t.equal(seen.length, 1)
    t.equal(await broker.closeRoom('r'), undefined)
    // Until then the subscription remains.
    await until('the listener receives the close of the room', () => closed.length === 1)
    t.match(await broker.subscribe('r', false), { code: 'ROOM_CLOSED' })
  })

  t.test('a room with a deadline ends after the time for late results, occupied or not, and the listener receives the end', async (t) => {
    const { broker, pass, published, publish, read, closed } = await subject(t)
    for (const roomId of ['occupied', 'empty']) {
      const { createdAt, expiresAt } = notFailed(await broker.createRoom(roomId, { ttl: RETENTION * 2 })) as Lifetime
      t.equal(expiresAt - createdAt, RETENTION * 2)
    }
    await broker.subscribe('occupied')
    await published('occupied')
    await pass(RETENTION * 2 - 1000)
    t.equal((await read('empty')).seq, 0, 'kept until its deadline, which is later than the retention')
    await pass(LATE_RESULTS)
    t.strictSame(closed, [], 'late results are taken')
    await pass(2000)
    t.match(await broker.read('occupied'), { code: 'ROOM_CLOSED' })
    t.match(await broker.read('empty'), { code: 'ROOM_CLOSED' })
    t.strictSame(closed, [['occupied', 'expired']])
    t.match(await publish('occupied'), { code: 'ROOM_CLOSED' })
  })

  t.test('at the deadline of a link its expiry is logged once, devices are refused, and results of a backend are taken', async (t) => {
    const { broker, pass, seen, published, publish, read } = await subject(t)
    const { expiresAt } = notFailed(await broker.createRoom('r', { ttl: RETENTION, amount: 5, currency: 'BRL', reference: 'order 1' })) as Lifetime
    await broker.subscribe('r')
    await published('r', {}, { id: 'x' })
    await pass(RETENTION + 1000)
    await until('the expiry reaches the members', () => seen.length === 2)
    t.match(textOf(seen[1]![1]), { type: 'PAYMENT_EXPIRED', payload: { roomId: 'r' }, seq: 2, source: 'server', timestamp: expiresAt })
    t.match(await read('r'), { seq: 2, expiresAt, link: { reference: 'order 1' }, state: { status: 'expired', step: 'CLICKED_PAY', updatedAt: expiresAt } })
    t.match(await publish('r', {}, { type: 'CLICKED_PROCEED' }), { code: 'ROOM_CLOSED', message: /link has expired/ })
    t.match(await published('r', {}, { id: 'x' }), { duplicate: true, seq: 1 }, 'an event that was in time is still confirmed')
    t.equal(await broker.subscribe('r'), undefined, 'members stay, and may join again')
    const paid = draftEvent({ type: 'PAYMENT_SUCCESS', payload: { roomId: 'r', amount: '5.00', currency: 'brl' } }, { source: 'api', verified: true, timestamp: 2000 })
    t.match(await broker.publish('r', paid, true), { seq: 3, changed: true })
    t.match(await read('r'), { state: { status: 'succeeded', balance: 'exact', outcome: { late: true } } })
    await pass(5000)
    t.equal((await read('r')).seq, 3, 'the expiry is logged once')
  })

  t.test('the expiry of a link that nobody watches is logged before the room is read', async (t) => {
    const { broker, pass, read } = await subject(t)
    for (const roomId of ['r', 's']) await broker.createRoom(roomId, { ttl: 1000 })
    await pass(2000)
    t.match(await read('r'), { seq: 1, state: { status: 'expired' } })
    t.match(await broker.listRooms({ limit: 10 }), { rooms: [{ roomId: 'r', seq: 1 }, { roomId: 's', seq: 1, state: { status: 'expired' } }] })
  })

  t.test('a result after a deadline that nobody noticed comes after its expiry in the log, and is late', async (t) => {
    const { broker, pass, read } = await subject(t)
    await broker.createRoom('r', { ttl: 1000 })
    await pass(2000)
    t.match(await broker.publish('r', draftEvent({ type: 'PAYMENT_SUCCESS', payload: { roomId: 'r' } }, { source: 'api', verified: true, timestamp: 5 }), true), { seq: 2 })
    t.match(await read('r', { seq: 0 }), { seq: 2, state: { status: 'succeeded', outcome: { late: true } } })
  })

  t.test('a change of the link extends it, before and after its deadline, and gives a room without one a deadline', async (t) => {
    const { broker, pass, published, publish, read, closed } = await subject(t)
    const extend = async (roomId: string, payload: object = {}) => {
      const { createdAt } = await read(roomId)
      const update = { type: 'LINK_UPDATED', payload: { roomId, expiresAt: createdAt, ...payload } }
      return notFailed(await broker.publish(roomId, draftEvent(update, { source: 'server', verified: true, timestamp: 5, ttl: RETENTION * 3 }), false)) as Published
    }
    await broker.createRoom('r', { ttl: RETENTION, amount: 5, currency: 'BRL' })
    await broker.subscribe('r')
    await broker.subscribe('open')
    await published('r')
    await pass(RETENTION - 5000)
    await extend('r', { amount: 7, currency: 'BRL' })
    await pass(RETENTION)
    t.match(await read('r'), { seq: 2, state: { status: 'pending', expected: 7 } }, 'the first deadline has passed')
    await pass(RETENTION * 2 + 5000)
    t.match(await read('r'), { seq: 3, state: { status: 'expired' } })
    t.match(await publish('r'), { code: 'ROOM_CLOSED' })
    const { expiresAt } = await read('r')
    await extend('r')
    t.match(await published('r', {}, { type: 'CLICKED_PROCEED' }), { seq: 5, changed: true })
    t.ok((await read('r')).expiresAt > expiresAt)
    t.match((await read('r')).state, { status: 'pending', step: 'CLICKED_PROCEED' })
    await extend('open')
    await pass(RETENTION * 3 + 1000)
    for (const roomId of ['r', 'open']) t.match((await read(roomId)).state, { status: 'expired' }, roomId)
    await pass(LATE_RESULTS)
    await until('both rooms end', () => closed.length === 2)
    t.strictSame(closed.sort(), [['open', 'expired'], ['r', 'expired']])
    t.match(await broker.publish('missing', draftEvent({ type: 'LINK_UPDATED', payload: { roomId: 'missing' } }, { source: 'server', verified: true, timestamp: 5, ttl: 5 }), false), { code: 'ROOM_NOT_FOUND' })
  })

  t.test('a room is found by the reference of its link and by other names', async (t) => {
    const { broker, published } = await subject(t)
    t.equal(await broker.roomNamed('order {1}'), undefined)
    await broker.createRoom('r', { reference: 'order {1}' })
    await published('s')
    await broker.nameRoom('stripe:pi_1', 's')
    t.equal(await broker.roomNamed('order {1}'), 'r')
    t.equal(await broker.roomNamed('stripe:pi_1'), 's')
    t.equal(await broker.roomNamed('toString'), undefined)
  })

  t.test('closing ends a room for all members, and a late event does not reopen it', async (t) => {
    const { broker, pass, published, publish, read, seen, closed } = await subject(t)
    await broker.subscribe('r')
    const { epoch } = await published('r')
    t.equal(await broker.closeRoom('r'), undefined)
    t.strictSame(closed, [['r', 'closed']])
    t.match(await broker.read('r'), { code: 'ROOM_CLOSED' })
    t.match(await publish('r'), { code: 'ROOM_CLOSED' })
    t.match(await publish('r', {}, { create: false }), { code: 'ROOM_CLOSED' })
    t.match(await broker.subscribe('r'), { code: 'ROOM_CLOSED' })
    t.match(await broker.closeRoom('r'), { code: 'ROOM_CLOSED' })
    t.equal(seen.length, 1)
    notFailed(await broker.createRoom('r'))
    t.not((await read('r')).epoch, epoch, 'a room created again has another epoch')
    await broker.closeRoom('r')
    t.equal(closed.length, 1, 'the room had no subscription')
    await pass(RETENTION + 1000)
    t.match(await published('r'), { seq: 1 }, 'the name is free after the retention')
  })

  t.test('rooms are listed from the oldest to the newest, page by page', async (t) => {
    const { broker, pass, published } = await subject(t)
    for (const roomId of ['a', 'b', 'c', 'd']) await broker.createRoom(roomId)
    await broker.createRoom('short', { ttl: 1000 })
    await broker.closeRoom('short')
    await published('b')
    await pass(2000)
    const page = async (limit: number, cursor?: number) => notFailed(await broker.listRooms({ limit, cursor })) as RoomPage
    const first = await page(3)
    t.match(first.rooms, [
      { roomId: 'a', seq: 0, lastEventAt: null, state: { status: 'pending' } },
      { roomId: 'b', seq: 1, lastEventAt: 1000, state: { step: 'CLICKED_PAY' } },
      { roomId: 'c', createdAt: Number, expiresAt: Number, epoch: String }
    ])
    await broker.closeRoom('c')
    const second = await page(3, first.cursor)
    t.strictSame(second.rooms.map(({ roomId }) => roomId), ['d'], 'the cursor works although the last room of the previous page is gone')
    t.equal(second.cursor, undefined)
  })

  t.test('a listing has the newest rooms first on demand, and a room that starts meanwhile moves no page', async (t) => {
    const { broker } = await subject(t)
    for (const roomId of ['a', 'b', 'c', 'd']) await broker.createRoom(roomId)
    const page = async (query: RoomQuery) => notFailed(await broker.listRooms({ sort: 'newest', ...query })) as RoomPage
    const first = await page({ limit: 3 })
    t.strictSame(idsOf(first), ['d', 'c', 'b'])
    await broker.createRoom('e')
    await broker.closeRoom('b')
    const second = await page({ limit: 3, cursor: first.cursor })
    t.strictSame(idsOf(second), ['a'])
    t.equal(second.cursor, undefined)
    t.strictSame(idsOf(await page({ limit: 1 })), ['e'])
  })

  t.test('a listing can be filtered by status, step, pause and text', async (t) => {
    const { broker, pass, publish } = await subject(t)
    await broker.createRoom('new', { reference: 'Order 12' })
    await publish('Paid', { amount: 5 }, { type: 'PAYMENT_SUCCESS' })
    await publish('failed', { error: 'no' }, { type: 'PAYMENT_ERROR' })
    await publish('stuck', {}, { type: 'CLICKED_PAY' })
    await pass(STALL + 15_000)
    await publish('busy', {}, { type: 'CLICKED_PAY' })
    const found = async (query: Omit<RoomQuery, 'limit'>) => idsOf(notFailed(await broker.listRooms({ limit: 10, ...query })) as RoomPage)
    t.strictSame(await found({ statuses: ['succeeded', 'failed'] }), ['Paid', 'failed'])
    t.strictSame(await found({ statuses: ['disputed'] }), [])
    t.strictSame(await found({ step: 'CLICKED_PAY' }), ['stuck', 'busy'])
    t.strictSame(await found({ stalled: true }), ['stuck'])
    t.strictSame(await found({ stalled: false, step: 'CLICKED_PAY' }), ['busy'])
    t.strictSame(await found({ text: 'PAI' }), ['Paid'], 'a part of the id')
    t.strictSame(await found({ text: 'order 1' }), ['new'], 'a part of the reference')
    t.strictSame(await found({ sort: 'newest', statuses: ['pending'] }), ['busy', 'stuck', 'new'])
    await publish('stuck', {}, { type: 'CLICKED_PAY' })
    t.strictSame(await found({ stalled: true }), [], 'the next event ends the pause')
  })

  t.test('a filter looks at a bounded number of rooms, and goes on from its cursor', async (t) => {
    const { broker } = await subject(t)
    await broker.createRoom('first-match')
    for (let n = 0; n < MAX_LOOKED_AT; n += 100) await Promise.all(Array.from({ length: 100 }, (_, i) => broker.createRoom(`r${n + i}`)))
    await broker.createRoom('last-match')
    const found: string[] = []
    const cursors: Array<number | undefined> = []
    for (let cursor: number | undefined, more = true; more; more = cursor !== undefined) {
      const page = notFailed(await broker.listRooms({ limit: 10, text: 'match', cursor })) as RoomPage
      found.push(...idsOf(page))
      cursors.push(cursor = page.cursor)
    }
    t.strictSame(found, ['first-match', 'last-match'])
    t.equal(cursors.length, 2)
    t.equal((notFailed(await broker.listRooms({ limit: 1, text: 'match' })) as RoomPage).rooms.length, 1)
    const none = notFailed(await broker.listRooms({ limit: 10, text: 'nothing', sort: 'newest' })) as RoomPage
    t.match(none, { rooms: { length: 0 }, cursor: Number }, 'an empty page has a cursor')
  })

  t.test('a new broker is ready', async (t) => {
    t.equal((await subject(t)).broker.ready(), true)
  })
}

const idsOf = ({ rooms }: RoomPage) => rooms.map(({ roomId }) => roomId)

/** Message of an entry. */
function textOf ({ frame }: LogEntry): unknown { return JSON.parse(payloadOf(frame).toString()) }

function notFailed<T> (result: T): Exclude<T, Failure> {
  if (result instanceof Failure) throw new Error(result.code)
  return result as Exclude<T, Failure>
}
