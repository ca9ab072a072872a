// The commands join, watch, send and token against a server: their output, and their exit codes.
import net from 'node:net'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { build } from '../build.js'
import { freePort } from '../free-port.js'
import { until } from '../until.js'
import { listen } from '../build.js'
import { cli } from './terminal.js'

const SECRET = 'a secret for tests with 32 bytes and more'
const GUARDED = { API_KEYS: 'key,read:reader', TOKEN_SECRET: SECRET }

/** Facts of one kind. */
const of = (facts: any[], kind: string): any[] => facts.filter((fact) => fact.kind === kind)

/** Starts a server that is no ws-payment-server. */
async function strange (t: Test, answer: string | undefined): Promise<string> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (answer !== undefined) socket.once('data', () => socket.end(answer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`
}

t.test('join prints a JSON line for each fact into a pipe; send waits for the log', async (t) => {
  const { url } = await listen(t)
  const shop = cli(t, ['join', 'r', '--url', url, '--presence'])
  await shop.says(/"members"/)
  const fields = cli(t, ['send', 'r', 'DATA_FILLED', '--fields', 'name, email', '--url', url])
  t.equal(await fields.exit, 0)
  const success = cli(t, ['send', 'r', 'PAYMENT_SUCCESS', '--amount', '99.90', '--transaction-id', 'tx_1', '--currency', 'BRL', '--id', 'e1', '--url', url])
  t.equal(await success.exit, 0)
  t.match(success.facts(), [{ kind: 'receipt', roomId: 'r', type: 'PAYMENT_SUCCESS', id: 'e1', seq: 2, duplicate: false, epoch: String }])
  await shop.says(/succeeded/)
  t.match(of(shop.facts(), 'event'), [
    { type: 'DATA_FILLED', seq: 1, source: 'device', payload: { roomId: 'r', deviceId: 'device_2', fields: ['name', 'email'] } },
    { type: 'PAYMENT_SUCCESS', seq: 2, payload: { transactionId: 'tx_1', amount: 99.9, currency: 'BRL' }, id: 'e1' }
  ])
  t.match(shop.facts()[0], { kind: 'status', status: 'online', roomId: 'r', deviceId: 'device_1', transport: 'socket', state: { status: 'pending' } })
  t.match(of(shop.facts(), 'state'), [{ state: { step: 'DATA_FILLED' } }, { state: { status: 'succeeded' } }])
  t.match(of(shop.facts(), 'members').at(0), { members: [{ deviceId: 'device_1', role: 'device1' }] })
  shop.stop()
  t.equal(await shop.exit, 0, 'Ctrl-C ends join without an error')
  t.equal(shop.stderr(), '')
})

t.test('On a terminal join and send print lines for people, and JSON lines with --json', async (t) => {
  const { url, app } = await listen(t)
  const shop = cli(t, ['join', 'r', '--url', url, '--presence', '--device-id', 'till'], { isTTY: true, env: { NO_COLOR: '1' } })
  await shop.says(/^online {2}r as till: pending\nhere {4}till \(device1\)\n/)
  const error = cli(t, ['send', 'r', 'PAYMENT_ERROR', '--error', 'declined \u001b[31m', '--code', '51', '--id', 'e1', '--url', url], { isTTY: true, env: { NO_COLOR: '1' } })
  t.equal(await error.exit, 0)
  t.equal(error.stdout(), '#1      PAYMENT_ERROR is in the log (id e1)\n')
  const again = cli(t, ['send', 'r', 'PAYMENT_ERROR', '--code', '51', '--error', 'declined \u001b[31m', '--id', 'e1', '--url', url], { isTTY: true, env: { NO_COLOR: '1' } })
  t.equal(await again.exit, 0)
  t.equal(again.stdout(), '#1      PAYMENT_ERROR was already in the log (id e1)\n')
  await shop.says(/^#1 {6}PAYMENT_ERROR from device_2 \{"error":"declined \\u001b\[31m","code":"51"\}\nstate {3}failed, not verified\n/m)
  await shop.says(/^here {4}till \(device1\), device_2 \(device2\)\n/m)
  await app.inject({ method: 'POST', url: '/api/message/room/r/broadcast', payload: { eventType: 'NEWS', message: 'm', idSeguro: 's' } })
  await shop.says(/^#2 {6}NEWS from a backend \{"message":"m",/m)
  await app.inject({ method: 'POST', url: '/api/rooms/r/events', payload: { type: 'CLICKED_PAY' } })
  await shop.says(/^#3 {6}CLICKED_PAY from a device\nstate {3}pending, attempt 2, last error "declined \\u001b\[31m", last step CLICKED_PAY\n/m)
  const json = cli(t, ['send', 'r', 'PAYMENT_METHOD_CHANGED', '--method', 'pix', '--json', '--url', url], { isTTY: true })
  t.equal(await json.exit, 0)
  t.match(json.facts(), [{ kind: 'receipt', seq: 4 }])
  await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  t.equal(await shop.exit, 0)
  t.match(shop.stdout(), /^closed {2}the room has ended\n$/m)
})

t.test('The same event with the same id is a duplicate; another event with that id is refused', async (t) => {
  const { url } = await listen(t)
  const send = async (...args: string[]) => {
    const sent = cli(t, ['send', 'r', 'PAYMENT_SUCCESS', '--id', 'e1', '--url', url, ...args])
    return [await sent.exit, sent.facts()[0]?.duplicate, sent.stderr()]
  }
  t.strictSame(await send('--amount', '1'), [0, false, ''])
  t.strictSame(await send('--amount', '1.00'), [0, true, ''])
  t.strictSame(await send('--amount', '2'), [1, undefined, 'ws-payment-server: The id or idempotency key was already used for a different event. (ID_CONFLICT)\n'])
})

t.test('A refusal by the server is printed in the server\'s words, with exit 1', async (t) => {
  const { url, app } = await listen(t)
  for (const [args, sentence] of [
    [['send', '4111-1111-1111-1111', 'PAYMENT_ERROR'], /card number.+\(SENSITIVE_DATA\)\n$/],
    [['send', 'a b', 'CLICKED_PAY'], /payload\.roomId: .+\(INVALID_FRAME\)\n$/],
    [['watch', 'a b'], /roomId.+\(INVALID_REQUEST\)\n$/]
  ] as Array<[string[], RegExp]>) {
    const { exit, stdout, stderr } = cli(t, [...args, '--url', url])
    t.equal(await exit, 1)
    t.match(stderr(), sentence)
    t.equal(stdout(), '')
  }
  await app.inject({ method: 'POST', url: '/api/rooms', payload: { roomId: 'r' } })
  await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  for (const command of ['join', 'watch']) {
    const late = cli(t, [command, 'r', '--url', url])
    t.equal(await late.exit, 1)
    t.equal(late.stderr(), 'ws-payment-server: The room is closed. (ROOM_CLOSED)\n')
  }
})

t.test('watch receives every event over a stream, with the state, and resumes by itself', async (t) => {
  const { url, app } = await listen(t)
  const backend = cli(t, ['watch', 'r', '--url', url])
  await backend.says(/online/)
  t.match(backend.facts()[0], { transport: 'stream', deviceId: 'backend' })
  for (const [n, type] of ['ENTERED_SUMMARY', 'CLICKED_PAY', 'PAYMENT_SUCCESS'].entries()) {
    t.equal(await cli(t, ['send', 'r', type, '--url', url]).exit, 0)
    await until('watch received the event', () => of(backend.facts(), 'event').length > n)
    app.server.closeAllConnections()
    await until('watch is offline', () => of(backend.facts(), 'status').filter(({ status }) => status === 'offline').length > n)
  }
  await until('watch is online again', () => of(backend.facts(), 'status').at(-1).status === 'online')
  t.strictSame(of(backend.facts(), 'event').map(({ seq, type }) => [seq, type]), [[1, 'ENTERED_SUMMARY'], [2, 'CLICKED_PAY'], [3, 'PAYMENT_SUCCESS']])
  const states = backend.facts().flatMap(({ state }) => state ? [`${state.step} ${state.status}`] : [])
  t.strictSame([...new Set(states)], ['null pending', 'ENTERED_SUMMARY pending', 'CLICKED_PAY pending', 'CLICKED_PAY succeeded'])
  t.strictSame(of(backend.facts(), 'gap'), [])
  backend.stop()
  t.equal(await backend.exit, 0)
})

t.test('join reports a gap when a server restarts without its log', async (t) => {
  const first = await listen(t)
  const { url, port } = first
  t.equal(await cli(t, ['send', 'r', 'CLICKED_PAY', '--url', url]).exit, 0)
  const shop = cli(t, ['join', 'r', '--url', url], { isTTY: true, env: { NO_COLOR: '1' } })
  await shop.says(/^#1 /m)
  await first.app.close()
  await shop.says(/^offline reconnecting \(the server closed the connection: server restarting \(1012\)\)$/m)
  const { app } = await build(t)
  await app.listen({ port, host: '127.0.0.1' })
  await shop.says(/^gap {5}events may be missing before #1\nonline {2}r as device_1: pending$/m)
})

t.test('Without a server every command exits with 69 in time, and prints the reason', async (t) => {
  const port = await freePort()
  const commands = [['join', 'r'], ['watch', 'r'], ['send', 'r', 'CLICKED_PAY'], ['simulate', 'r'], ['token', 'r', '--role', 'device1', '--api-key', 'k']]
  await Promise.all(commands.map(async (args) => {
    const { exit, stderr } = cli(t, [...args, '--url', `ws://127.0.0.1:${port}`, '--timeout', '2'])
    t.equal(await exit, 69, args.join(' '))
    t.match(stderr(), /^ws-payment-server: .+ECONNREFUSED/)
  }))
})

