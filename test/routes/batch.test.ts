// publishRoomEvents: several events of a device in one step, each with its own outcome.
import t from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'

const SECRET = 'a secret for tests with 32 bytes and more'
const step = (type: string, id: string, payload: object = {}) => ({ type, payload: { deviceId: 'phone', ...payload }, id })
type App = Awaited<ReturnType<typeof build>>['app']
const send = async (app: App, events: unknown, headers: Record<string, string> = {}) => app.inject({ method: 'POST', url: '/api/rooms/r/events/batch', headers, payload: { events } as object })

t.test('events are logged in their order, and the repetition of a batch is the same batch', async (t) => {
  const { app } = await build(t, { now: () => 5 })
  const shop = await Peer.inject(t, app)
  const { payload: { epoch } } = await shop.join('r')
  const events = [step('ENTERED_SUMMARY', 'a'), step('DATA_FILLED', 'b', { fields: ['name'] }), step('CLICKED_PAY', 'c')]
  const first = await send(app, events)
  t.equal(first.statusCode, 201)
  t.strictSame(first.json(), { success: true, data: { epoch, results: [1, 2, 3].map((seq) => ({ seq, duplicate: false, sentToClients: 1 })) }, timestamp: 5 })
  const again = await send(app, [...events, step('PAYMENT_SUCCESS', 'd', { roomId: 'r' })])
  t.strictSame(again.json().data.results.map(({ seq, duplicate }: any) => [seq, duplicate]), [[1, true], [2, true], [3, true], [4, false]])
  await shop.settled()
  t.strictSame(shop.events.map(({ type, seq, source, id }) => [type, seq, source, id]), [
    ['ENTERED_SUMMARY', 1, 'device', 'a'], ['DATA_FILLED', 2, 'device', 'b'], ['CLICKED_PAY', 3, 'device', 'c'], ['PAYMENT_SUCCESS', 4, 'device', 'd']
  ])
  t.match((await app.inject('/api/rooms/r')).json().data.state, { step: 'CLICKED_PAY', outcome: { verified: false } }, 'a result of a device is a claim')
})

t.test('an event that is rejected holds up none after it, and card data is neither logged nor repeated', async (t) => {
  const { app, logs } = await build(t, { env: { LOG_LEVEL: 'trace' } })
  const { json: body, statusCode } = await send(app, [
    step('CLICKED_PAY', 'a', { cvv: '123' }), step('CLICKED_PAY', 'b', { note: 'card 4111 1111 1111 1111' }), step('PAYMENT_SUCCESS', 'c', { amount: -1 }),
    step('CLICKED_PAY', 'd', { roomId: 'other' }), step('CLICKED_PAY', 'e', { note: 'x'.repeat(17_000) }), step('PAYMENT_REFUNDED', 'f'), step('CLICKED_PROCEED', 'b'), step('CLICKED_PROCEED', 'g')
  ])
  t.equal(statusCode, 201)
  t.match(body().data.results, [
    { code: 'SENSITIVE_DATA', error: /cvv/ }, { seq: 1 }, { code: 'INVALID_FRAME' }, { code: 'INVALID_REQUEST' }, { code: 'PAYLOAD_TOO_LARGE' }, { code: 'FORBIDDEN' }, { code: 'ID_CONFLICT' }, { seq: 2 }
  ])
  const { events } = (await app.inject('/api/rooms/r/events')).json().data
  t.match(events, [{ id: 'b', payload: { note: 'card 411111******1111' }, redacted: true }, { id: 'g' }])
  t.notOk('redacted' in events[1])
  t.notMatch(JSON.stringify([body(), logs]), /4111.?1111|"123"/)
})

t.test('a batch of which nothing is accepted is answered with the error of its first event', async (t) => {
  const { app } = await build(t)
  const refused = await send(app, [step('CLICKED_PAY', 'a', { cvv: '123' }), step('PAYMENT_REFUNDED', 'b')])
  t.equal(refused.statusCode, 400)
  t.match(refused.json(), { success: false, code: 'SENSITIVE_DATA' })
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r' } })
  await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  t.match((await send(app, [step('CLICKED_PAY', 'a'), step('CLICKED_PAY', 'b')])).json(), { code: 'ROOM_CLOSED' })
})

t.test('a batch that breaks the schema is rejected as a whole', async (t) => {
  const { app } = await build(t)
  for (const events of [undefined, [], 'x', [5], [{ type: 'JOIN_ROOM' }], [step('CLICKED_PAY', 'a'), { type: 'NONSENSE' }], Array.from({ length: 101 }, (_, n) => step('CLICKED_PAY', `${n}`))]) {
    const answer = await send(app, events)
    t.match([answer.statusCode, answer.json().code], [400, 'INVALID_REQUEST'])
  }
  t.equal((await send(app, Array.from({ length: 5 }, (_, n) => step('CLICKED_PAY', `${n}`, { note: 'x'.repeat(16_000) })))).statusCode, 413)
  t.equal((await app.inject('/api/rooms/r')).statusCode, 404, 'nothing is logged')
  t.equal((await send(app, Array.from({ length: 100 }, (_, n) => step('CLICKED_PAY', `${n}`, { note: 'x'.repeat(500) })))).statusCode, 201)
})

t.test('with tokens, device 2 sends a batch to its own room, device 1 sends none, and a backend no results', async (t) => {
  const { app } = await build(t, { env: { API_KEYS: 'key', TOKEN_SECRET: SECRET } })
  const created = await app.inject({ method: 'POST', url: '/api/rooms', headers: { authorization: 'Bearer key' }, payload: { roomId: 'r' } })
  const { tokens } = created.json().data
  const events = [step('ENTERED_SUMMARY', 'a'), step('CLICKED_PAY', 'b')]
  const status = async (token?: string) => (await send(app, events, token === undefined ? {} : { authorization: `Bearer ${token}` })).statusCode
  t.strictSame([await status(), await status(tokens.device1), await status(tokens.device2)], [401, 403, 201])
  const ofBackend = await send(app, [step('PAYMENT_SUCCESS', 'c'), step('CLICKED_PROCEED', 'd')], { authorization: 'Bearer key' })
  t.match(ofBackend.json().data.results, [{ code: 'FORBIDDEN', error: /by itself/ }, { seq: 3 }])
  t.match((await app.inject({ url: '/api/rooms/r/events?since=0', headers: { authorization: 'Bearer key' } })).json().data.events, [{}, {}, { source: 'api' }])
})
