// Simulations of effects that multiplying does not show: uneven load of shards and nodes, a restart, and the sweep of the room index. Each runs step by
// step, on a sample where the real size is too large, with random numbers that are the same every time.
import slotOf from 'cluster-key-slot'
import { SWEEP_INTERVAL } from '../src/broker/redis/redis-broker.js'
import { delayAfter } from '../src/client/reconnect.js'

/** Hash slots of a Redis Cluster. */
const SLOTS = 16_384
/** Largest number of rooms whose slot is computed. */
const SAMPLE = 100_000

/** @returns load of the fullest shard, as a multiple of the mean */
export function hottestShard (rooms: number, shards: number, random: () => number): number {
  const sample = Math.min(rooms, SAMPLE)
  const held = new Float64Array(shards)
  for (let n = 0; n < sample; n++) held[Math.floor(slotOf(`payment_${Math.floor(random() * 2 ** 48).toString(36)}`) * shards / SLOTS)]!++
  const slots = new Float64Array(shards)
  for (let slot = 0; slot < SLOTS; slot++) slots[Math.floor(slot * shards / SLOTS)]!++
  // The shares of the slots are exact; random deviation shrinks with the square root of the number of rooms.
  const chance = Math.sqrt(sample / rooms)
  return held.reduce((most, count, i) => {
    const share = slots[i]! / SLOTS
    // With more shards than slots, some shards have none.
    return share === 0 ? most : Math.max(most, shards * share * (1 + (count / (sample * share) - 1) * chance))
  }, 0)
}

/** Policy of a load balancer for a new socket: the node with the fewest sockets, or the better of two random nodes (`random two least_conn` of nginx). */
export type Policy = 'fewest' | 'fewer of two'

export interface Restart {
  /** Sockets of the fullest node before the restart, as a multiple of the mean. */
  readonly fullest: number
  /**
   * Rate of joins, as a multiple of the usual. `takingOver`: at each of the other nodes, in the worst second. `comingBack`: at the restarted node, until it
   * has nine tenths of the mean or for 10 s.
   */
  readonly takingOver: number
  readonly comingBack: number
  /** Time until the restarted node has nine tenths of the mean, s. */
  readonly evenAfter: number
}

/** Nodes behind a load balancer, and the sockets that they hold. Seconds are counted from 0. */
class Nodes {
  readonly held: Int32Array
  /** The first node is away. */
  isDown = false
  /** Nodes of the sockets that end in each second. */
  readonly #ends: number[][]

  constructor (readonly count: number, readonly life: number, readonly policy: Policy, readonly random: () => number) {
    this.held = new Int32Array(count)
    this.#ends = Array.from({ length: 4 * life + 1 }, () => [])
  }

  get mean (): number { return this.held.reduce((sum, count) => sum + count, 0) / this.count }

  /** Opens a socket. @returns its node */
  place (now: number): number {
    const node = this.#choose()
    this.held[node]!++
    this.#ends[Math.min(4 * this.life, now + 1 + Math.floor(-Math.log(1 - this.random()) * this.life))]!.push(node)
    return node
  }

