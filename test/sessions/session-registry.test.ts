// Sessions of a node: the heartbeat that closes dead sessions, and the drain that closes all of them.
import { mock } from 'node:test'
import type { Test } from 'tap'
import t from 'tap'
import type { CloseReason } from '../../src/errors.js'
import type { Log } from '../../src/rooms/log.js'
import { ConnectionLimits } from '../../src/sessions/connection-limits.js'
import { SessionRegistry, type ManagedSession } from '../../src/sessions/session-registry.js'

/** Interval so short that all pings fall into one turn; longer ones are in the test of turns. */
const HEARTBEAT = 100
const DEADLINE = 32

/** Interval for tests in which real time passes, so that no ping falls into them. */
const NO_HEARTBEAT = 3_600_000

/** A connection that answers a ping on command of the test. */
class Client implements ManagedSession {
  readonly address = '192.0.2.1'
  readonly transport = 'socket'
  unansweredPing = 0
  deadline = Infinity
  pings = 0
  /** Times of the calls that announced an expired deadline. */
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

/** Sets up a registry on a clock that the test moves. One real turn of the event loop follows each move. */
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

t.test('every heartbeat pings every session once', async (t) => {
  const { add, remove, pass } = withClock(t)
  const [one, two, gone] = [add(), add(), add()]
  remove(gone)
  await pass(HEARTBEAT - 1)
  t.strictSame([one.pings, two.pings], [0, 0], 'no ping before the heartbeat')
  await pass(1)
  t.strictSame([one.pings, two.pings, gone.pings], [1, 1, 0])
  const late = add()
  one.pong()
  two.pong()
  await pass(HEARTBEAT)
  t.strictSame([one.pings, two.pings, late.pings], [2, 2, 1])
})

t.test('pings of sessions that connected together are spread over the heartbeat, a second of them at once, and each session is pinged once in it', async (t) => {
  const [heartbeat, turns] = [25_000, 250]
  const { add, pass } = withClock(t, heartbeat, 8_000)
  const clients = Array.from({ length: 1_000 }, add)
  const [silent] = clients
  /** Turns in which each client was pinged. */
  const pinged = clients.map(() => [] as number[])
  for (let turn = 1; turn <= 3 * turns; turn++) {
    await pass(heartbeat / turns)
    for (const [i, client] of clients.entries()) {
      if (client.pings > pinged[i]!.length) pinged[i]!.push(turn)
      if (client !== silent || client.pings < 2) client.pong()
    }
  }
  const together = 10
  const expected = Array.from({ length: 3 * turns }, (_, i) => Array.from({ length: clients.length / turns }, () => Math.ceil((i + 1) / together) * together)).flat()
  t.strictSame(pinged.flat().sort((one, other) => one - other), expected, 'each second has its share of the pings')
  t.ok(pinged.every(([first, second, third]) => second === first! + turns && third === second + turns))
  t.strictSame(clients.filter(({ closes }) => closes.length > 0), [silent], 'only the client that left its second ping unanswered is closed')
  t.equal(silent!.closes[0], 4003)
})

t.test('pings wait for others only until there are enough of them to be sent at once', async (t) => {
  const [heartbeat, turns, share] = [1_000, 10, 33]
  const { add, pass } = withClock(t, heartbeat)
  const clients = Array.from({ length: turns * share }, add)
  // The time of the first pings was set when there was nobody to ping.
  await pass(heartbeat)
  for (const client of clients) client.pong()
  t.ok(clients.every(({ pings }) => pings === 1))
  const counts = []
  for (let turn = 0; turn < turns; turn++) {
    await pass(heartbeat / turns)
    counts.push(clients.filter(({ pings }) => pings === 2).length)
  }
  t.strictSame(counts, [0, 66, 66, 132, 132, 198, 198, 264, 264, 330])
})

t.test('the heartbeat wakes once a second as long as there are few to ping, and as often as there are enough of them', async (t) => {
  const [heartbeat, turns] = [25_000, 250]
  const { add, pass } = withClock(t, heartbeat)
  const { setTimeout: mocked } = globalThis
  const delays: number[] = []
  globalThis.setTimeout = ((work: () => void, ms: number) => {
    if (ms !== DEADLINE) delays.push(ms)
    return mocked(work, ms)
  }) as typeof setTimeout
  t.teardown(() => { globalThis.setTimeout = mocked })
  const delaysWithin = async (ms: number) => {
    delays.length = 0
    for (let passed = 0; passed < ms; passed += heartbeat / turns) await pass(heartbeat / turns)
    return [...delays]
  }
  t.strictSame(await delaysWithin(3_000), [1_000, 1_000, 1_000], 'nobody')
  const clients = Array.from({ length: 32 * turns }, add)
  t.strictSame(await delaysWithin(1_000), [200], 'two buckets of 32 sessions each are enough, from the next turn on')
  t.strictSame(await delaysWithin(1_000), [200, 200, 200, 200, 200])
  t.ok(clients.every(({ pings }) => pings <= 1))
})

t.test('a longer heartbeat has no more than 250 turns', async (t) => {
  const [longest, turns] = [2_147_483_000, 250]
  const { add, pass } = withClock(t, longest)
  const clients = Array.from({ length: turns + 1 }, add)
  await pass(longest / turns)
  t.equal(clients.filter(({ pings }) => pings === 1).length, 2)
})

t.test('only a session without a pong until the deadline is closed with 4003', async (t) => {
  const { add, remove, pass } = withClock(t)
  const [prompt, slow, silent, gone] = [add(), add(), add(), add()]
  await pass(HEARTBEAT)
  const newcomer = add()
  prompt.pong()
  remove(gone)
  await pass(DEADLINE - 1)
  t.strictSame(silent.closes, [], 'no close before the deadline')
  slow.pong()
  await pass(1)
  t.strictSame(silent.closes, [4003])
  t.strictSame([prompt.closes, slow.closes, newcomer.closes, gone.closes], [[], [], [], []])
})

t.test('a session that always answers is never closed; a session that stops answering is', async (t) => {
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

t.test('a pong that is read in the turn of the deadline still counts', async (t) => {
  const { add, pass, tick, turn } = withClock(t)
  const [late, silent] = [add(), add()]
  await pass(HEARTBEAT)
  tick(DEADLINE)
  t.strictSame([late.closes, silent.closes], [[], []])
  late.pong()
  await turn()
  t.strictSame([late.closes, silent.closes], [[], [4003]])
})

t.test('with a heartbeat shorter than the deadline each ping has its own deadline', async (t) => {
  const unit = 10
  // Steps of one unit, so that each pong is read after the delay of its client.
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
    t.strictSame([prompt.closes, slow.closes], [[], []], 'a client that answers in time stays')
    t.equal(silent.closes[0], 4003)
    t.equal(closedAt, heartbeat + pongDeadline, 'a client that never answers is closed one deadline after its first ping')
    sessions.stop()
    mock.timers.reset()
  }
})

t.test('a session expires within a second of its deadline, and other sessions do not', async (t) => {
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
  t.strictSame([due.expiries.length, later.expiries.length, without.expiries.length], [1, 1, 0], 'a session whose deadline was removed does not expire again')
})

t.test('after a stop no session is pinged', async (t) => {
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

t.test('a stop before the first heartbeat prevents all pings', async (t) => {
  const { sessions, add, pass } = withClock(t)
  const client = add()
  sessions.stop()
  await pass(HEARTBEAT * 4)
  t.equal(client.pings, 0)
})

t.test('a drain closes every session once with 1012, in batches of a hundred', async (t) => {
  const { sessions, add, lines } = setUp(t, NO_HEARTBEAT)
  const clients = Array.from({ length: 250 }, add)
  const closedCount = () => clients.filter(({ closes }) => closes.length > 0).length
  t.equal(sessions.draining, false)
  const batches: number[] = []
  clients[100]!.close = clients[200]!.close = function (this: Client, reason: CloseReason) {
    batches.push(closedCount())
    Client.prototype.close.call(this, reason)
  }
  const drained = sessions.drain(10_000)
  t.equal(sessions.draining, true)
  t.equal(closedCount(), 100, 'the first batch is closed at once')
  await drained
  t.strictSame(batches, [100, 200], 'batches follow the order of the connections')
  t.ok(clients.every(({ closes }) => closes.length === 1 && closes[0] === 1012))
  t.strictSame(lines, [['clients asked to reconnect', { clients: 250 }]])
})

t.test('a drain with little time closes larger batches', async (t) => {
  const { sessions, add } = setUp(t, NO_HEARTBEAT)
  const clients = Array.from({ length: 1000 }, add)
  const drained = sessions.drain(100)
  t.equal(clients.filter(({ closes }) => closes.length > 0).length, 500, 'two batches fit into two pauses')
  await drained
  t.ok(clients.every(({ closes }) => closes.length === 1))
})

t.test('a drain that wakes late closes what was due in the meantime', async (t) => {
  const { sessions, add, clock } = setUp(t, NO_HEARTBEAT)
  const clients = Array.from({ length: 2_000 }, add)
  const closed = () => clients.filter(({ closes }) => closes.length > 0).length
  const counts: number[] = []
  clients[100]!.close = function (this: Client, reason: CloseReason) {
    counts.push(closed())
    setImmediate(() => { counts.push(closed()) })
    Client.prototype.close.call(this, reason)
  }
  const drained = sessions.drain(5_000)
  // The first pause, of 50 ms on average, takes three of the five seconds.
  clock.now += 3_000
  await drained
  t.strictSame(counts, [100, 1_200], 'three fifths are closed then, and not two batches')
  t.ok(clients.every(({ closes }) => closes.length === 1))
})

t.test('a drain without sessions ends at once and logs nothing', async (t) => {
  const { sessions, lines } = setUp(t)
  await sessions.drain(1000)
  t.equal(sessions.draining, true)
  t.strictSame(lines, [])
})