t.test('A server that accepts the connection and sends nothing: exit 69 in time, too', async (t) => {
  const url = await strange(t, undefined)
  // A deadline that only a signal references may be collected as garbage, and then never fires.
  setFlagsFromString('--expose-gc')
  const collecting = setInterval(runInNewContext('gc') as () => void, 20)
  t.teardown(() => clearInterval(collecting))
  for (const args of [['join', 'r'], ['watch', 'r'], ['send', 'r', 'CLICKED_PAY'], ['token', 'r', '--role', 'device1', '--api-key', 'k']]) {
    const { exit, stderr } = cli(t, [...args, '--url', url, '--timeout', '0.3'])
    t.equal(await exit, 69, args.join(' '))
    t.match(stderr(), /within 0\.3 s|timeout/, 'the command\'s own deadline, and not the default of ten seconds')
  }
})

t.test('The answer of another kind of server is printed', async (t) => {
  const url = await strange(t, 'HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello')
  for (const command of ['watch', 'join']) {
    const { exit, stderr } = cli(t, [command, 'r', '--url', url])
    t.equal(await exit, 1, command)
    t.match(stderr(), /the server returned status 404: is it a ws-payment-server\?/)
  }
})

t.test('A request to a busy server is repeated until the timeout', async (t) => {
  const url = await strange(t, 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 40\r\n\r\n{"error":"Not now.","code":"UNAVAILABLE"}')
  const { exit, stderr } = cli(t, ['watch', 'r', '--url', url, '--timeout', '0.3'])
  t.equal(await exit, 69)
  t.match(stderr(), /within 0\.3 s/)
})

t.test('send exits with 69 when the event is not logged in time, and prints that its fate is unknown', async (t) => {
  const { url, app } = await listen(t)
  t.intercept(app.broker, 'publish', { value: () => new Promise(() => {}) })
  const { exit, stderr } = cli(t, ['send', 'r', 'CLICKED_PAY', '--id', 'e1', '--url', url, '--timeout', '3'])
  t.equal(await exit, 69)
  t.match(stderr(), /no response from ws:.+ within 3 s \(no response\): the event e1 may or may not be in the log\n$/)
})

t.test('send exits with 1 when the room closes before the event is logged', async (t) => {
  const { url, app } = await listen(t)
  const publish = app.broker.publish.bind(app.broker)
  const closeFirst = async (...args: Parameters<typeof publish>) => {
    await app.broker.closeRoom('r')
    return await publish(...args)
  }
  t.intercept(app.broker, 'publish', { value: closeFirst })
  const { exit, stderr } = cli(t, ['send', 'r', 'CLICKED_PAY', '--url', url])
  t.equal(await exit, 1)
  t.match(stderr(), /^ws-payment-server: The room (is|was) closed/)
})

t.test('With tokens required, a command needs one, and takes its device id from it', async (t) => {
  const { url, app } = await listen(t, { env: GUARDED })
  const env = { TOKEN_SECRET: SECRET }
  const mint = async (...args: string[]) => {
    const minted = cli(t, ['token', 'r', ...args], { env })
    t.equal(await minted.exit, 0)
    t.match(minted.stdout(), /^ey[\w-]+\.[\w-]+\.[\w-]+\n$/)
    return minted.stdout().trim()
  }
  const [tokenOfShop, tokenOfPhone] = [await mint('--role', 'device1'), await mint('--role', 'device2', '--device-id', 'phone-7', '--ttl', '60')]
  const early = cli(t, ['join', 'r', '--url', url, '--token', tokenOfShop])
  t.equal(await early.exit, 1)
  t.equal(early.stderr(), 'ws-payment-server: The room does not exist. (ROOM_NOT_FOUND)\n')
  await app.inject({ method: 'POST', url: '/api/rooms', headers: { authorization: 'Bearer key' }, payload: { roomId: 'r' } })

  const shop = cli(t, ['join', 'r', '--url', url, '--presence'], { env: { ROOM_TOKEN: tokenOfShop } })
  await shop.says(/online/)
  const sent = cli(t, ['send', 'r', 'CLICKED_PAY', '--url', url, '--token', tokenOfPhone])
  t.equal(await sent.exit, 0, sent.stderr())
  await shop.says(/CLICKED_PAY/)
  t.match(of(shop.facts(), 'event'), [{ payload: { deviceId: 'phone-7' } }])
  const phone = cli(t, ['join', 'r', '--url', url, '--token', tokenOfPhone])
  await phone.says(/"deviceId":"phone-7"/)

  for (const [args, sentence] of [
    [['send', 'r', 'CLICKED_PAY'], /INVALID_TOKEN/],
    [['send', 'r', 'CLICKED_PAY', '--token', 'nonsense'], /INVALID_TOKEN/],
    [['send', 'r', 'CLICKED_PAY', '--token', tokenOfPhone, '--device-id', 'other'], /FORBIDDEN/],
    [['send', 'other', 'CLICKED_PAY', '--token', tokenOfPhone], /FORBIDDEN/],
    [['watch', 'r'], /UNAUTHORIZED/],
    [['watch', 'r', '--api-key', 'wrong'], /UNAUTHORIZED|INVALID_TOKEN/]
  ] as Array<[string[], RegExp]>) {
    const refused = cli(t, [...args, '--url', url])
    t.equal(await refused.exit, 1, args.join(' '))
    t.match(refused.stderr(), sentence)
  }

  const backend = cli(t, ['watch', 'r', '--url', url, '--api-key', 'key'])
  await backend.says(/CLICKED_PAY/)
  await app.inject({ method: 'POST', url: '/api/rooms/r/events', headers: { authorization: 'Bearer key' }, payload: { type: 'PAYMENT_SUCCESS' } })
  await backend.says(/"verified":true/)
  const onTerminal = cli(t, ['watch', 'r', '--url', url], { isTTY: true, env: { NO_COLOR: '1', API_KEY: 'reader' } })
  await onTerminal.says(/^online {2}r as backend: succeeded, verified, last step CLICKED_PAY$/m)
})

t.test('send publishes as a backend with an API key, and join prints what became of the payment', async (t) => {
  const { url, app } = await listen(t, { env: { API_KEYS: 'key' } })
  await app.broker.createRoom('r', { amount: 200, currency: 'BRL' })
  const shop = cli(t, ['join', 'r', '--url', url], { isTTY: true, env: { NO_COLOR: '1' } })
  await shop.says(/^online {2}r as device_1: pending, paid 0 of 200 BRL \(none\)$/m)
  const env = { API_KEY: 'key' }
  const send = async (...args: string[]) => {
    const sent = cli(t, ['send', 'r', ...args, '--url', url], { env })
    t.equal(await sent.exit, 0, sent.stderr())
    return sent.facts()[0]
  }
  t.match(await send('PAYMENT_PENDING', '--reason', 'awaiting_payment', '--method', 'pix', '--expires-at', '1900000000000', '--id', 'e1'), {
    kind: 'receipt', roomId: 'r', type: 'PAYMENT_PENDING', id: 'e1', seq: 1, duplicate: false, epoch: String
  })
  t.match(await send('PAYMENT_PENDING', '--reason', 'awaiting_payment', '--method', 'pix', '--expires-at', '1900000000000', '--id', 'e1'), { seq: 1, duplicate: true })
  await shop.says(/^#1 {6}PAYMENT_PENDING from a backend \{"method":"pix","reason":"awaiting_payment","expiresAt":1900000000000\}\nstate {3}processing, verified, paid 0 of 200 BRL \(none\)$/m)
  await send('PAYMENT_ERROR', '--error', 'declined', '--api-key', 'key')
  await shop.says(/^state {3}failed, verified, paid 0 of 200 BRL \(none\)$/m)
  await send('CLICKED_PAY')
  await shop.says(/^#3 {6}CLICKED_PAY from device_2\nstate {3}pending, paid 0 of 200 BRL \(none\), attempt 2, last error "declined", last step CLICKED_PAY$/m)
  await send('PAYMENT_CANCELLED', '--reason', 'by the shop')
  await send('PAYMENT_SUCCESS', '--amount', '150.10', '--currency', 'BRL', '--transaction-id', 'tx_1', '--api-key', 'key')
  await shop.says(/^state {3}processing, verified, late, paid 150\.1 of 200 BRL \(under\), attempt 2/m)
  await send('PAYMENT_SUCCESS', '--amount', '49.90', '--currency', 'BRL', '--transaction-id', 'tx_2', '--api-key', 'key')
  await shop.says(/^state {3}succeeded, verified, late, paid 200 of 200 BRL \(exact\), attempt 2/m)
  await send('PAYMENT_REFUNDED', '--amount', '20', '--currency', 'BRL', '--refund-id', 're_1', '--transaction-id', 'tx_1')
  await shop.says(/^state {3}partially_refunded, verified, late, paid 200 of 200 BRL \(exact\), refunded 20, attempt 2/m)
  await send('PAYMENT_DISPUTED', '--outcome', 'lost', '--reason', 'fraud')
  await shop.says(/^state {3}disputed, verified/m)

  const watch = cli(t, ['watch', 'r', '--url', url], { env })
  await watch.says(/"status":"disputed"/)
  t.match(of(watch.facts(), 'status')[0].state, { status: 'disputed', attempt: 2, lastError: { error: 'declined' }, paid: 200, refunded: 20, balance: 'exact' })
})

t.test('send keeps every digit of an amount, and prints the refusal of a backend\'s event', async (t) => {
  const { url, app } = await listen(t, { env: { API_KEYS: 'key,read:reader' } })
  const shop = cli(t, ['join', 'r', '--url', url])
  await shop.says(/online/)
  const exact = cli(t, ['send', 'r', 'PAYMENT_SUCCESS', '--amount', '0.0000001', '--url', url])
  t.equal(await exact.exit, 0, exact.stderr())
  await shop.says(/succeeded/)
  t.equal(of(shop.facts(), 'event')[0].payload.amount, '0.0000001')
  for (const [args, sentence] of [
    [['--amount', '1234567890123456.78', '--api-key', 'key'], /payload\.amount: expected .+\(INVALID_FRAME\)\n$/],
    [['--amount', '5', '--api-key', 'reader'], /\(FORBIDDEN\)\n$/],
    [['--amount', '5', '--api-key', 'wrong'], /\(UNAUTHORIZED\)\n$/]
  ] as Array<[string[], RegExp]>) {
    const refused = cli(t, ['send', 'r', 'PAYMENT_REFUNDED', ...args, '--url', url])
    t.equal(await refused.exit, 1, args.join(' '))
    t.match(refused.stderr(), sentence)
  }
  t.intercept(app.broker, 'publish', { value: () => new Promise(() => {}) })
  const { exit, stderr } = cli(t, ['send', 'r', 'PAYMENT_CANCELLED', '--id', 'e1', '--api-key', 'key', '--url', url, '--timeout', '1'])
  t.equal(await exit, 69)
  t.match(stderr(), /no response from http:.+ within 1 s: the event e1 may or may not be in the log\n$/)
})

t.test('token gets a token through the API, and can create the room first', async (t) => {
  const { url } = await listen(t, { env: GUARDED })
  const missing = cli(t, ['token', 'r', '--role', 'device2', '--url', url, '--api-key', 'key'])
  t.equal(await missing.exit, 1)
  t.equal(missing.stderr(), 'ws-payment-server: The room does not exist. (ROOM_NOT_FOUND)\n')
  for (let n = 0; n < 2; n++) {
    const minted = cli(t, ['token', 'r', '--role', 'device2', '--create', '--ttl', '60', '--json', '--url', url], { env: { API_KEY: 'key' } })
    t.equal(await minted.exit, 0, minted.stderr())
    t.match(minted.facts(), [{ kind: 'token', token: /^ey/, expiresAt: Number }])
    t.ok(minted.facts()[0].expiresAt <= Date.now() + 60_000)
    t.equal(await cli(t, ['send', 'r', 'CLICKED_PAY', '--url', url, '--token', minted.facts()[0].token]).exit, 0)
  }
  const reader = cli(t, ['token', 'r2', '--role', 'device2', '--create', '--url', url, '--api-key', 'reader'])
  t.equal(await reader.exit, 1)
  t.match(reader.stderr(), /\(FORBIDDEN\)/)
  const stopped = cli(t, ['token', 'r', '--role', 'device2', '--url', await strange(t, undefined), '--api-key', 'key'])
  stopped.stop()
  t.equal(await stopped.exit, 130)
})

t.test('token mints nothing with a secret that no server would accept', async (t) => {
  for (const secret of ['short', ' , ']) {
    const { exit, stdout, stderr } = cli(t, ['token', 'r', '--role', 'device1'], { env: { TOKEN_SECRET: secret } })
    t.equal(await exit, 64)
    t.equal(stdout(), '')
    t.match(stderr(), /TOKEN_SECRET must contain secrets of at least 32 bytes each/)
    t.notMatch(stderr(), 'short')
  }
  const { exit, stderr } = cli(t, ['token', 'r', '--role', 'device1', '--create'], { env: { TOKEN_SECRET: SECRET } })
  t.equal(await exit, 64)
  t.match(stderr(), /--create requires --api-key/)
})

t.test('Ctrl-C before the command is done: exit 130', async (t) => {
  const url = await strange(t, undefined)
  for (const args of [['join', 'r'], ['send', 'r', 'CLICKED_PAY']]) {
    const { exit, stop, stderr } = cli(t, [...args, '--url', url])
    stop()
    t.equal(await exit, 130)
    t.equal(stderr(), 'ws-payment-server: interrupted\n')
  }
})
