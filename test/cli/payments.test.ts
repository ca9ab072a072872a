// The commands rooms, show, report and close: what an operator does in a terminal.
import t from 'tap'
import { listen } from '../build.js'
import { freePort } from '../free-port.js'
import { cli } from './terminal.js'

const PLAIN = { isTTY: true, env: { NO_COLOR: '1' } }
const KEYS = { API_KEYS: 'key,read:reader' }

t.test('rooms lists the payments, the newest first, by filters, over more than one page', async (t) => {
  const { app, url } = await listen(t, { env: { STALL_SECONDS: '1' } })
  for (let i = 0; i < 5; i++) await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: `r${i}`, reference: `Order ${i}`, amount: 5, currency: 'BRL' } })
  await app.inject({ method: 'POST', url: '/api/rooms/r2/events', payload: { type: 'PAYMENT_SUCCESS' } })
  const all = cli(t, ['rooms', '--url', url, '--limit', '3'])
  t.equal(await all.exit, 0)
  t.match(all.facts(), [{ kind: 'room', roomId: 'r4' }, { roomId: 'r3' }, { roomId: 'r2', status: 'succeeded' }])
  t.equal(all.facts().length, 3)
  const paid = cli(t, ['rooms', '--url', url, '--status', 'succeeded'], PLAIN)
  t.equal(await paid.exit, 0)
  t.match(paid.stdout(), /^ {8}r2, Order 2, 5 BRL, succeeded, not verified, 0 devices, changed \d{4}-\S+Z\n$/)
  const none = cli(t, ['rooms', '--url', url, '--text', 'nothing'], PLAIN)
  t.equal(await none.exit, 0)
  t.match(none.stdout(), /no payment matches/)
})

t.test('show prints the state, the devices and the events of a payment', async (t) => {
  const { app, url } = await listen(t)
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r', reference: 'Order 1' } })
  for (const type of ['CLICKED_PAY', 'PAYMENT_SUCCESS']) await app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type } })
  const text = cli(t, ['show', 'r', '--url', url], PLAIN)
  t.equal(await text.exit, 0)
  t.match(text.stdout(), /^room {4}r, Order 1, ends \S+Z\nstate {3}succeeded, not verified, last step CLICKED_PAY\nhere {4}nobody\n#1 {6}CLICKED_PAY from a device\n#2 {6}PAYMENT_SUCCESS from a device\n$/)
  const json = cli(t, ['show', 'r', '--url', url])
  t.equal(await json.exit, 0)
  t.match(json.facts(), [{ kind: 'room', roomId: 'r', state: { status: 'succeeded' }, members: [] }, { kind: 'event', seq: 1 }, { kind: 'event', seq: 2 }])
  const missing = cli(t, ['show', 'missing', '--url', url])
  t.equal(await missing.exit, 1)
  t.match(missing.stderr(), /The room does not exist\. \(ROOM_NOT_FOUND\)/)
})

t.test('report publishes a result once; with a key it is verified, and a key that reads may not', async (t) => {
  const { app, url } = await listen(t, { env: KEYS })
  const args = ['report', 'r', 'success', '--transaction-id', 'tx_1', '--amount', '99.90', '--currency', 'BRL', '--id', 'e1', '--url', url]
  const first = cli(t, args, { ...PLAIN, env: { ...PLAIN.env, API_KEY: 'key' } })
  t.equal(await first.exit, 0)
  t.equal(first.stdout(), '#1      PAYMENT_SUCCESS is in the log (id e1)\n')
  const again = cli(t, [...args, '--api-key', 'key'], PLAIN)
  t.equal(await again.exit, 0)
  t.match(again.stdout(), /was already in the log/)
  t.match((await app.inject({ url: '/api/rooms/r', headers: { authorization: 'Bearer key' } })).json().data.state, { status: 'succeeded', outcome: { verified: true, amount: 99.9 } })
  const reader = cli(t, [...args, '--api-key', 'reader'])
  t.equal(await reader.exit, 1)
  t.match(reader.stderr(), /FORBIDDEN/)
  const { url: open } = await listen(t)
  const claim = cli(t, ['report', 'r', 'error', '--error', 'No funds', '--url', open], PLAIN)
  t.equal(await claim.exit, 0)
  t.match(claim.stdout(), /^#1 {6}PAYMENT_ERROR is in the log, not verified \(id .+\)\n$/)
})

t.test('close ends a payment', async (t) => {
  const { app, url } = await listen(t)
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r' } })
  const { exit, facts } = cli(t, ['close', 'r', '--url', url])
  t.equal(await exit, 0)
  t.strictSame(facts(), [{ kind: 'closed', roomId: 'r' }])
  t.equal((await app.inject('/api/rooms/r')).statusCode, 410)
})

t.test('a connection that is refused fails at once, and not after the time limit', async (t) => {
  const url = `ws://127.0.0.1:${await freePort()}`
  for (const args of [['join', 'r'], ['watch', 'r'], ['send', 'r', 'CLICKED_PAY'], ['simulate', 'r'], ['rooms'], ['show', 'r'], ['close', 'r']]) {
    const { exit, stderr } = cli(t, [...args, '--url', url, '--timeout', '3600'])
    t.equal(await exit, 69, args.join(' '))
    t.match(stderr(), /^ws-payment-server: cannot connect to (ws|http):.+ECONNREFUSED.+; is the server running\?\n$/)
  }
})

t.test('fifty payments at once cause no warning about listeners', async (t) => {
  const { url } = await listen(t)
  const warnings: string[] = []
  const note = ({ name }: Error) => { warnings.push(name) }
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const { exit } = cli(t, ['simulate', 'r', '--payments', '50', '--pause', '0', '--url', url])
  t.equal(await exit, 0)
  await new Promise(setImmediate)
  t.notOk(warnings.includes('MaxListenersExceededWarning'), warnings.join())
})
