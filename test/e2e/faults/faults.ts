// The faults that need no preparation: each breaks something under load and mends it. The tests assert around them, the soak picks among them.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../until.js'
import { RECOVERY, type Cluster, type Node, type Nodes } from './cluster.js'
import type { Stage } from './scenario.js'

/** While the fault was certainly there, ms since the epoch. */
export interface Span { readonly from: number, readonly to: number }

/** @typeParam Where what it needs: two nodes and their Redis, or any nodes */
export type Fault<Where extends Nodes = Cluster> = (cluster: Where, stage: Stage, node: Node) => Promise<Span>

/** What was answered before a fault may still be on its way to a publisher for so long, ms. */
const ON_ITS_WAY = 300

/** Breaks, waits, mends. */
async function during (ms: number, breakIt: () => Promise<unknown> | void, mend: () => Promise<unknown> | void): Promise<Span> {
  await breakIt()
  const from = Date.now() + ON_ITS_WAY
  await sleep(ms)
  const to = Date.now()
  await mend()
  return { from, to }
}

/** The process is gone at once, and comes back. */
export const killNode: Fault<Nodes> = async (_cluster, _stage, node) => during(0, () => node.kill('SIGKILL'), () => node.start())

/** The process is asked to stop, and comes back. */
export const stopNode: Fault<Nodes> = async (_cluster, _stage, node) => during(0, async () => {
  const code = await node.kill('SIGTERM')
  if (code !== 0) throw new Error(`${node.name} ended with ${code}`)
}, () => node.start())

/** The scripts are forgotten, more than once. */
export const flushScripts: Fault = async ({ redis }) => during(0, async () => {
  for (let i = 0; i < 5; i++) {
    await redis.client.script('FLUSH')
    await sleep(100)
  }
}, () => {})

/** The subscribers' connections are killed, more than once; those of commands stay. */
export const killSubscribers: Fault = async ({ redis }) => during(0, async () => {
  const kill = async () => await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub') as number
  // After another fault they may still be on their way back.
  await until('there is a subscriber to kill', async () => await kill() > 0, RECOVERY)
  for (let i = 0; i < 3; i++) {
    await sleep(200)
    await kill()
  }
}, () => {})

/** The process stands still, and then finds at once what came meanwhile. */
export const pauseNode: Fault<Nodes> = async (_nodes, _stage, node) => during(3_000, () => node.signal('SIGSTOP'), () => node.signal('SIGCONT'))

/** Somebody is away while more happens in their room than its log can hold. @param size events */
export const outrunLog = (size: number): Fault<Nodes> => async (_nodes, { load }) => {
  const [watcher] = load.watchers
  return during(0, async () => {
    watcher!.leave()
    await load.burst(0, size)
  }, () => watcher!.connect())
}

/** Events are appended, and the connection breaks before that is answered. */
export const cutAnswers: Fault<Nodes> = async ({ nodes }, { load }) => {
  await load.drain()
  return during(300, () => {
    for (const { proxy } of nodes) proxy.mute('commands')
    load.publishOnce()
  }, () => {
    for (const { proxy } of nodes) {
      proxy.cut()
      proxy.mute(undefined)
    }
  })
}

/** Redis dies, and comes back with what it had written down. Only where it writes. */
export const restartRedis: Fault = async ({ redis }) => during(500, () => redis.kill('SIGKILL'), () => redis.start())

/** Redis dies, and comes back with nothing. */
export const emptyRedis: Fault = async ({ redis }) => {
  const [, dir] = await redis.client.config('GET', 'dir') as [string, string]
  return during(500, async () => {
    await redis.kill('SIGKILL')
    rmSync(join(dir, 'appendonlydir'), { recursive: true, force: true })
  }, () => redis.start())
}

export const flushAll: Fault = async ({ redis }) => during(0, async () => { await redis.client.flushall() }, () => {})

/** Redis takes no writes. */
export const exhaustMemory: Fault = async ({ redis }) => during(2_000, async () => { await redis.client.config('SET', 'maxmemory', '1') }, async () => { await redis.client.config('SET', 'maxmemory', '0') })

/** Redis stands still: connections stay, and nothing is answered. @param ms for how long */
export const pauseRedisFor = (ms: number): Fault => async ({ redis }) => during(ms, () => { process.kill(redis.pid, 'SIGSTOP') }, () => { process.kill(redis.pid, 'SIGCONT') })

export const pauseRedis = pauseRedisFor(5_000)

/** One node and Redis do not hear each other; then everything arrives late. */
export const partition: Fault<Nodes> = async (_cluster, _stage, { proxy }) => during(4_000, () => proxy.hold(), () => proxy.release())

/** The same, but then the connections break. */
export const partitionAndCut: Fault<Nodes> = async (_cluster, _stage, { proxy }) => during(4_000, () => proxy.hold(), () => {
  proxy.cut()
  proxy.release()
})

/** A node's subscriber hears nothing, on a connection that stays; then everything arrives late, some of it read from the log meanwhile. */
export const deafen: Fault = async (_cluster, _stage, { proxy }) => during(12_000, () => proxy.hold('subscriber'), () => proxy.release())

/** What is published is not told to the nodes, and nothing follows that would show it. The span ends when all were told. */
export const dropLastPublish: Fault = async ({ nodes }, { load }) => {
  await load.calm()
  await sleep(300)
  const { watchers } = load
  const wanted = new Map(watchers.map((watcher) => [watcher, watcher.seq + 1]))
  for (const { proxy } of nodes) proxy.mute('subscriber')
  load.publishOnce()
  await load.drain()
  await sleep(100)
  for (const { proxy } of nodes) proxy.mute(undefined)
  const from = Date.now()
  await until('every watcher is told of an event whose message was lost', () => watchers.every((watcher) => watcher.seq >= wanted.get(watcher)!), RECOVERY)
  return { from, to: Date.now() }
}

export const FAULTS = {
  killNode,
  stopNode,
  pauseNode,
  flushScripts,
  killSubscribers,
  cutAnswers,
  restartRedis,
  emptyRedis,
  flushAll,
  exhaustMemory,
  pauseRedis,
  partition,
  partitionAndCut,
  deafen,
  dropLastPublish
}
