// State of a payment from its events: every rule of the fold, and rules that no sequence of events breaks.
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { fold, initialState, type PaymentFact } from '../../src/payment/state.js'
import { PROGRESS, type PaymentState } from '../../src/protocol/payment-state.js'

type Event = [type: string, payload?: object, verified?: boolean]

const START = 1000

/** Freezes a value, so that the fold cannot change it. */
function freeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze)
  return value
}

const fact = ([type, payload = {}, verified]: Event, timestamp: number): PaymentFact =>
  freeze({ type, payload: { roomId: 'r', ...payload }, timestamp, ...(verified !== undefined && { verified }) })

/** State after some events, one millisecond apart. */
function after (...events: Event[]): PaymentState {
  return events.reduce((state, event, i) => freeze(fold(state, fact(event, START + i + 1))), freeze(initialState(START)))
}

/** Checks that one more event changes nothing: the fold returns the same object. */
function isUnmoved (state: PaymentState, ...event: Event): boolean {
  return fold(state, fact(event, START + 1000)) === state
}

t.test('the state before the first event is pending, without a step', async (t) => {
  t.strictSame(initialState(5), { step: null, status: 'pending', updatedAt: 5 })
})

t.test('the step is the last progress event, in any order of events', async (t) => {
  for (const step of PROGRESS) t.strictSame(after([step]), { step, status: 'pending', updatedAt: START + 1 })
  t.match(after(['CLICKED_PAY'], ['ENTERED_SUMMARY'], ['CLICKED_PROCEED']), { step: 'CLICKED_PROCEED', updatedAt: START + 3 })
})

t.test('a repeated progress event without new values changes nothing', async (t) => {
  for (const step of PROGRESS) t.ok(isUnmoved(after([step]), step, { deviceId: 'd', note: 'x' }), step)
  t.ok(isUnmoved(after(['PAYMENT_METHOD_CHANGED', { method: 'pix' }]), 'PAYMENT_METHOD_CHANGED', { method: 'pix' }))
  t.ok(isUnmoved(after(['PAYMENT_METHOD_CHANGED', { method: 'pix' }]), 'PAYMENT_METHOD_CHANGED'))
  t.ok(isUnmoved(after(['DATA_FILLED', { fields: ['name', 'cpf'] }]), 'DATA_FILLED', { fields: ['name', 'cpf'] }))
  t.ok(isUnmoved(after(['DATA_FILLED', { fields: ['name'] }]), 'DATA_FILLED'))
  t.notOk(isUnmoved(after(['CLICKED_PAY'], ['CLICKED_PROCEED']), 'CLICKED_PAY'), 'a return to an earlier step changes the state')
})

t.test('the state has the last method and the last fields that an event named', async (t) => {
  const chosen = after(['PAYMENT_METHOD_CHANGED', { method: 'pix' }], ['PAYMENT_METHOD_CHANGED', { method: 'card' }])
  t.strictSame(chosen, { step: 'PAYMENT_METHOD_CHANGED', method: 'card', status: 'pending', updatedAt: START + 2 })
  t.match(after(['PAYMENT_METHOD_CHANGED', { method: 'pix' }], ['CLICKED_PAY'], ['PAYMENT_METHOD_CHANGED']), { step: 'PAYMENT_METHOD_CHANGED', method: 'pix' })
  t.match(after(['PAYMENT_METHOD_CHANGED', { method: '' }]), { method: '' })

  for (const fields of [['name'], ['cpf', 'name'], ['name', 'cpf', 'email'], []]) {
    t.strictSame(after(['DATA_FILLED', { fields: ['name', 'cpf'] }], ['DATA_FILLED', { fields }]), { step: 'DATA_FILLED', fields, status: 'pending', updatedAt: START + 2 })
  }
  t.match(after(['DATA_FILLED', { fields: ['name'] }], ['CLICKED_PAY'], ['DATA_FILLED']), { step: 'DATA_FILLED', fields: ['name'] })
})

t.test('method and fields are read only from the events that carry them', async (t) => {
  const strangers = { method: 'pix', fields: ['name'], amount: 5, error: 'x' }
  t.strictSame(after(['CLICKED_PAY', strangers]), { step: 'CLICKED_PAY', status: 'pending', updatedAt: START + 1 })
  t.strictSame(after(['DATA_FILLED', { method: 'pix' }]), { step: 'DATA_FILLED', status: 'pending', updatedAt: START + 1 })
  t.strictSame(after(['PAYMENT_METHOD_CHANGED', { fields: ['name'] }]), { step: 'PAYMENT_METHOD_CHANGED', status: 'pending', updatedAt: START + 1 })
})

t.test('events that are no payment events change nothing', async (t) => {
  const state = after(['CLICKED_PAY'])
  for (const type of ['JOIN_ROOM', 'PAYMENT_UPDATE', 'ROOM_JOINED', 'toString', '__proto__', 'constructor', '', 'clicked_proceed']) {
    t.ok(isUnmoved(state, type, { method: 'pix', amount: 5 }), type)
    t.ok(isUnmoved(state, type, {}, true), `${type} of a backend`)
  }
})

