// SDK: generated from the current contract, and used against a server as in docs/sdk.md.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { sdkFiles } from '../scripts/sdk.js'
import { createPaymentClient, type ErrorCode } from '../sdk/index.js'
import { ROOT, VERSION } from '../src/root.js'
import { listen } from './build.js'
import { Peer } from './peer.js'
import { plainNode } from './plain-node.js'

const KEY = 'sdk-test-key'
const env = { API_KEYS: `${KEY},read:looker`, TOKEN_SECRET: 'a secret that has thirty-two bytes or more' }
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const inRoom = (roomId: string) => ({ params: { path: { roomId } } })

async function serve (t: Test) {
  const { url, port } = await listen(t, { env })
  const baseUrl = `http://127.0.0.1:${port}`
  return { url, baseUrl, payments: createPaymentClient({ baseUrl, apiKey: KEY }) }
}

t.test('the generated files are current', async (t) => {
  const files = await sdkFiles()
  t.strictSame([...files.keys()].sort(), ['index.d.ts', 'index.js', 'schema.d.ts'])
  for (const [name, expected] of files) t.ok(read(join('sdk', name)) === expected, `sdk/${name}: run \`npm run sdk\``)
})

t.test('the package has the version of the server, and depends on the tested version of openapi-fetch', async (t) => {
  const { version, dependencies } = JSON.parse(read('sdk/package.json'))
  t.equal(version, VERSION)
  const { devDependencies } = JSON.parse(read('package.json'))
  t.strictSame(dependencies, { 'openapi-fetch': devDependencies['openapi-fetch'] })
  for (const language of ['python', 'php']) t.ok(read(`sdk/generators/${language}.yaml`).includes(`ersion: ${VERSION}\n`), `${language} has the same version`)
})

t.test('the SDK runs a payment from the creation of its room to the close', async (t) => {
  const { url, payments } = await serve(t)
  const room = inRoom('r')
  const created = await payments.POST('/api/rooms', { body: { roomId: 'r' } })
  t.equal(created.response.status, 201)
  const { tokens } = created.data!.data
  const minted = await payments.POST('/api/rooms/{roomId}/tokens', { ...room, body: { role: 'device2', deviceId: 'phone' } })
  const shop = await Peer.connect(t, url)
  shop.send('JOIN_ROOM', { roomId: 'r', token: tokens!.device1 })
  await shop.next('ROOM_JOINED')
  const payer = await Peer.connect(t, url)
  payer.send('JOIN_ROOM', { roomId: 'r', token: minted.data!.data.token })
  t.match((await payer.next('ROOM_JOINED')).payload, { deviceId: 'phone' })

  const broadcast = await payments.POST('/api/message/room/{roomId}/broadcast', { ...room, body: { eventType: 'NEWS', message: 'm', idSeguro: 'i' } })
  t.equal(broadcast.data!.data.sentToClients, 2)
  await shop.next('NEWS')
  const published = await payments.POST('/api/rooms/{roomId}/events', { ...room, body: { type: 'PAYMENT_SUCCESS', payload: { transactionId: 'tx' }, id: 'psp-1' } })
  t.match(published.data!.data, { seq: 2, duplicate: false, sentToClients: 2 })
  t.match(await payer.next('PAYMENT_SUCCESS'), { source: 'api', id: 'psp-1' })

  const { data: looked } = await payments.GET('/api/rooms/{roomId}', room)
  t.match(looked!.data, { seq: 2, state: { status: 'succeeded', outcome: { verified: true, transactionId: 'tx' } }, members: { length: 2 } })
  const { data: log } = await payments.GET('/api/rooms/{roomId}/events', { params: { ...room.params, query: { since: 1, epoch: looked!.data.epoch } } })
  t.strictSame(log!.data.events.map(({ seq, type }) => [seq, type]), [[2, 'PAYMENT_SUCCESS']])
  const { data: list } = await payments.GET('/api/rooms', { params: { query: { limit: 1 } } })
  t.strictSame(list!.data.rooms.map(({ roomId }) => roomId), ['r'])

  const closed = await payments.DELETE('/api/rooms/{roomId}', room)
  t.equal(closed.response.status, 204)
  t.equal(closed.error, undefined)
  await shop.next('ROOM_CLOSED')
})

