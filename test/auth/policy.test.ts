// Permissions of every principal: the whole table.
import t from 'tap'
import { ANONYMOUS, isAllowed, type Action, type Claims } from '../../src/auth/policy.js'
import { EVENTS, isDeviceEvent, PAYMENT_EVENT_TYPES } from '../../src/protocol/events.js'

const OPEN = { resultsFrom: 'any' } as const
const STRICT = { resultsFrom: 'backend' } as const
const device = (principal: 'device1' | 'device2', deviceId?: string): Claims => ({ principal, roomId: 'r', endsAt: 0, deviceId })
const backend: Claims = { principal: 'backend' }
const reader: Claims = { principal: 'reader' }
const join = (rest: object = {}): Action => ({ to: 'join', roomId: 'r', ...rest })
const publish = (rest: object = {}): Action => ({ to: 'publish', roomId: 'r', type: 'CLICKED_PAY', ...rest })

t.test('each principal may join, publish, read, inspect and manage as in the table', async (t) => {
  const rows: Array<[string, Claims, boolean[]]> = [
    ['a client on an open server', ANONYMOUS, [true, true, true, true, true]],
    ['device 1', device('device1'), [true, false, true, false, false]],
    ['device 2', device('device2'), [true, true, true, false, false]],
    ['a key that only reads', reader, [true, false, true, true, false]],
    ['a backend', backend, [true, true, true, true, true]]
  ]
  for (const [name, claims, expected] of rows) {
    const actions: Action[] = [join(), publish(), { to: 'read', roomId: 'r' }, { to: 'inspect' }, { to: 'manage' }]
    t.strictSame(actions.map((action) => isAllowed(claims, action, OPEN)), expected, name)
  }
})

t.test('a token is for one room', async (t) => {
  for (const claims of [device('device1'), device('device2')]) {
    for (const action of [join({ roomId: 'other' }), publish({ roomId: 'other' }), { to: 'read', roomId: 'other' } as Action, join({ roomId: 'R' }), join({ roomId: '' })]) {
      t.equal(isAllowed(claims, action, OPEN), false, `${claims.principal} ${JSON.stringify(action)}`)
    }
  }
})

t.test('a token is for one role', async (t) => {
  t.equal(isAllowed(device('device1'), join({ role: 'device1' }), OPEN), true)
  t.equal(isAllowed(device('device1'), join({ role: 'device2' }), OPEN), false)
  t.equal(isAllowed(device('device2'), join({ role: 'device1' }), OPEN), false)
})

t.test('a token that names a device is for that device', async (t) => {
  for (const action of [join, publish]) {
    const claims = device('device2', 'phone')
    t.equal(isAllowed(claims, action({ deviceId: 'phone' }), OPEN), true)
    t.equal(isAllowed(claims, action(), OPEN), true, 'the device id may be left out')
    t.equal(isAllowed(claims, action({ deviceId: 'another' }), OPEN), false)
    t.equal(isAllowed(device('device2'), action({ deviceId: 'another' }), OPEN), true, 'a token without a device id is for any device')
  }
})

t.test('with resultsFrom backend only a backend may publish results', async (t) => {
  for (const type of PAYMENT_EVENT_TYPES.filter(isDeviceEvent)) {
    const isResult = type === 'PAYMENT_SUCCESS' || type === 'PAYMENT_ERROR'
    for (const claims of [ANONYMOUS, device('device2')]) {
      t.equal(isAllowed(claims, publish({ type }), OPEN), true)
      t.equal(isAllowed(claims, publish({ type }), STRICT), !isResult, `${claims.principal}: ${type}`)
    }
    t.equal(isAllowed(backend, publish({ type }), STRICT), true)
    for (const claims of [device('device1'), reader]) t.equal(isAllowed(claims, publish({ type }), OPEN), false, `${claims.principal}: ${type}`)
  }
})

t.test('the events of backends are for backends, and those of the server for nobody else', async (t) => {
  for (const type of PAYMENT_EVENT_TYPES.filter((type) => !isDeviceEvent(type))) {
    for (const claims of [ANONYMOUS, device('device1'), device('device2'), reader]) t.equal(isAllowed(claims, publish({ type }), OPEN), false, `${claims.principal}: ${type}`)
    t.equal(isAllowed(backend, publish({ type }), STRICT), EVENTS[type].sentBy === 'backend', type)
  }
})