  /** Ends the sockets that are due. */
  end (now: number): void { for (const node of this.#ends[now]!) this.held[node]!-- }

  /** Stops the first node. @returns the number of sockets that lost it */
  stop (): number {
    const lost = this.held[0]!
    this.isDown = true
    this.held[0] = 0
    for (const [second, nodes] of this.#ends.entries()) this.#ends[second] = nodes.filter((node) => node !== 0)
    return lost
  }

  #choose (): number {
    const { held, count, isDown } = this
    if (this.policy === 'fewer of two') {
      const [a, b] = [this.#pick(), this.#pick()]
      return held[a]! <= held[b]! ? a : b
    }
    let best = isDown ? 1 : 0
    for (let node = best + 1; node < count; node++) if (held[node]! < held[best]!) best = node
    return best
  }

  #pick (): number { return this.isDown ? 1 + Math.floor(this.random() * (this.count - 1)) : Math.floor(this.random() * this.count) }
}

/**
 * Simulates some minutes of nodes behind a load balancer; one node is restarted.
 * @param sockets mean number of sockets of a node
 * @param life mean lifetime of a socket, s
 */
export function restartNode (count: number, sockets: number, life: number, policy: Policy, random: () => number): Restart {
  const [DOWN, UP, END] = [life, life + 5, 4 * life]
  const nodes = new Nodes(count, life, policy, random)
  const usual = sockets / life
  for (let n = 0; n < count * sockets; n++) nodes.place(0)
  let joins = 0
  const outcome = { fullest: 0, takingOver: 0, comingBack: 0, evenAfter: Infinity }
  let returning: number[] = []
  for (let now = 1; now < END; now++) {
    nodes.end(now)
    if (now === DOWN) {
      outcome.fullest = Math.max(...nodes.held) / nodes.mean
      returning = Array.from({ length: nodes.stop() }, () => now + delayAfter(0, random()) / 1_000)
    }
    if (now === UP) nodes.isDown = false
    const back = returning.filter((at) => at < now + 1)
    returning = returning.filter((at) => at >= now + 1)
    const newcomers = Math.floor(count * usual) + (random() < (count * usual) % 1 ? 1 : 0)
    for (let n = 0; n < newcomers + back.length; n++) if (nodes.place(now) === 0 && now >= UP) joins++
    if (nodes.isDown) outcome.takingOver = Math.max(outcome.takingOver, (newcomers + back.length) / (count - 1) / usual)
    if (now >= UP && outcome.evenAfter === Infinity) {
      if (now < UP + 10) outcome.comingBack = joins / (now - UP + 1) / usual
      if (nodes.held[0]! >= 0.9 * nodes.mean) outcome.evenAfter = now - UP
    }
  }
  return outcome
}

/**
 * Simulates clients that lose their connection at once: they reconnect with jitter and join one by one.
 * @param work CPU time of a join, µs
 * @param busy other load of the core, 0–1
 * @returns time until the last client has joined, s
 */
export function allBackAfter (clients: number, work: number, busy: number): number {
  const [STEP, first, last] = [0.1, delayAfter(0, 0) / 1_000, delayAfter(0, 1) / 1_000]
  let [waiting, arrived, time] = [0, 0, 0]
  do {
    time += STEP
    const due = clients * Math.min(1, Math.max(0, (time - first) / (last - first)))
    waiting = Math.max(0, waiting + due - arrived - STEP * (1 - busy) * 1_000_000 / work)
    arrived = due
  } while (waiting > 0 || time < last)
  return time
}

/**
 * Simulates the index of rooms over a day: rooms are added as they begin, and a sweep in each interval checks a share of them, oldest first, in rounds.
 * @param begin rooms that begin per second
 * @param life time until Redis has deleted a room, s
 * @param retention retention of rooms, s
 * @returns entries of the index at the end, as a multiple of the rooms that exist
 */
export function indexAfterDay (begin: number, life: number, retention: number): number {
  const STEP = SWEEP_INTERVAL / 1_000
  /** Entries by the time at which their rooms began, and the number of them that the current round has checked and kept. */
  let cohorts: Array<{ at: number, count: number, seen: number }> = []
  let size = 0
  let cursor = 0
  for (let now = 0; now < 86_400; now += STEP) {
    cohorts.push({ at: now, count: begin * STEP, seen: 0 })
    size += begin * STEP
    let checks = 100 + Math.ceil(size * STEP / retention)
    for (; checks > 0 && cursor < cohorts.length; cursor++) {
      const cohort = cohorts[cursor]!
      const checked = Math.min(checks, cohort.count - cohort.seen)
      checks -= checked
      if (cohort.at + life <= now) {
        cohort.count -= checked
        size -= checked
      } else {
        cohort.seen += checked
      }
      if (cohort.seen < cohort.count) break
    }
    if (cursor < cohorts.length) continue
    cohorts = cohorts.filter(({ count }) => count > 0)
    for (const cohort of cohorts) cohort.seen = 0
    cursor = 0
  }
  return size / (begin * life)
}