t.test('a refused request gives an error value with a code', async (t) => {
  const { baseUrl, payments } = await serve(t)
  const codeOf = ({ error, response }: { error?: { code: ErrorCode }, response: Response }): [number, ErrorCode | undefined] => [response.status, error?.code]
  const as = (apiKey?: string) => createPaymentClient({ baseUrl, ...(apiKey !== undefined && { apiKey }) })
  t.strictSame(codeOf(await as().GET('/api/rooms')), [401, 'UNAUTHORIZED'])
  t.strictSame(codeOf(await as('wrong').GET('/api/rooms')), [401, 'UNAUTHORIZED'])
  t.strictSame(codeOf(await as('looker').POST('/api/rooms', { body: {} })), [403, 'FORBIDDEN'])
  t.strictSame(codeOf(await payments.GET('/api/rooms/{roomId}', inRoom('none'))), [404, 'ROOM_NOT_FOUND'])
  await payments.POST('/api/rooms', { body: { roomId: 'r' } })
  t.strictSame(codeOf(await payments.POST('/api/rooms', { body: { roomId: 'r' } })), [409, 'ROOM_EXISTS'])
  const broken = await payments.POST('/api/rooms', { body: { ttlSeconds: 0 } })
  t.match(broken.error, { success: false, code: 'INVALID_REQUEST', details: [{ key: 'ttlSeconds', rule: 'must be >= 1' }] })
  await payments.DELETE('/api/rooms/{roomId}', inRoom('r'))
  t.strictSame(codeOf(await payments.GET('/api/rooms/{roomId}', inRoom('r'))), [410, 'ROOM_CLOSED'])
})

t.test('public routes answer without a key, and the client accepts another fetch', async (t) => {
  const { baseUrl } = await serve(t)
  const asked: string[] = []
  const open = createPaymentClient({ baseUrl, fetch: (request) => { asked.push(`${request.method} ${request.headers.get('authorization')}`); return fetch(request) } })
  t.equal((await open.GET('/health')).data?.status, 'ok')
  t.equal((await open.GET('/ready')).data?.checks.broker, 'up')
  t.equal((await open.GET('/')).data?.version, VERSION)
  t.strictSame(asked, ['GET null', 'GET null', 'GET null'])
})

t.test('the program in docs/sdk.md compiles and prints the expected output', async (t) => {
  const { baseUrl } = await serve(t)
  const blocks = [...read('docs/sdk.md').matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, block]) => block!)
  t.ok(blocks.length >= 5)
  // A project with the package installed: Node.js finds it by its name, through its exports.
  const folder = t.testdir({
    'package.json': '{"type":"module"}',
    'program.ts': blocks.join('\n'),
    node_modules: { 'ws-payment-server-sdk': t.fixture('symlink', join(ROOT, 'sdk')) }
  })
  const require = createRequire(import.meta.url)
  const run = async (...args: string[]) => {
    const child = spawn(...plainNode(...args), { cwd: folder, env: { PATH: process.env.PATH, PAYMENTS_URL: baseUrl, PAYMENTS_KEY: KEY }, timeout: 60_000 })
    return Promise.all([text(child.stdout), text(child.stderr)])
  }
  const flags = ['--noEmit', '--strict', '--noUnusedLocals', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
  t.strictSame(await run(require.resolve('typescript/bin/tsc'), ...flags, 'program.ts'), ['', ''])
  const [output, complaints] = await run('--import', import.meta.resolve('tsx'), 'program.ts')
  t.equal(complaints, '')
  const token = /eyJ[\w-]+\.[\w-]+\.[\w-]+/
  const lines = output.trimEnd().split('\n')
  t.match(lines.splice(0, 3), ['shop', 'payer', 'phone'].map((name) => new RegExp(`^${name}: ${token.source}$`)))
  t.strictSame(lines, [
    'published: 2', 'state: succeeded true', 'event: 1 PAYMENT_UPDATE api', 'event: 2 PAYMENT_SUCCESS api', 'there already', 'said once: true', 'closed: 204'
  ])
})