t.test('the outcome holds the values of the result event that belong to its type, and no others', async (t) => {
  const payload = { transactionId: 'tx', amount: 0, currency: 'EUR', error: 'declined', code: '51', note: 'x', deviceId: 'd' }
  t.strictSame(after(['CLICKED_PAY'], ['PAYMENT_SUCCESS', payload]),
    { step: 'CLICKED_PAY', status: 'succeeded', outcome: { transactionId: 'tx', amount: 0, currency: 'EUR', verified: false }, updatedAt: START + 2 })
  t.strictSame(after(['CLICKED_PAY'], ['PAYMENT_ERROR', payload]),
    { step: 'CLICKED_PAY', status: 'failed', outcome: { error: 'declined', code: '51', verified: false }, updatedAt: START + 2 })
  t.strictSame(after(['PAYMENT_SUCCESS']), { step: null, status: 'succeeded', outcome: { verified: false }, updatedAt: START + 1 })
  t.strictSame(after(['PAYMENT_ERROR']), { step: null, status: 'failed', outcome: { verified: false }, updatedAt: START + 1 })
  t.match(after(['PAYMENT_SUCCESS', payload, true]), { status: 'succeeded', outcome: { verified: true } })
  t.match(after(['PAYMENT_ERROR', payload, false]), { status: 'failed', outcome: { verified: false } })
})

t.test('a result keeps the step, the method and the fields', async (t) => {
  const before: Event[] = [['PAYMENT_METHOD_CHANGED', { method: 'pix' }], ['DATA_FILLED', { fields: ['name'] }]]
  for (const type of ['PAYMENT_SUCCESS', 'PAYMENT_ERROR']) t.match(after(...before, [type]), { step: 'DATA_FILLED', method: 'pix', fields: ['name'] })
})

t.test('a success is final: no later progress event changes it', async (t) => {
  for (const verified of [false, true]) {
    const paid = after(['CLICKED_PAY'], ['PAYMENT_SUCCESS', { amount: 5 }, verified])
    for (const step of PROGRESS) t.ok(isUnmoved(paid, step, { method: 'card', fields: ['cpf'] }), step)
  }
})

t.test('after an error the payer may try again', async (t) => {
  const failed: Event = ['PAYMENT_ERROR', { error: 'declined', code: '51' }]
  t.strictSame(after(['CLICKED_PAY'], failed, ['PAYMENT_METHOD_CHANGED', { method: 'pix' }]), {
    step: 'PAYMENT_METHOD_CHANGED', method: 'pix', status: 'failed', outcome: { error: 'declined', code: '51', verified: false }, updatedAt: START + 3
  }, 'the error remains until another result')
  t.strictSame(after(failed, ['PAYMENT_ERROR', { error: 'no funds' }]), { step: null, status: 'failed', outcome: { error: 'no funds', verified: false }, updatedAt: START + 2 })
  t.strictSame(after(failed, ['PAYMENT_SUCCESS', { amount: 5 }]), { step: null, status: 'succeeded', outcome: { amount: 5, verified: false }, updatedAt: START + 2 },
    'no value of the error remains')
})

t.test('the verification and the type of two results decide which of them counts', async (t) => {
  const results: Record<string, Event> = {
    'claimed success': ['PAYMENT_SUCCESS', {}, false],
    'claimed error': ['PAYMENT_ERROR', {}, false],
    'verified success': ['PAYMENT_SUCCESS', {}, true],
    'verified error': ['PAYMENT_ERROR', {}, true]
  }
  // Columns: first result, second result, and the one that counts.
  for (const [first, second, winning] of [
    ['claimed success', 'claimed success', 'first'],
    ['claimed success', 'claimed error', 'first'],
    ['claimed success', 'verified success', 'second'],
    ['claimed success', 'verified error', 'second'],
    ['claimed error', 'claimed success', 'second'],
    ['claimed error', 'claimed error', 'second'],
    ['claimed error', 'verified success', 'second'],
    ['claimed error', 'verified error', 'second'],
    ['verified success', 'claimed success', 'first'],
    ['verified success', 'claimed error', 'first'],
    ['verified success', 'verified success', 'first'],
    ['verified success', 'verified error', 'first'],
    ['verified error', 'claimed success', 'first'],
    ['verified error', 'claimed error', 'first'],
    ['verified error', 'verified success', 'second'],
    ['verified error', 'verified error', 'second']
  ] as const) {
    const resultOf = (name: string, order: string): Event => [results[name]![0], { transactionId: order, error: order }, results[name]![2]!]
    const one = after(resultOf(first, 'first'))
    const both = fold(one, fact(resultOf(second, 'second'), START + 2))
    const winner = winning === 'first' ? first : second
    t.match(both, {
      status: winner.endsWith('success') ? 'succeeded' : 'failed',
      outcome: { [winner.endsWith('success') ? 'transactionId' : 'error']: winning, verified: winner.startsWith('verified') },
      updatedAt: winning === 'first' ? START + 1 : START + 2
    }, `${first}, then ${second}`)
    t.equal(both === one, winning === 'first', 'only a change makes another state')
  }
})

