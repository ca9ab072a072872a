// All connections of a node: the heartbeat that finds the dead ones, and the drain that sends the living ones elsewhere.
import { mock } from 'node:test'
import type { Test } from 'tap'
import t from 'tap'
import type { CloseReason } from '../../src/errors.js'
import type { Log } from '../../src/rooms/log.js'
import { ConnectionLimits } from '../../src/sessions/connection-limits.js'
import { SessionRegistry, type ManagedSession } from '../../src/sessions/session-registry.js'

/** So short that all have the same turn; see the test of turns for others. */
const HEARTBEAT = 100
const DEADLINE = 32

/** Of tests whose real time passes: nobody is pinged meanwhile. */
const NO_HEARTBEAT = 3_600_000

/** A connection that answers a ping when it is told to. */
class Client implements ManagedSession {
  readonly address = '192.0.2.1'
  readonly transport = 'socket'
  unansweredPing = 0
  deadline = Infinity
  pings = 0
  /** When it was told that its deadline had come. */
  readonly expiries: number[] = []
  readonly closes: number[] = []

  ping (number: number): void {
    this.pings++
    this.unansweredPing ||= number
  }

  pong (): void { this.unansweredPing = 0 }
  expire (now: number): void { this.expiries.push(now) }
  close ({ code }: CloseReason): void { this.closes.push(code) }
}

function setUp (t: Test, heartbeat = HEARTBEAT, pongDeadline = DEADLINE) {
  const lines: unknown[] = []
  const write = (fields: object, sentence: string) => { lines.push([sentence, fields]) }
  const log: Log = { level: 'debug', debug: write, info: write, warn: write, error: write }
  const clock = { now: 1_000_000 }
  const sessions = new SessionRegistry({ limits: new ConnectionLimits({ maxConnections: 0, maxPerAddress: 0 }), log, monotonic: () => clock.now, heartbeat, pongDeadline })
  t.teardown(() => sessions.stop())
  const add = (): Client => {
    const client = new Client()
    sessions.open(client)
    return client
  }
  return { sessions, add, lines, clock, remove: (client: Client) => sessions.closed(client) }
}

/** The same, on a clock that only moves when told to. One real turn of the loop follows each move. */
function withClock (t: Test, heartbeat?: number, pongDeadline?: number) {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const pass = (ms: number) => {
    mock.timers.tick(ms)
    return turn()
  }
  return { ...setUp(t, heartbeat, pongDeadline), pass, tick: (ms: number) => mock.timers.tick(ms), turn }
}

t.test('sessions are counted from the moment they are added until they are removed', async (t) => {
  const { sessions, add, remove } = setUp(t)
  t.equal(sessions.size, 0)
  const [one, two] = [add(), add()]
  t.equal(sessions.size, 2)
  remove(one)
  remove(one)
  t.equal(sessions.size, 1)
  remove(two)
  t.equal(sessions.size, 0)
})

t.test('every heartbeat pings everyone once', async (t) => {
  const { add, remove, pass } = withClock(t)
  const [one, two, gone] = [add(), add(), add()]
  remove(gone)
  await pass(HEARTBEAT - 1)
  t.strictSame([one.pings, two.pings], [0, 0], 'not before its time')
  await pass(1)
  t.strictSame([one.pings, two.pings, gone.pings], [1, 1, 0])
  const late = add()
  one.pong()
  two.pong()
  await pass(HEARTBEAT)
  t.strictSame([one.pings, two.pings, late.pings], [2, 2, 1])
})

t.test('pings are spread over the heartbeat, also where all came at once; each has its own a heartbeat after the last', async (t) => {
  const [heartbeat, turns] = [25_000, 250]
  const { add, pass } = withClock(t, heartbeat, 8_000)
  const clients = Array.from({ length: 1_000 }, add)
  const [silent] = clients
  /** In which turns each of them was pinged. */
  const pinged = clients.map(() => [] as number[])
  for (let turn = 1; turn <= 3 * turns; turn++) {
    await pass(heartbeat / turns)
    for (const [i, client] of clients.entries()) {
      if (client.pings > pinged[i]!.length) pinged[i]!.push(turn)
      if (client !== silent || client.pings < 2) client.pong()
    }
  }
  const all = Array.from({ length: 3 * turns }, (_, i) => Array.from({ length: clients.length / turns }, () => i + 1)).flat()
  t.strictSame(pinged.flat().sort((one, other) => one - other), all, 'each turn has its share')
  t.ok(pinged.every(([first, second, third]) => second === first! + turns && third === second + turns))
  t.strictSame(clients.filter(({ closes }) => closes.length > 0), [silent], 'one fell silent at its second')
  t.equal(silent!.closes[0], 4003)
})

t.test('where pings come seldom there are no more turns for it', async (t) => {
  const [longest, turns] = [2_147_483_000, 250]
  const { add, pass } = withClock(t, longest)
  const clients = Array.from({ length: turns + 1 }, add)
  await pass(longest / turns)
  t.equal(clients.filter(({ pings }) => pings === 1).length, 2)
})

t.test('whoever is silent until the deadline is closed with 4003, and nobody else', async (t) => {
  const { add, remove, pass } = withClock(t)
  const [prompt, slow, silent, gone] = [add(), add(), add(), add()]
  await pass(HEARTBEAT)
  const newcomer = add()
  prompt.pong()
  remove(gone)
  await pass(DEADLINE - 1)
  t.strictSame(silent.closes, [], 'not before the deadline')
  slow.pong()
  await pass(1)
  t.strictSame(silent.closes, [4003])
  t.strictSame([prompt.closes, slow.closes, newcomer.closes, gone.closes], [[], [], [], []])
})

