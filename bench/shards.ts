// Measures the saturation of Redis, and the gain of a second shard: publishes events as a node does, with growing concurrency.
// `npm run bench:shards` prints a table of docs/scaling.md. Redis runs on one CPU, regardless of the number of shards, and this process on another.
import { connect } from '../src/broker/redis/clients.js'
import { RoomStore } from '../src/broker/redis/store.js'
import { SYSTEM_CLOCKS } from '../src/clock.js'
import { Failure } from '../src/errors.js'
import { draftEvent } from '../src/broker/event-draft.js'
import type { RedisServer } from '../test/redis.js'
import { DRIVER, pin, SERVERS } from './compare/process.js'
import { PAID } from './hot-path.js'
import { median } from './process.js'
import { lookAt, withShards } from './redis-look.js'

const SHARDS = [1, 2]
const IN_FLIGHT = [1, 8, 64, 256]
const ROOMS = 1_000
/** Events in one measurement, and in the warm-up before the first one. */
const EVENTS = 40_000
const RUNS = 3

interface Figures {
  /** Events per second. */
  readonly rate: number
  /** Median time until an event is acknowledged, ms. */
  readonly wait: number
  /** CPU time of all shards per event, µs. */
  readonly cpu: number
  /** Share of the busiest shard in that CPU time. */
  readonly share: number
}

let published = 0
pin(process.pid, DRIVER)
const rows: string[][] = []
for (const shards of SHARDS) {
  await withShards(shards, async (servers, url) => {
    for (const { pid } of servers) pin(pid, SERVERS)
    const connection = connect(url)
    await new Promise((resolve) => connection.commands.once('ready', resolve))
    try {
      const publish = await publisher(connection.commands)
      await measure(servers, 64, publish)
      for (const atOnce of IN_FLIGHT) {
        const runs: Figures[] = []
        for (let run = 0; run < RUNS; run++) runs.push(await measure(servers, atOnce, publish))
        const [rate, wait, cpu, share] = (['rate', 'wait', 'cpu', 'share'] as const).map((key) => median(runs.map((figures) => figures[key])))
        const cells = [Math.round(rate!).toLocaleString('en'), wait!.toFixed(2), cpu!.toFixed(1), `${(share! * 100).toFixed(0)} %`, (Math.round(1e4 / (cpu! * share!)) * 100).toLocaleString('en')]
        rows.push([String(shards), String(atOnce), ...cells])
      }
    } finally {
      connection.close()
    }
  })
}
const head = ['Shards', 'Events at once', 'Events/s', 'ms until answered', 'CPU of Redis, µs per event', 'of that on the fullest shard', 'Events/s that fill it']
console.log([head, head.map(() => '---:'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n'))

/** @returns a function that publishes the n-th event, to the rooms in turn, each of which has two members */
async function publisher (commands: ReturnType<typeof connect>['commands']): Promise<(n: number) => Promise<void>> {
  let epochs = 0
  const [here, there] = ['node-0', 'node-1'].map((node) => new RoomStore({
    ...{ commands, node, liveNodes: () => ' node-0 node-1 ', deadNodes: () => '', prefix: 'shards', database: 0, logSize: 200, retention: 900_000 },
    monotonic: SYSTEM_CLOCKS.monotonic,
    newEpoch: () => `epoch${++epochs}`,
    onRefused: (error) => { throw error }
  })) as [RoomStore, RoomStore]
  const ids = Array.from({ length: ROOMS }, (_, n) => `payment_${n}`)
  for (const roomId of ids) {
    await there.open(roomId, true)
    await there.announce(roomId, 2, JSON.stringify([{ clientId: 'client_1', deviceId: 'device_1', role: 'device1' }, { clientId: 'client_2', deviceId: 'device_2', role: 'device2' }]))
  }
  return async (n) => {
    const roomId = ids[n % ROOMS]!
    const draft = draftEvent({ ...PAID, payload: { ...PAID.payload, roomId }, id: `event-${n}` }, { source: 'device', timestamp: Date.now(), origin: 'client_2' })
    const answer = await here.publish(roomId, draft, false)
    if (answer instanceof Failure) throw answer
  }
}

async function measure (servers: readonly RedisServer[], atOnce: number, publish: (n: number) => Promise<void>): Promise<Figures> {
  const look = () => Promise.all(servers.map(lookAt))
  const waits: number[] = []
  const [before, start] = [await look(), performance.now()]
  // One event at a time takes many times as long for each, so fewer are published.
  const end = published + (atOnce === 1 ? EVENTS / 8 : EVENTS)
  const count = end - published
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (published < end) {
      const at = performance.now()
      await publish(published++)
      waits.push(performance.now() - at)
    }
  }))
  const seconds = (performance.now() - start) / 1000
  const used = (await look()).map(({ cpu }, i) => cpu - before[i]!.cpu)
  const cpu = used.reduce((sum, time) => sum + time, 0)
  return { rate: count / seconds, wait: waits.toSorted((a, b) => a - b)[waits.length >> 1]!, cpu: cpu / count, share: Math.max(...used) / cpu }
}
