// The simulated phone: with every option, a watcher sees each event once and in the log's order.
import t from 'tap'
import { until } from '../until.js'
import { listen } from '../build.js'
import { cli } from './terminal.js'

const FLOW = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY', 'PAYMENT_SUCCESS']
const FAILED = [...FLOW.slice(0, -1), 'PAYMENT_ERROR']

const events = (facts: any[]): Array<[number, string]> => facts.filter(({ kind }) => kind === 'event').map(({ seq, type }) => [seq, type])
const inOrder = (types: string[]) => types.map((type, n) => [n + 1, type])

t.test('A watcher sees each event once and in order, with every option of the simulated phone', async (t) => {
  const { url } = await listen(t)
  const cases: Array<{ args: string[], types: string[], duplicates?: number, status?: string }> = [
    { args: [], types: FLOW },
    { args: ['--fail', 'once'], types: [...FAILED, 'PAYMENT_SUCCESS'] },
    { args: ['--fail', 'always'], types: FAILED, status: 'failed' },
    { args: ['--duplicate'], types: FLOW, duplicates: 6 },
    { args: ['--drop'], types: FLOW },
    { args: ['--reorder'], types: ['CLICKED_PROCEED', 'ENTERED_SUMMARY', 'DATA_FILLED', 'PAYMENT_METHOD_CHANGED', 'PAYMENT_SUCCESS', 'CLICKED_PAY'] },
    {
      args: ['--drop', '--duplicate', '--reorder', '--fail', 'once'],
      types: ['CLICKED_PROCEED', 'ENTERED_SUMMARY', 'DATA_FILLED', 'PAYMENT_METHOD_CHANGED', 'PAYMENT_ERROR', 'CLICKED_PAY', 'PAYMENT_SUCCESS'],
      duplicates: 7
    }
  ]
  await Promise.all(cases.map(async ({ args, types, duplicates = 0, status = 'succeeded' }, n) => {
    const name = args.join(' ')
    const shop = cli(t, ['join', `r${n}`, '--url', url])
    const backend = cli(t, ['watch', `r${n}`, '--url', url])
    await Promise.all([shop, backend].map(({ says }) => says(/online/)))
    const phone = cli(t, ['simulate', `r${n}`, '--url', url, '--pause', '0', ...args])
    t.equal(await phone.exit, 0, name)
    t.match(phone.facts().at(-1), { kind: 'done', payments: 1, done: 1, events: types.length, duplicates }, name)
    t.strictSame(phone.facts().slice(0, -1).filter(({ duplicate }) => !duplicate).map(({ seq, type }) => [seq, type]), inOrder(types), name)
    for (const watcher of [shop, backend]) {
      await until(`${name}: the watcher received all events`, () => events(watcher.facts()).length >= types.length)
      t.strictSame(events(watcher.facts()), inOrder(types), name)
      await until(`${name}: ${status}`, () => watcher.facts().findLast(({ kind }) => kind === 'state')?.state.status === status)
      t.notOk(watcher.facts().some(({ kind }) => kind === 'gap'), name)
    }
  }))
})

t.test('Many payments run at once, each in a room of its own', async (t) => {
  const { url, app } = await listen(t)
  const phones = cli(t, ['simulate', 'r', '--payments', '20', '--pause', '0', '--url', url])
  t.equal(await phones.exit, 0)
  t.match(phones.facts().at(-1), { payments: 20, done: 20, events: 120, duplicates: 0 })
  t.strictSame(new Set(phones.facts().slice(0, -1).map(({ roomId }) => roomId)), new Set(Array.from({ length: 20 }, (_, n) => `r-${n + 1}`)))
  await until('all phones left', () => app.rooms.size === 0)
})

t.test('On a terminal simulate shows its progress', async (t) => {
  const { url } = await listen(t)
  const { exit, stdout } = cli(t, ['simulate', 'r', '--duplicate', '--pause', '0', '--url', url], { isTTY: true, env: { NO_COLOR: '1' } })
  t.equal(await exit, 0)
  const [progress, done, end] = stdout().split('\n')
  const shown = progress!.split('\r\u001b[K').slice(1)
  t.equal(shown.length, 12)
  t.equal(shown[0], '0/1 payments, 1/6 events: ENTERED_SUMMARY')
  t.equal(shown.at(-1), '0/1 payments, 6/6 events: PAYMENT_SUCCESS')
  t.match(done, /^done {4}1\/1 payments, 6\/6 events, 6 duplicates, in \d+\.\d s$/)
  t.equal(end, '')
})

t.test('With an API key simulate creates its rooms and gets its tokens', async (t) => {
  const guarded = await listen(t, { env: { API_KEYS: 'key', TOKEN_SECRET: 'a secret for tests with 32 bytes and more' } })
  const open = await listen(t)
  for (const { url } of [guarded, open]) {
    const phones = cli(t, ['simulate', 'r', '--payments', '2', '--pause', '0', '--url', url, '--device-id', 'phone'], { env: { API_KEY: 'key' } })
    t.equal(await phones.exit, 0, phones.stderr())
    t.match(phones.facts().at(-1), { done: 2, events: 12 })
  }
  const refused = cli(t, ['simulate', 'r', '--url', guarded.url, '--api-key', 'wrong'])
  t.equal(await refused.exit, 1)
  t.match(refused.stderr(), /\(UNAUTHORIZED\)/)
  const anonymous = cli(t, ['simulate', 'r', '--url', guarded.url])
  t.equal(await anonymous.exit, 1)
  t.match(anonymous.stderr(), /\(INVALID_TOKEN\)/)
})

t.test('A token that cannot be minted ends simulate', async (t) => {
  const { url, app } = await listen(t, { env: { API_KEYS: 'key', TOKEN_SECRET: 'a secret for tests with 32 bytes and more' } })
  t.intercept(app.broker, 'read', { value: async () => { throw new Error('bug') } })
  const { exit, stderr } = cli(t, ['simulate', 'r', '--url', url, '--api-key', 'key'])
  t.equal(await exit, 1)
  t.match(stderr(), /\(INTERNAL\)/)
})

t.test('If one payment fails, the others go on, and the number of finished payments is printed', async (t) => {
  const { url, app } = await listen(t)
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r-2' } })
  await app.inject({ method: 'DELETE', url: '/api/rooms/r-2' })
  const { exit, facts, stderr } = cli(t, ['simulate', 'r', '--payments', '3', '--pause', '0', '--url', url])
  t.equal(await exit, 1)
  t.match(facts().at(-1), { kind: 'done', payments: 3, done: 2 })
  t.equal(stderr(), 'ws-payment-server: The room is closed. (ROOM_CLOSED)\n')
})

t.test('Ctrl-C between two steps: exit 130', async (t) => {
  const { url } = await listen(t)
  const { exit, stop, says, facts } = cli(t, ['simulate', 'r', '--pause', '60000', '--url', url])
  await says(/ENTERED_SUMMARY/)
  stop()
  t.equal(await exit, 130)
  t.match(facts().at(-1), { kind: 'done', done: 0, events: 1 })
})