t.test('a peer that always answers is never closed; one that falls silent later is', async (t) => {
  const { add, pass } = withClock(t)
  const [faithful, fading] = [add(), add()]
  for (let beat = 1; beat <= 5; beat++) {
    await pass(beat === 1 ? HEARTBEAT : HEARTBEAT - DEADLINE)
    faithful.pong()
    if (beat < 5) fading.pong()
    await pass(DEADLINE)
  }
  t.strictSame([faithful.pings, faithful.closes], [5, []])
  t.strictSame([fading.pings, fading.closes], [5, [4003]])
})

t.test('a pong that is read in the turn in which the deadline fires still counts', async (t) => {
  const { add, pass, tick, turn } = withClock(t)
  const [late, silent] = [add(), add()]
  await pass(HEARTBEAT)
  tick(DEADLINE)
  t.strictSame([late.closes, silent.closes], [[], []])
  late.pong()
  await turn()
  t.strictSame([late.closes, silent.closes], [[], [4003]])
})

t.test('where pings come more often than the deadline, each of them has its own', async (t) => {
  const unit = 10
  // A unit at a time, so that the pong of a client is read where its delay says.
  for (const [heartbeat, pongDeadline] of [[8, 8], [4, 8], [5, 8], [1, 8], [7, 8]] as const) {
    const { sessions, add, pass } = withClock(t, heartbeat * unit, pongDeadline * unit)
    const [prompt, slow, silent] = [add(), add(), add()]
    const due = new Map<Client, number>()
    let closedAt = 0
    for (let step = 1; step <= 60; step++) {
      await pass(unit)
      if (silent.closes.length > 0) closedAt ||= step
      for (const [client, delay] of [[prompt, 0], [slow, pongDeadline - 1]] as const) {
        if (client.unansweredPing > 0 && !due.has(client)) due.set(client, step + delay)
        if (step < (due.get(client) ?? Infinity)) continue
        due.delete(client)
        client.pong()
      }
    }
    t.equal(prompt.pings, Math.floor(60 / heartbeat), `a ping every ${heartbeat} steps, ${pongDeadline} to answer it`)
    t.strictSame([prompt.closes, slow.closes], [[], []], 'whoever answers in time stays')
    t.equal(silent.closes[0], 4003)
    t.equal(closedAt, heartbeat + pongDeadline, 'whoever never answers is closed a deadline after the first ping')
    sessions.stop()
    mock.timers.reset()
  }
})

t.test('whose deadline has come is told within a second, and the others are not', async (t) => {
  const { add, clock, pass } = withClock(t)
  const [due, later, without] = [add(), add(), add()]
  due.deadline = clock.now + 5000
  later.deadline = clock.now + 5001
  clock.now += 4999
  await pass(1000)
  t.strictSame(due.expiries, [])
  clock.now += 1
  await pass(1000)
  t.strictSame([due.expiries, later.expiries, without.expiries], [[clock.now], [], []])
  clock.now += 1
  due.deadline = Infinity
  await pass(1000)
  t.strictSame([due.expiries.length, later.expiries.length, without.expiries.length], [1, 1, 0], 'one that was put off is not told again')
})

t.test('after a stop nobody is pinged any more', async (t) => {
  const { sessions, add, pass } = withClock(t)
  const client = add()
  await pass(HEARTBEAT)
  client.pong()
  client.deadline = 0
  sessions.stop()
  await pass(HEARTBEAT * 4)
  t.strictSame([client.pings, client.closes, client.expiries], [1, [], []])
  sessions.stop()
})

t.test('a stop before the first heartbeat is fine', async (t) => {
  const { sessions, add, pass } = withClock(t)
  const client = add()
  sessions.stop()
  await pass(HEARTBEAT * 4)
  t.equal(client.pings, 0)
})

t.test('a drain tells everyone once to come back, in batches of a hundred', async (t) => {
  const { sessions, add, lines } = setUp(t, NO_HEARTBEAT)
  const clients = Array.from({ length: 250 }, add)
  const told = () => clients.filter(({ closes }) => closes.length > 0).length
  t.equal(sessions.draining, false)
  const batches: number[] = []
  clients[100]!.close = clients[200]!.close = function (this: Client, reason: CloseReason) {
    batches.push(told())
    Client.prototype.close.call(this, reason)
  }
  const drained = sessions.drain(10_000)
  t.equal(sessions.draining, true)
  t.equal(told(), 100, 'the first batch goes at once, and alone')
  await drained
  t.strictSame(batches, [100, 200], 'in the order in which they came')
  t.ok(clients.every(({ closes }) => closes.length === 1 && closes[0] === 1012))
  t.strictSame(lines, [['clients told to reconnect', { clients: 250 }]])
})

t.test('when time is short, the batches are larger', async (t) => {
  const { sessions, add } = setUp(t, NO_HEARTBEAT)
  const clients = Array.from({ length: 1000 }, add)
  const drained = sessions.drain(100)
  t.equal(clients.filter(({ closes }) => closes.length > 0).length, 500, 'two batches fit into two pauses')
  await drained
  t.ok(clients.every(({ closes }) => closes.length === 1))
})

t.test('a drain of nobody is done at once and says nothing', async (t) => {
  const { sessions, lines } = setUp(t)
  await sessions.drain(1000)
  t.equal(sessions.draining, true)
  t.strictSame(lines, [])
})
