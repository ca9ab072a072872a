// Thousands of requests, generated from openapi.yaml: no answer may be a 500 or differ from the document.
// Options for more or other requests: FUZZ_REQUESTS=25000 FUZZ_SEED=7 npm test -- test/openapi-fuzz.test.ts
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { Failure } from '../src/errors.js'
import { listen } from './build.js'
import { document as documentOf } from './contracts.js'
import { Server } from './openapi-fuzz/answers.js'
import { Contract } from './openapi-fuzz/contract.js'
import { randomOf, type Random } from './openapi-fuzz/random.js'
import { Requests, type Request } from './openapi-fuzz/requests.js'
import { ROOMS } from './openapi-fuzz/values.js'
import { Peer } from './peer.js'
import { until } from './until.js'

/** Number of requests over all configurations. */
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 3000)
const SEED = Number(process.env.FUZZ_SEED ?? 1)
t.setTimeout(300_000 + 100 * REQUESTS)
/** Number of reported faults after which a configuration is given up. */
const MAX_FAULTS = 10

/** Lets rooms have a URL for webhooks. */
const WEBHOOKS = { WEBHOOK_SECRET: `whsec_${Buffer.alloc(24, 'x').toString('base64')}` }
const KEYS = { API_KEYS: 'key,read:reader' }
const TOKENS = { ...KEYS, TOKEN_SECRET: 'a secret that has thirty-two bytes or more' }
/** Heartbeat for sockets without a network, which answer no pings and should outlast many requests. */
const QUIET = { HEARTBEAT_SECONDS: '3600' }
const AS_KEYS = ['Bearer key', 'Bearer key', 'Bearer key', 'bearer key', 'Bearer reader']

interface Configuration {
  readonly env: Record<string, string>
  /** Valid credentials of callers, besides invalid ones. */
  readonly credentials?: (app: FastifyInstance) => Promise<string[]>
  readonly prepare?: (t: Test, app: FastifyInstance, random: Random) => unknown
}

const CONFIGURATIONS: Readonly<Record<string, Configuration>> = {
  'an open server': { env: {} },
  'a server with API keys': { env: KEYS, credentials: async () => AS_KEYS },
  'a server with room tokens': { env: { ...TOKENS, RESULTS_FROM: 'backend' }, credentials: async (app) => [...AS_KEYS, ...await tokensOf(app)] },
  'a server with narrow limits': {
    env: { REQUESTS_PER_SECOND: '20', MAX_MESSAGE_BYTES: '256', ROOM_LOG_SIZE: '3', ALLOWED_ORIGINS: 'https://shop.example' }
  },
  'a server whose rooms are full': { env: { MAX_ROOM_MEMBERS: '1', ...QUIET }, prepare: fillRooms },
  'a server with the maximum number of connections of one address': { env: { MAX_CONNECTIONS_PER_IP: '1', ...QUIET }, prepare: fillRooms },
  'a server whose broker is away half of the time': { env: TOKENS, credentials: async () => AS_KEYS, prepare: failAtRandom }
}

/** Tokens for a room of the requests, for another room, and an expired one. */
async function tokensOf ({ tokens }: FastifyInstance): Promise<string[]> {
  const grants = [{ roomId: 'r0', role: 'device1' }, { roomId: 'r1', role: 'device2' }, { roomId: 'r0', role: 'device2', deviceId: 'phone' }, { roomId: 'elsewhere', role: 'device1' }] as const
  const valid = await Promise.all(grants.map((grant) => tokens!.sign(grant, 3_600_000)))
  const expired = await tokens!.sign(grants[0], -3_600_000)
  return [...valid, expired].map(({ token }) => `Bearer ${token}`)
}

/** Joins every room with one socket. */
async function fillRooms (t: Test, app: FastifyInstance): Promise<void> {
  const peer = await Peer.inject(t, app)
  for (const roomId of ROOMS) await peer.join(roomId)
}

function failAtRandom (_t: Test, app: FastifyInstance, { chance }: Random): void {
  const broker = app.broker as unknown as Record<string, (...args: unknown[]) => unknown>
  for (const name of ['createRoom', 'listRooms', 'read', 'closeRoom', 'publish', 'publishAll', 'subscribe']) {
    const real = broker[name]!.bind(broker)
    broker[name] = async (...args) => chance(0.5) ? new Failure('UNAVAILABLE') : real(...args)
  }
  app.broker.ready = () => chance(0.5)
}

function shown ({ method, target, headers, body, over }: Request): string {
  const cut = (text: string) => text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text
  return `${method} ${cut(target)} ${cut(JSON.stringify(headers))} ${body ? cut(JSON.stringify(String(body))) : 'without a body'} (${over})`
}

const document = documentOf('openapi.yaml')
const contract = new Contract(document)
const names = Object.keys(CONFIGURATIONS)

for (const [place, [name, { env, credentials, prepare }]] of Object.entries(CONFIGURATIONS).entries()) {
  t.test(`${name}: every request is answered as in the document, and none with a 500`, async (t) => {
    const { app, port, logs } = await listen(t, { env: { DOCS: 'false', ...WEBHOOKS, ...env } })
    // No webhook is sent: the hosts of the examples are not the test's.
    app.notifier!.queue.start(async () => undefined)
    await prepare?.(t, app, randomOf(SEED * 1000 + 500 + place))
    const server = new Server(app, port)
    t.teardown(() => server.close())
    const requests = new Requests(document, randomOf(SEED * 1000 + place), await credentials?.(app) ?? [])
    const count = Math.ceil(REQUESTS / names.length)
    let faulty = 0
    for (let n = 1; n <= count && faulty < MAX_FAULTS; n++) {
      const request = requests.next()
      const answer = await server.send(request).catch((error: Error) => error)
      const faults = answer instanceof Error ? [`no answer: ${answer.message}`] : contract.faults(request, answer)
      if (faults.length === 0) continue
      faulty++
      t.fail(`FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS}, request ${n} of ${name}: ${faults.join('; ')}\n${shown(request)}\n${answer instanceof Error ? '' : `${answer.status} ${answer.text.slice(0, 500)}`}`)
    }
    t.equal(faulty, 0)
    t.strictSame(logs.filter(({ level }) => level >= 50), [], 'no failure is logged')
    await until(() => `every stream is gone: ${JSON.stringify(app.sessions.counts())}`, () => app.sessions.counts().stream === 0)
    t.equal((await app.inject('/health')).statusCode, 200)
  })
}

t.test('the requests reached every operation and every expected status', async (t) => {
  const statuses = new Set([...contract.met.keys()].map((key) => key.split(' ')[1]))
  // A webhook needs the signature of its provider (test/providers), and one that is sent again a receiver (test/webhooks).
  const elsewhere = ['receiveWebhook', 'retryWebhookDelivery']
  const operations = Object.values<object>(document.paths).flatMap((item) => Object.values<{ operationId: string }>(item as never))
  for (const operation of operations.filter(({ operationId }) => !elsewhere.includes(operationId))) {
    t.ok([200, 201, 204].some((status) => contract.met.has(`${operation.operationId} ${status}`)), `${operation.operationId} succeeded`)
  }
  for (const status of [400, 401, 403, 404, 409, 410, 413, 414, 415, 417, 429, 431, 503]) t.ok(statuses.has(String(status)), `${status} was answered`)
  t.comment(`seed ${SEED}, ${REQUESTS} requests: ${[...contract.met].sort().map(([key, times]) => `${key} × ${times}`).join(', ')}`)
})
