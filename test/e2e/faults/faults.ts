// Faults that need no preparation: each breaks a part under load and repairs it. The tests assert around them, the soak chooses among them.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../until.js'
import { RECOVERY, type Cluster, type Node, type Nodes } from './cluster.js'
import type { Stage } from './scenario.js'

/** Span in which the fault certainly lasted, ms since the epoch. */
export interface Span { readonly from: number, readonly to: number }

/** @typeParam Where the parts that the fault needs: two nodes and their Redis, or any nodes */
export type Fault<Where extends Nodes = Cluster> = (cluster: Where, stage: Stage, node: Node) => Promise<Span>

/** Breaks, waits, repairs. */
async function during (ms: number, breakIt: () => Promise<unknown> | void, mend: () => Promise<unknown> | void): Promise<Span> {
  await breakIt()
  // What was sent in the same millisecond may have come before it.
  const from = Date.now() + 1
  await sleep(ms)
  const to = Date.now()
  await mend()
  return { from, to }
}

/** Kills the process and starts it again. */
export const killNode: Fault<Nodes> = async (_cluster, _stage, node) => during(0, () => node.kill('SIGKILL'), () => node.start())

/** Stops the process by a signal and starts it again. */
export const stopNode: Fault<Nodes> = async (_cluster, _stage, node) => during(0, async () => {
  const code = await node.kill('SIGTERM')
  if (code !== 0) throw new Error(`${node.name} ended with ${code}`)
}, () => node.start())

/** Makes Redis forget the scripts, more than once. */
export const flushScripts: Fault = async ({ redis }) => during(0, async () => {
  for (let i = 0; i < 5; i++) {
    await redis.client.script('FLUSH')
    await sleep(100)
  }
}, () => {})

/** Kills the subscribers' connections, more than once; those of commands stay. */
export const killSubscribers: Fault = async ({ redis }) => during(0, async () => {
  const kill = async () => await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub') as number
  // After another fault the subscribers may still be reconnecting.
  await until('there is a subscriber to kill', async () => await kill() > 0, RECOVERY)
  for (let i = 0; i < 3; i++) {
    await sleep(200)
    await kill()
  }
}, () => {})

/** Halts the process, which then finds everything that arrived meanwhile at once. */
export const pauseNode: Fault<Nodes> = async (_nodes, _stage, node) => during(3_000, () => node.signal('SIGSTOP'), () => node.signal('SIGCONT'))

/** Disconnects a watcher while its room gets more events than its log can hold. @param size number of events */
export const outrunLog = (size: number): Fault<Nodes> => async (_nodes, { load }) => {
  const [watcher] = load.watchers
  return during(0, async () => {
    watcher!.leave()
    await load.burst(0, size)
  }, () => watcher!.connect())
}

/** Appends events, and breaks the connection before they are answered. */
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

/** Kills Redis and restarts it with its append-only file. Only for a Redis that writes one. */
export const restartRedis: Fault = async ({ redis }) => during(500, () => redis.kill('SIGKILL'), () => redis.start())

/** Kills Redis and restarts it empty. */
export const emptyRedis: Fault = async ({ redis }) => {
  const [, dir] = await redis.client.config('GET', 'dir') as [string, string]
  return during(500, async () => {
    await redis.kill('SIGKILL')
    rmSync(join(dir, 'appendonlydir'), { recursive: true, force: true })
  }, () => redis.start())
}

export const flushAll: Fault = async ({ redis }) => during(0, async () => { await redis.client.flushall() }, () => {})

/** Makes Redis refuse writes. */
export const exhaustMemory: Fault = async ({ redis }) => during(2_000, async () => { await redis.client.config('SET', 'maxmemory', '1') }, async () => { await redis.client.config('SET', 'maxmemory', '0') })

/** Halts Redis: connections stay, and no command is answered. @param ms duration */
export const pauseRedisFor = (ms: number): Fault => async ({ redis }) => during(ms, () => { process.kill(redis.pid, 'SIGSTOP') }, () => { process.kill(redis.pid, 'SIGCONT') })

export const pauseRedis = pauseRedisFor(5_000)

/** Holds up all bytes between one node and Redis; then everything arrives late. */
export const partition: Fault<Nodes> = async (_cluster, _stage, { proxy }) => during(4_000, () => proxy.hold(), () => proxy.release())

/** Holds up all bytes as `partition` does, but then the connections break. */
export const partitionAndCut: Fault<Nodes> = async (_cluster, _stage, { proxy }) => during(4_000, () => proxy.hold(), () => {
  proxy.cut()
  proxy.release()
})

/** Holds up a node's subscriber, on a connection that stays; then everything arrives late, after some of it was read from the log. */
export const deafen: Fault = async (_cluster, _stage, { proxy }) => during(12_000, () => proxy.hold('subscriber'), () => proxy.release())

/** Drops the messages of the last events on their way to the nodes, with no later event to reveal the loss. The span ends when all watchers have them. */
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
  await until('every watcher received an event whose message was lost', () => watchers.every((watcher) => watcher.seq >= wanted.get(watcher)!), RECOVERY)
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