t.test('a verified result replaces the whole claim of a phone, even with fewer values', async (t) => {
  t.strictSame(after(['PAYMENT_SUCCESS', { transactionId: 'forged', amount: 1 }], ['PAYMENT_SUCCESS', { amount: 99 }, true]).outcome, { amount: 99, verified: true })
  t.strictSame(after(['PAYMENT_SUCCESS', { transactionId: 'forged' }], ['PAYMENT_ERROR', { code: '51' }, true], ['PAYMENT_SUCCESS', { transactionId: 'forged' }]).outcome, { code: '51', verified: true })
})

const anyEvent: fc.Arbitrary<Event> = fc.tuple(
  fc.constantFrom(...PROGRESS, 'PAYMENT_SUCCESS', 'PAYMENT_ERROR', 'PAYMENT_SUCCESS', 'PAYMENT_ERROR', 'PAYMENT_UPDATE', 'JOIN_ROOM', 'toString'),
  fc.record({
    method: fc.constantFrom('pix', 'card'),
    fields: fc.array(fc.constantFrom('name', 'cpf'), { maxLength: 2 }),
    transactionId: fc.constantFrom('a', 'b'),
    amount: fc.nat(3),
    currency: fc.constantFrom('EUR', 'BRL'),
    error: fc.constantFrom('declined', 'timeout'),
    code: fc.constantFrom('51', '05'),
    note: fc.jsonValue({ maxDepth: 1 })
  }, { requiredKeys: [] }),
  fc.boolean())

/** Folds the events one by one and checks a rule at each step: the state before, the event, the state after. */
function everyStep (events: Event[], holds: (before: PaymentState, event: PaymentFact, next: PaymentState) => boolean): boolean {
  let before = freeze(initialState(START))
  return events.every((event, i) => {
    const next = freeze(fold(before, fact(event, START + i + 1)))
    const ok = holds(before, fact(event, START + i + 1), next)
    before = next
    return ok
  })
}

t.test('no sequence of events breaks these rules', async (t) => {
  const forAll = (rule: string, holds: (before: PaymentState, event: PaymentFact, next: PaymentState) => boolean) => t.test(rule, async () => {
    // States and events are frozen: a fold that changes one of them throws.
    fc.assert(fc.property(fc.array(anyEvent, { maxLength: 20 }), (events) => everyStep(events, holds)), { numRuns: 500 })
  })

  forAll('only a verified event changes a claimed success', (before, event, next) =>
    before.status !== 'succeeded' || event.verified === true || next === before)
  forAll('no event changes a verified success', (before, _event, next) =>
    !(before.status === 'succeeded' && before.outcome!.verified) || next === before)
  forAll('a claim never replaces a verified result', (before, event, next) =>
    !before.outcome?.verified || (next.outcome!.verified && (event.verified === true || next.outcome === before.outcome)))
  forAll('a payment with a result keeps a result, and a payment without a result is pending', (before, _event, next) =>
    (before.outcome === undefined || next.outcome !== undefined) && (next.status === 'pending') === (next.outcome === undefined))
  forAll('a new state has the time of its event', (before, event, next) =>
    next === before || next.updatedAt === event.timestamp)
  forAll('an event that changes nothing but the time returns the same object, except for PAYMENT_ERROR', (before, event, next) =>
    next === before || event.type === 'PAYMENT_ERROR' || !isDeepStrictEqual({ ...before, updatedAt: 0 }, { ...next, updatedAt: 0 }))
  forAll('a result changes neither step nor method nor fields, and a progress event changes no result', (before, event, next) =>
    event.type.startsWith('PAYMENT_') && event.type !== 'PAYMENT_METHOD_CHANGED'
      ? next.step === before.step && next.method === before.method && next.fields === before.fields
      : next.status === before.status && next.outcome === before.outcome)
})

t.test('the same events give the same state, every time', async () => {
  fc.assert(fc.property(fc.array(anyEvent, { maxLength: 20 }), (events) => isDeepStrictEqual(after(...events), after(...structuredClone(events)))))
})

t.test('a repeated failure returns the same object, and an empty list of fields is kept', async (t) => {
  const failure = { type: 'PAYMENT_ERROR', payload: { roomId: 'r', code: '51' }, timestamp: 1 }
  const failed = fold(initialState(0), failure)
  t.equal(fold(failed, { ...failure, timestamp: 2 }), failed)
  t.not(fold(failed, { ...failure, payload: { roomId: 'r', code: '54' }, timestamp: 2 }), failed)
  t.strictSame(fold(initialState(0), { type: 'DATA_FILLED', payload: { roomId: 'r', fields: [] }, timestamp: 1 }).fields, [])
})
