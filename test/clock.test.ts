// The wall clock is put back and forward, by a minute and by a day, over everything that lasts: nothing begins, ends, is refused or is kept because of it.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { mock } from 'node:test'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { CHECK_INTERVAL } from '../src/broker/redis/room-sync.js'
import { BEAT_INTERVAL } from '../src/broker/redis/nodes.js'
import { SWEEP_INTERVAL } from '../src/broker/redis/redis-broker.js'
import { ROOT } from '../src/root.js'
import { build } from './build.js'
import { FakeServer } from './client/fake-server.js'
import { Peer } from './peer.js'
import { startRedis, withoutRedis, type RedisServer } from './redis.js'
import { until } from './until.js'

const [MINUTE, DAY] = [60_000, 86_400_000]

interface Step { readonly name: string, readonly by: number, /** It is put right again as soon as time passes. */ readonly andBack?: boolean }
const STEPS: readonly Step[] = [
  { name: 'a minute back', by: -MINUTE },
  { name: 'a minute forward', by: MINUTE },
  { name: 'a day back', by: -DAY },
  { name: 'a day forward', by: DAY },
  { name: 'a day back, and forward again', by: -DAY, andBack: true },
  { name: 'a day forward, and back again', by: DAY, andBack: true }
]

// Time stands still unless it is moved, for whatever reads the wall clock in this process.
const START = Date.UTC(2026, 10, 24)
const clock = { passed: 0, off: 0 }
const wall = (): number => START + clock.passed + clock.off
const dateNow = Date.now
// 36 pairs of nodes over Redis, each of which waits about a second until it is ready.
t.setTimeout(600_000)
t.before(() => { Date.now = wall })
t.teardown(() => { Date.now = dateNow })

const API_KEY = 'key'
const KEY = { authorization: `Bearer ${API_KEY}` }
const TOKENS = { TOKEN_SECRET: 'a secret with at least 32 bytes of it', API_KEYS: API_KEY }

/** An app whose wall clock is off by nothing yet. Its monotonic clock begins elsewhere, as a real one does. */
async function start (t: Test, step: Step, env: Record<string, string> = {}) {
  clock.off = clock.passed = 0
  const { app } = await build(t, { env, monotonic: () => 5_000 + clock.passed })
  return {
    app,
    connect: () => Peer.inject(t, app),
    /** The wall clock is set. */
    step: () => { clock.off = step.by },
    /** Time passes. */
    pass: (ms: number) => {
      if (step.andBack) clock.off = 0
      clock.passed += ms
    },
    rest: async (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object, headers: Record<string, string> = {}) => {
      const answer = await app.inject({ method, url, ...(payload && { payload }), headers })
      return { status: answer.statusCode, data: answer.body === '' ? undefined : answer.json().data }
    }
  }
}

type World = Awaited<ReturnType<typeof start>>

interface Timer {
  readonly what: string
  readonly env?: Record<string, string>
  readonly holds: (t: Test, world: World) => Promise<void>
}

/** What is looked at about once a second, now. */
async function tick (app: FastifyInstance): Promise<void> {
  mock.timers.tick(1_000)
  await app.broker.tick()
}

const event = { type: 'CLICKED_PAY', payload: {} }

