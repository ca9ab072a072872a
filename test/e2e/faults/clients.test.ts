// Faults of clients and of their connections to a node that has its rooms in its own memory: one client's trouble does not affect the others.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Peer } from '../../peer.js'
import { until } from '../../until.js'
import { startNode, withoutProc } from './cluster.js'
import { cutAnswers, outrunLog, partition, partitionAndCut } from './faults.js'
import type { Line } from './journal.js'
import { judge, SEED } from './judge.js'
import { play } from './scenario.js'

const LOG_SIZE = 100
const HEARTBEAT = { HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' }

/** Duration of the load before a fault and after it, ms. */
const pace = 500

t.test('Faults of clients', { skip: withoutProc, jobs: 2 }, async (t) => {
  t.test('A watcher that does not read is closed with 4001 and does not slow the others down', { buffered: true }, async (t) => {
    const nodes = await startNode(t, { ROOM_LOG_SIZE: '2000' })
    const { node } = nodes
    // Loopback itself buffers some megabytes before the server notices; each event carries about 14 KB. The proxy would buffer everything.
    const padding = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`p${i}`, 'x'.repeat(2000)]))
    const outcome = await play(nodes, { name: 'slow', seed: SEED, pace, rooms: 2, rate: 20, closes: [4001] }, async ({ load, journal }) => {
      const slow = load.watch('slow', 0, [`ws://127.0.0.1:${node.port}`])
      await until('the slow watcher has joined', () => slow.joins === 1)
      journal.mark('everyone reads')
      await Promise.all([load.burst(0, 200, padding), load.burst(1, 200, padding)])
      journal.mark('one does not read')
      slow.pause()
      await Promise.all([load.burst(0, 700, padding), load.burst(1, 700, padding)])
      journal.mark('over')
      await until('the slow watcher is cut', () => node.output.includes('"closedWith":4001'))
      slow.resume()
    })
    judge(t, outcome)
    const { lines, figures: { closed } } = outcome
    const [room, otherRoom] = [...new Set(lines.flatMap((line) => line.what === 'joined' && line.by.startsWith('shop') ? [line.room] : []))].sort() as [string, string]
    const before = median(latencies(lines, `shop ${room}`, 'everyone reads', 'one does not read'))
    const meanwhile = median(latencies(lines, `shop ${room}`, 'one does not read', 'over'))
    const elsewhere = median(latencies(lines, `shop ${otherRoom}`, 'one does not read', 'over'))
    t.comment(`median latency of another watcher ${before} ms before, ${meanwhile} ms meanwhile, in another room ${elsewhere} ms; the node had ${node.peakMemory} MiB at the most`)
    t.equal(Object.values(closed).reduce((sum, times) => sum + times, 0), 1, 'only the slow watcher is closed')
    t.ok(meanwhile <= 3 * elsewhere, 'other watchers in the room are not slowed down')
    t.ok(meanwhile <= 10 * before, 'the process is not slowed down')
    const [back] = lines.filter((line) => line.what === 'joined' && line.by.startsWith('slow') && line.asked.seq > 0)
    t.match(back, { recovered: true }, 'the watcher catches up')
  })

  t.test('Clients whose network goes silent catch up afterwards', { buffered: true }, async (t) => {
    const nodes = await startNode(t, HEARTBEAT)
    const { node } = nodes

    t.test('A silent client is closed, the others get its DEVICE_LEFT, and it catches up when it is back', async (t) => {
      const shop = await Peer.connect(t, `ws://127.0.0.1:${node.port}`)
      shop.send('JOIN_ROOM', { roomId: 'r', deviceId: 'shop', presence: true })
      await shop.next('ROOM_JOINED')
      const phone = await Peer.connect(t, node.url)
      const { epoch } = (await phone.join('r', 'phone')).payload
      await shop.next('DEVICE_JOINED')
      node.proxy.hold()
      const since = Date.now()
      shop.send('CLICKED_PROCEED', { roomId: 'r' }, '1')
      await shop.next('ACK')
      await shop.next('DEVICE_LEFT')
      const took = Date.now() - since
      shop.send('CLICKED_PAY', { roomId: 'r' }, '2')
      await shop.next('ACK')
      await until('the server logs the reason', () => node.output.includes('"closedWith":4003'))
      t.equal((await node.figures()).totalConnections, 1, 'no ghost session is left')
      t.comment(`gone for the others after ${took} ms`)
      // Bound: a ping within a second, a second for its pong, a second of grace; and an allowance for a busy machine.
      t.ok(took <= 3_000 + 2_000, `within heartbeat, timeout and grace (${took} ms)`)
      node.proxy.cut()
      node.proxy.release()
      t.equal(await phone.closed, 1006)
      const back = await Peer.connect(t, node.url)
      back.send('JOIN_ROOM', { roomId: 'r', deviceId: 'phone', recover: { epoch, seq: 0 } })
      t.match((await back.next('ROOM_JOINED')).payload, { recovered: true, replayed: 2, seq: 2 })
      await back.settled()
      t.strictSame(back.events.map(({ id, seq }) => [id, seq]), [['1', 1], ['2', 2]])
      t.match((await shop.next('DEVICE_JOINED')).payload, { deviceId: 'phone' })
      for (const peer of [shop, back]) peer.socket.close()
    })

    for (const [fault, how] of [[partition, 'and everything arrives late'], [partitionAndCut, 'and their connections break']] as const) {
      t.test(`All clients are silent for 4 s, ${how}`, async (t) => {
        const outcome = await play(nodes, { name: fault.name, seed: SEED, pace, closes: [4003] }, (stage) => fault(nodes, stage, node))
        judge(t, outcome)
      })
    }
  })

  t.test('Publishes cut before their answer, and a burst larger than the log', { buffered: true }, async (t) => {
    const nodes = await startNode(t, { ROOM_LOG_SIZE: String(LOG_SIZE) })
    const { node } = nodes

    t.test('Publishes that are cut before their answer are retried, and logged once', async (t) => {
      const outcome = await play(nodes, { name: 'cut', seed: SEED, pace }, (stage) => cutAnswers(nodes, stage, node))
      judge(t, outcome)
      const known = outcome.lines.filter((line) => line.what === 'acked' && line.duplicate).length
      t.ok(known > 1, `${known} of them were in the log already, and are there once`)
    })

    t.test('The loss is declared to a watcher that misses a burst larger than the log', async (t) => {
      const outcome = await play(nodes, { name: 'burst', seed: SEED, pace, rooms: 6, rate: 30 }, (stage) => outrunLog(LOG_SIZE + 50)(nodes, stage, node))
      judge(t, outcome, { mayLose: true })
      t.equal(outcome.figures.declared, 1, 'the loss is declared to the absent watcher')
      t.ok(outcome.figures.lost >= 50)
      t.ok(outcome.lines.some((line) => line.what === 'joined' && !line.recovered && line.replayed === LOG_SIZE), 'the rest of the log follows')
    })
  })

  t.test('1,000 joins during a burst, half of them into one room, all get a consistent position', { buffered: true }, async (t) => {
    const nodes = await startNode(t, { MAX_ROOM_MEMBERS: '2000', ROOM_LOG_SIZE: '1000' })
    const { node } = nodes
    const [joins, rooms] = [1_000, 6]
    let took = 0
    const outcome = await play(nodes, { name: 'joins', seed: SEED, pace, rooms, rate: 20 }, async ({ load }) => {
      const begin = Date.now()
      const newcomers = Array.from({ length: joins }, (_, i) => load.watch(`newcomer ${i}`, i % 2 === 0 ? 0 : i % rooms, [`ws://127.0.0.1:${node.port}`]))
      let left = 80
      await until('every newcomer joined', async () => {
        if (left > 0) load.publishOnce()
        left--
        await sleep(10)
        return newcomers.every((watcher) => watcher.joins > 0)
      })
      took = Date.now() - begin
    })
    judge(t, outcome)
    const places = new Set(outcome.lines.flatMap((line) => line.what === 'joined' && line.by.startsWith('newcomer') ? [line.seq] : []))
    t.comment(`${joins} joins in ${took} ms, at ${places.size} places between ${Math.min(...places)} and ${Math.max(...places)}; the node had ${node.peakMemory} MiB at the most`)
    t.ok(places.size > 3, 'the joins came between the events')
    t.strictSame(outcome.figures.closed, {})
  })
})

/** Latencies of events from sending to a watcher, between two marks, ms. */
function latencies (lines: readonly Line[], watcher: string, from: string, to: string): number[] {
  const mark = (name: string) => lines.findIndex((line) => line.what === 'mark' && line.name === name)
  const sent = new Map<string, number>()
  const took: number[] = []
  for (const line of lines.slice(mark(from), mark(to))) {
    if (line.what === 'sent') sent.set(line.id, line.at)
    else if (line.what === 'seen' && line.by === watcher && sent.has(line.id)) took.push(line.at - sent.get(line.id)!)
  }
  return took
}

function median (numbers: number[]): number { return numbers.sort((a, b) => a - b)[numbers.length >> 1]! }
