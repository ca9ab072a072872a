// Steps of the wall clock of one node, and of Redis: the state that nodes share begins and ends as on one clock.
import t, { type Test } from 'tap'
import { BEAT_INTERVAL } from '../../src/broker/redis/nodes.js'
import { SWEEP_INTERVAL } from '../../src/broker/redis/redis-broker.js'
import { CHECK_INTERVAL } from '../../src/broker/redis/room-sync.js'
import { build } from '../build.js'
import { Peer } from '../peer.js'
import { startRedis, withoutRedis, type RedisServer } from '../redis.js'
import { until } from '../until.js'
import { DAY, dateNow, event, MINUTE, start, STEPS, type Step, type Timer } from './steps.js'

// 36 pairs of nodes, each of which takes about a second to become ready.
t.setTimeout(600_000)

t.test('durations over Redis ignore steps of the wall clock', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  let count = 0

  /** Starts a node whose wall clock will be off, and another one on Redis' time. Their monotonic clocks move with `pass`, that of Redis by itself. */
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
      what: 'REST requests over the limit are refused for the rest of the second',
      env: { REQUESTS_PER_SECOND: '1' },
      holds: async (t, { rest, step, redis, prefix }) => {
        const ask = async () => (await rest('GET', '/api/server/status')).status
        await ask()
        step()
        await ask()
        const left = await redis.client.pttl(`${prefix}:rate:address:127.0.0.1`)
        t.ok(left <= 1_000, `${left} ms`)
        await until('the request is served again', async () => await ask() === 200)
      }
    },
    {
      what: 'an empty room is kept for its retention, for reads on either node',
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
      what: 'a room with a deadline and no time for late results ends at that time, on both nodes',
      env: { LATE_RESULTS_SECONDS: '0' },
      holds: async (t, { app, connect, rest, restOfOther, step, pass, redis }) => {
        const before = await redisTime(redis)
        step()
        const { data: { expiresAt } } = await rest('POST', '/api/rooms', { roomId: 'r', ttlSeconds: 3 })
        t.ok(expiresAt >= before + 3_000 && expiresAt <= await redisTime(redis) + 3_000, 'expiresAt is a time of the clock of Redis')
        const peer = await connect()
        await peer.join('r')
        await app.broker.tick()
        t.notOk(peer.frames.some(({ type }) => type === 'ROOM_CLOSED'))
        pass(3_000)
        await app.broker.tick()
        t.equal((await peer.next('ROOM_CLOSED')).payload.reason, 'expired')
        await until('the room has ended on both nodes', async () => (await rest('GET', '/api/rooms/r')).status === 410 && await restOfOther('/api/rooms/r') === 410)
      }
    },
    {
      what: 'a closed room is remembered',
      holds: async (t, { rest, restOfOther, step }) => {
        await rest('POST', '/api/rooms', { roomId: 'r' })
        await rest('DELETE', '/api/rooms/r')
        step()
        t.equal((await rest('POST', '/api/rooms/r/events', event)).status, 410)
        t.equal(await restOfOther('/api/rooms/r'), 410)
      }
    },
    {
      what: 'a node with an occupied room renews its retention, checks its position, sweeps the index and sends its heartbeat',
      env: { ROOM_RETENTION_SECONDS: '60' },
      holds: async (t, { app, other, connect, rest, step, pass, redis, room, registry, index, prefix }) => {
        const peer = await connect()
        await peer.join('r')
        await rest('POST', '/api/rooms', { roomId: 'gone' })
        const channels = await redis.client.call('PUBSUB', 'SHARDCHANNELS', `${prefix}:db0:{@node:*}`) as string[]
        await app.redis!.subscriber.sunsubscribe(...channels)
        await other.inject({ method: 'POST', url: '/api/rooms/r/events', payload: event })
        await redis.client.del(`${prefix}:{gone}`, `${index}:sweeper`)
        const registered = await redis.client.zrange(registry, '0', '-1')
        t.equal(registered.length, 2)
        step()
        pass(Math.max(BEAT_INTERVAL, CHECK_INTERVAL, SWEEP_INTERVAL, 15_000))
        await redis.client.del(registry)
        await redis.client.pexpire(room, 30_000)
        await app.broker.tick()
        t.equal(await redis.client.zcard(registry), 1, 'a heartbeat')
        t.ok(await redis.client.pttl(room) > 30_000, 'kept')
        t.equal(peer.events.length, 1, 'the missed event')
        t.equal(await redis.client.zscore(index, 'gone'), null, 'swept')
      }
    },
    {
      what: 'a node counts as dead twenty seconds after its last heartbeat',
      holds: async (t, { app, other, connect, step, pass, redis, registry }) => {
        const [watch, far] = [await connect(), await Peer.inject(t, other)]
        watch.send('JOIN_ROOM', { roomId: 'r', deviceId: 'shop', presence: true })
        await watch.next('ROOM_JOINED')
        await far.join('r', 'phone')
        await watch.next('DEVICE_JOINED')
        step()
        for (let time = BEAT_INTERVAL; time < 20_000; time += BEAT_INTERVAL) {
          pass(BEAT_INTERVAL)
          // The clock of the other node stands still: it sends no more heartbeats.
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

  t.test('after the clock of Redis is put back, no request is refused and no dead node listed for the length of the step', async (t) => {
    for (const behind of [MINUTE, DAY]) {
      const { app, rest, pass, registry, prefix } = await nodes(t, STEPS[0]!, { REQUESTS_PER_SECOND: '1' })
      const ask = async () => (await rest('GET', '/api/server/status')).status
      await ask()
      const key = `${prefix}:rate:address:127.0.0.1`
      // Expiry times written before the step lie ahead by their full duration plus the step.
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