const TIMERS: readonly Timer[] = [
  {
    what: 'REST requests are refused for the rest of a second, no more and no less',
    env: { REQUESTS_PER_SECOND: '2' },
    holds: async (t, { rest, step, pass }) => {
      const ask = async () => (await rest('GET', '/api/server/status')).status
      t.strictSame([await ask(), await ask(), await ask()], [200, 200, 429])
      step()
      t.equal(await ask(), 429)
      pass(999)
      t.equal(await ask(), 429)
      pass(1)
      t.strictSame([await ask(), await ask(), await ask()], [200, 200, 429])
    }
  },
  {
    what: 'messages of a socket are refused until one more is due',
    env: { MESSAGES_PER_SECOND: '1', MESSAGES_BURST: '2' },
    holds: async (t, { connect, step, pass }) => {
      const phone = await connect()
      const send = async (id: string) => {
        phone.send('CLICKED_PAY', { roomId: 'r' }, id)
        // It is answered at once; whichever answer it is.
        await until('it is answered', () => phone.frames.some(({ payload }) => payload.id === id))
        return phone.frames.find(({ payload }) => payload.id === id)!.type
      }
      t.strictSame([await send('a'), await send('b'), await send('c')], ['ACK', 'ACK', 'ERROR'])
      step()
      t.equal(await send('d'), 'ERROR')
      pass(1_000)
      t.strictSame([await send('e'), await send('f')], ['ACK', 'ERROR'])
    }
  },
  {
    what: 'invalid frames are counted over a minute',
    holds: async (t, { connect, step, pass }) => {
      const [one, other] = [await connect(), await connect()]
      for (const peer of [one, other]) for (let n = 0; n < 10; n++) peer.socket.send('{')
      await Promise.all([one.settled(), other.settled()])
      step()
      one.socket.send('{')
      t.equal(await one.closed, 4501)
      pass(MINUTE)
      for (let n = 0; n < 10; n++) other.socket.send('{')
      await other.settled()
      t.equal(other.socket.readyState, 1)
    }
  },
  {
    what: 'a socket has its time to join',
    env: { ...TOKENS, JOIN_TIMEOUT_SECONDS: '10' },
    holds: async (t, { app, connect, step, pass }) => {
      const peer = await connect()
      step()
      pass(9_999)
      await tick(app)
      await peer.settled()
      pass(1)
      await tick(app)
      t.equal(await peer.closed, 4502)
    }
  },
  {
    what: 'a socket and a stream that a token let in stay for as long as the token had',
    env: TOKENS,
    holds: async (t, { app, connect, rest, step, pass }) => {
      await rest('POST', '/api/rooms', { roomId: 'r' }, KEY)
      const { data: { token } } = await rest('POST', '/api/rooms/r/tokens', { role: 'device1', ttlSeconds: 60 }, KEY)
      const peer = await connect()
      peer.send('JOIN_ROOM', { roomId: 'r', token })
      await peer.next('ROOM_JOINED')
      await app.listen({ port: 0, host: '127.0.0.1' })
      const { port } = app.server.address() as AddressInfo
      const request = http.get({ port, host: '127.0.0.1', agent: false, path: '/api/rooms/r/events', headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` } })
      const [answer] = await once(request, 'response') as [http.IncomingMessage]
      t.equal(answer.statusCode, 200)
      const ended = once(answer.resume(), 'end')
      step()
      pass(59_999)
      await tick(app)
      await peer.settled()
      t.notOk(answer.readableEnded)
      t.equal(app.sessions.size, 2)
      pass(1)
      await tick(app)
      t.equal(await peer.closed, 4005)
      await ended
    }
  },
  {
    what: 'every heartbeat pings, and a pong that is due counts',
    env: { HEARTBEAT_SECONDS: '25' },
    holds: async (t, { connect, step, pass }) => {
      const peer = await connect()
      let pings = 0
      peer.socket.on('ping', () => { pings++ })
      step()
      pass(25_000)
      mock.timers.tick(25_000)
      await until('it is pinged', () => pings === 1)
      await peer.settled()
      t.equal(peer.socket.readyState, 1)
    }
  },
  {
    what: 'a device is away unnoticed for its grace',
    env: { PRESENCE_GRACE_SECONDS: '1' },
    holds: async (t, { connect, step, pass }) => {
      const [shop, phone] = [await connect(), await connect()]
      shop.send('JOIN_ROOM', { roomId: 'r', deviceId: 'shop', presence: true })
      await shop.next('ROOM_JOINED')
      await phone.join('r', 'phone')
      phone.socket.terminate()
      await phone.closed
      step()
      await shop.settled()
      t.notOk(shop.frames.some(({ type }) => type === 'DEVICE_LEFT'))
      pass(1_000)
      t.equal((await shop.next('DEVICE_LEFT')).payload.deviceId, 'phone')
    }
  },
  {
    what: 'an empty room is kept for its retention',
    env: { ROOM_RETENTION_SECONDS: '60' },
    holds: async (t, { app, rest, step, pass }) => {
      await rest('POST', '/api/rooms/r/events', event)
      step()
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 200)
      pass(59_999)
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 200)
      pass(1)
      t.equal((await rest('GET', '/api/rooms/r')).status, 404)
    }
  },
  {
    what: 'a room that somebody is in is kept, and begins its retention when they leave',
    env: { ROOM_RETENTION_SECONDS: '60' },
    holds: async (t, { app, connect, rest, step, pass }) => {
      const peer = await connect()
      await peer.join('r')
      pass(600_000)
      step()
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 200)
      peer.send('LEAVE_ROOM', { roomId: 'r' })
      await peer.next('ROOM_LEFT')
      pass(59_999)
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 200)
      pass(1)
      t.equal((await rest('GET', '/api/rooms/r')).status, 404)
    }
  },
  {
    what: 'a room with a deadline ends then, keeps the one that was told, and is remembered for a retention',
    env: { ROOM_RETENTION_SECONDS: '60' },
    holds: async (t, { app, connect, rest, step, pass }) => {
      const { data: { expiresAt } } = await rest('POST', '/api/rooms', { roomId: 'r', ttlSeconds: 300 })
      t.equal(expiresAt, START + 300_000)
      const peer = await connect()
      await peer.join('r')
      step()
      pass(299_999)
      await tick(app)
      t.match(await rest('GET', '/api/rooms/r'), { status: 200, data: { expiresAt } })
      t.notOk(peer.frames.some(({ type }) => type === 'ROOM_CLOSED'))
      pass(1)
      await tick(app)
      t.equal((await peer.next('ROOM_CLOSED')).payload.reason, 'expired')
      step()
      pass(59_999)
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 410)
      pass(1)
      t.equal((await rest('GET', '/api/rooms/r')).status, 404)
    }
  },
  {
    what: 'a room that was closed is remembered for a retention',
    env: { ROOM_RETENTION_SECONDS: '60' },
    holds: async (t, { app, rest, step, pass }) => {
      await rest('POST', '/api/rooms', { roomId: 'r' })
      t.equal((await rest('DELETE', '/api/rooms/r')).status, 204)
      step()
      await tick(app)
      t.equal((await rest('POST', '/api/rooms/r/events', event)).status, 410)
      pass(59_999)
      await tick(app)
      t.equal((await rest('POST', '/api/rooms/r/events', event)).status, 410)
      pass(1)
      t.equal((await rest('POST', '/api/rooms/r/events', event)).status, 201)
    }
  },
  {
    what: 'a repeated request gets its first answer',
    holds: async (t, { rest, step, pass }) => {
      const send = () => rest('POST', '/api/rooms/r/events', event, { 'idempotency-key': 'k' })
      const first = await send()
      step()
      t.strictSame(await send(), first)
      pass(MINUTE)
      t.strictSame(await send(), first)
    }
  },
  {
    what: 'uptime only grows, and what is told is the wall clock\'s time',
    holds: async (t, { connect, rest, step, pass }) => {
      const peer = await connect()
      await peer.join('r')
      pass(1_000)
      step()
      t.match((await rest('GET', '/api/server/status')).data, { uptime: 1_000, timestamp: wall() })
      await rest('POST', '/api/rooms/r/events', event)
      t.equal((await peer.next('CLICKED_PAY')).timestamp, wall())
      pass(1_000)
      t.match((await rest('GET', '/api/server/status')).data, { uptime: 2_000, timestamp: wall() })
    }
  }
]

for (const { what, env, holds } of TIMERS) {
  t.test(what, async (t) => {
    for (const step of STEPS) {
      await t.test(step.name, async (t) => {
        // Begun before the app, so that its intervals are these; its timers for single things are real.
        mock.timers.enable({ apis: ['setInterval'] })
        try {
          await holds(t, await start(t, step, env))
        } finally {
          mock.timers.reset()
        }
      })
    }
  })
}

t.test('a client waits as long as after a first failure only where a link held for ten seconds', async (t) => {
  for (const { name, by, andBack } of STEPS) {
    let off = 0
    const server = new FakeServer()
    server.connect({ random: () => 0.999999, socketAttempts: Infinity, now: () => server.clock.now + off })
    /** @returns how long the client waits after a link that held for so long, while the clock was set */
    const waitAfter = async (ms: number) => {
      off = 0
      await server.clock.advance(10)
      off = by
      await server.clock.advance(ms)
      if (andBack) off = 0
      server.socket.end(1006)
      const before = server.clock.now
      const { length } = server.sockets.all
      while (server.sockets.all.length === length) await server.clock.advance(1)
      return server.clock.now - before
    }
    t.strictSame([await waitAfter(0), await waitAfter(9_000), await waitAfter(10_000)], [2_000, 4_000, 2_000], name)
  }
})

t.test('the wall clock is read in three places', async (t) => {
  const readers = ['src', 'plugins', 'routes'].flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts')).map((name) => join(folder, name)))
    .filter((file) => /\bDate\.now\b|\bnew Date\(\)|\bDate\(\)/.test(readFileSync(join(ROOT, file), 'utf8')))
  // The server's and the command line's; the client's, for the time of its own events; and that of log lines.
  t.strictSame(readers.sort(), ['src/client/environment.ts', 'src/clock.ts', 'src/logger.ts'])
})

t.test('over Redis', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  let count = 0

  /** A node whose wall clock will be off, and another one on Redis' time. Their monotonic clocks move with `pass`, that of Redis by itself. */
  const nodes = async (t: Test, step: Step, env: Record<string, string> = {}) => {
    const prefix = `clock${++count}`
    const settings = { REDIS_URL: redis.url, REDIS_PREFIX: prefix, ...env }
    const world = await start(t, step, settings)
    const { app: other } = await build(t, { env: settings, now: dateNow, monotonic: () => 5_000 })
    await until('both nodes are ready', () => world.app.broker.ready() && other.broker.ready())
    const restOfOther = async (url: string) => (await other.inject(url)).statusCode
    return { ...world, other, restOfOther, room: `${prefix}:{r}`, registry: `${prefix}:{@nodes}`, index: `${prefix}:{@rooms}`, prefix, redis }
  }
  type Nodes = Awaited<ReturnType<typeof nodes>>
  const redisTime = async ({ client }: RedisServer) => {
    const [seconds, micros] = await client.time()
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  }

  const SHARED: ReadonlyArray<Omit<Timer, 'holds'> & { readonly holds: (t: Test, nodes: Nodes) => Promise<void> }> = [
    {
      what: 'REST requests are refused for the rest of a second',
      env: { REQUESTS_PER_SECOND: '1' },
      holds: async (t, { rest, step, redis, prefix }) => {
        const ask = async () => (await rest('GET', '/api/server/status')).status
        await ask()
        step()
        await ask()
        const left = await redis.client.pttl(`${prefix}:rate:address:127.0.0.1`)
        t.ok(left <= 1_000, `${left} ms`)
        await until('it is served again', async () => await ask() === 200)
      }
    },
    {
      what: 'an empty room is kept for its retention, whichever node looks at it',
      env: { ROOM_RETENTION_SECONDS: '60' },
      holds: async (t, { app, rest, restOfOther, step, redis, room }) => {
        await rest('POST', '/api/rooms/r/events', event)
        const { data: { epoch } } = await rest('GET', '/api/rooms/r')
        step()
        await app.broker.tick()
        t.match(await rest('GET', '/api/rooms/r'), { status: 200, data: { epoch } })
        t.match(await rest('POST', '/api/rooms/r/events', event), { status: 201, data: { epoch, seq: 2 } })
        t.equal(await restOfOther('/api/rooms/r'), 200)
        await rest('POST', '/api/rooms/new/events', event)
        for (const key of [room, room.replace('{r}', '{new}')]) {
          const left = Number(await redis.client.hget(key, 'until')) - await redisTime(redis)
          t.ok(left > 0 && left <= MINUTE, `${left} ms`)
        }
      }
    },
    {
      what: 'a room with a deadline ends then, on both nodes',
      holds: async (t, { app, connect, rest, restOfOther, step, pass, redis }) => {
        const before = await redisTime(redis)
        step()
        const { data: { expiresAt } } = await rest('POST', '/api/rooms', { roomId: 'r', ttlSeconds: 3 })
        t.ok(expiresAt >= before + 3_000 && expiresAt <= await redisTime(redis) + 3_000, 'it is told by the clock of Redis')
        const peer = await connect()
        await peer.join('r')
        await app.broker.tick()
        t.notOk(peer.frames.some(({ type }) => type === 'ROOM_CLOSED'))
        pass(3_000)
        await app.broker.tick()
        t.equal((await peer.next('ROOM_CLOSED')).payload.reason, 'expired')
        await until('it is over for both', async () => (await rest('GET', '/api/rooms/r')).status === 410 && await restOfOther('/api/rooms/r') === 410)
      }
    },
    {
      what: 'a room that was closed is remembered',
      holds: async (t, { rest, restOfOther, step }) => {
        await rest('POST', '/api/rooms', { roomId: 'r' })
        await rest('DELETE', '/api/rooms/r')
        step()
        t.equal((await rest('POST', '/api/rooms/r/events', event)).status, 410)
        t.equal(await restOfOther('/api/rooms/r'), 410)
      }
    },
    {
      what: 'an occupied room is kept from its end, its position is compared, the index is swept, and the node says that it lives',
      env: { ROOM_RETENTION_SECONDS: '60' },
      holds: async (t, { app, other, connect, rest, step, pass, redis, room, registry, index, prefix }) => {
        const peer = await connect()
        await peer.join('r')
        await rest('POST', '/api/rooms', { roomId: 'gone' })
        await app.redis!.subscriber.sunsubscribe(`${prefix}:db0:{r}`)
        await other.inject({ method: 'POST', url: '/api/rooms/r/events', payload: event })
        await redis.client.del(`${prefix}:{gone}`, `${index}:sweeper`)
        const registered = await redis.client.zrange(registry, '0', '-1')
        t.equal(registered.length, 2)
        step()
        pass(Math.max(BEAT_INTERVAL, CHECK_INTERVAL, SWEEP_INTERVAL, 15_000))
        await redis.client.del(registry)
        await redis.client.pexpire(room, 30_000)
        await app.broker.tick()
        t.equal(await redis.client.zcard(registry), 1, 'a sign of life')
        t.ok(await redis.client.pttl(room) > 30_000, 'kept')
        t.equal(peer.events.length, 1, 'the event that was missed')
        t.equal(await redis.client.zscore(index, 'gone'), null, 'swept')
      }
    },
    {
      what: 'a node is given up twenty seconds after its last sign of life',
      holds: async (t, { app, other, connect, step, pass, redis, registry }) => {
        const [watch, far] = [await connect(), await Peer.inject(t, other)]
        watch.send('JOIN_ROOM', { roomId: 'r', deviceId: 'shop', presence: true })
        await watch.next('ROOM_JOINED')
        await far.join('r', 'phone')
        await watch.next('DEVICE_JOINED')
        step()
        for (let time = BEAT_INTERVAL; time < 20_000; time += BEAT_INTERVAL) {
          pass(BEAT_INTERVAL)
          // The other one's clock stands still: it does not say so again.
          await redis.client.del(registry)
          await app.broker.tick()
        }
        await watch.settled()
        t.notOk(watch.frames.some(({ type }) => type === 'DEVICE_LEFT'))
        pass(BEAT_INTERVAL)
        await redis.client.del(registry)
        await app.broker.tick()
        t.equal((await watch.next('DEVICE_LEFT')).payload.deviceId, 'phone')
      }
    }
  ]

  for (const { what, env, holds } of SHARED) {
    t.test(what, async (t) => {
      for (const step of STEPS) await t.test(step.name, async (t) => holds(t, await nodes(t, step, env)))
    })
  }

  t.test('where the clock of Redis is put back, no request is refused and no node listed for so long', async (t) => {
    for (const behind of [MINUTE, DAY]) {
      const { app, rest, pass, registry, prefix } = await nodes(t, STEPS[0]!, { REQUESTS_PER_SECOND: '1' })
      const ask = async () => (await rest('GET', '/api/server/status')).status
      await ask()
      const key = `${prefix}:rate:address:127.0.0.1`
      // What was written before then has all of its time still before it, and the step as well.
      await redis.client.set(key, '100', 'PX', 1_000 + behind)
      await redis.client.zadd(registry, String(await redisTime(redis) + 15_000 + behind), 'a node that died')
      t.equal(await ask(), 200)
      t.ok(await redis.client.pttl(key) <= 1_000)
      pass(BEAT_INTERVAL)
      await app.broker.tick()
      t.equal(await redis.client.zscore(registry, 'a node that died'), null)
      t.equal(await redis.client.zcard(registry), 2)
    }
  })
})
