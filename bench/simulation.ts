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
  return Math.max(...held.map((count, i) => {
    const share = slots[i]! / SLOTS
    // With more shards than slots, some shards have none.
    return share === 0 ? 0 : shards * share * (1 + (count / (sample * share) - 1) * chance)
  }))
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

/**
 * Simulates some minutes of nodes behind a load balancer; one node is restarted.
 * @param sockets mean number of sockets of a node
 * @param life mean lifetime of a socket, s
 */
export function restartNode (nodes: number, sockets: number, life: number, policy: Policy, random: () => number): Restart {
  const [DOWN, UP, END] = [life, life + 5, 4 * life]
  const held = new Int32Array(nodes)
  const ends: number[][] = Array.from({ length: END + 1 }, () => [])
  const usual = sockets / life
  let isDown = false
  const pick = () => isDown ? 1 + Math.floor(random() * (nodes - 1)) : Math.floor(random() * nodes)
  const choose = (): number => {
    if (policy === 'fewer of two') {
      const [a, b] = [pick(), pick()]
      return held[a]! <= held[b]! ? a : b
    }
    let best = isDown ? 1 : 0
    for (let node = best + 1; node < nodes; node++) if (held[node]! < held[best]!) best = node
    return best
  }
  const place = (now: number): number => {
    const node = choose()
    held[node]!++
    ends[Math.min(END, now + 1 + Math.floor(-Math.log(1 - random()) * life))]!.push(node)
    return node
  }
  for (let n = 0; n < nodes * sockets; n++) place(0)
  let joins = 0
  const outcome = { fullest: 0, takingOver: 0, comingBack: 0, evenAfter: Infinity }
  let returning: number[] = []
  for (let now = 1; now < END; now++) {
    for (const node of ends[now]!) held[node]!--
    if (now === DOWN) {
      outcome.fullest = Math.max(...held) / (held.reduce((sum, count) => sum + count, 0) / nodes)
      isDown = true
      returning = Array.from({ length: held[0]! }, () => now + delayAfter(0, random()) / 1_000)
      held[0] = 0
      for (let second = now; second <= END; second++) ends[second] = ends[second]!.filter((node) => node !== 0)
    }
    if (now === UP) isDown = false
    const back = returning.filter((at) => at < now + 1)
    returning = returning.filter((at) => at >= now + 1)
    const newcomers = Math.floor(nodes * usual) + (random() < (nodes * usual) % 1 ? 1 : 0)
    for (let n = 0; n < newcomers + back.length; n++) if (place(now) === 0 && now >= UP) joins++
    if (isDown) outcome.takingOver = Math.max(outcome.takingOver, (newcomers + back.length) / (nodes - 1) / usual)
    if (now >= UP) {
      if (now < UP + 10 && outcome.evenAfter === Infinity) outcome.comingBack = joins / (now - UP + 1) / usual
      const mean = held.reduce((sum, count) => sum + count, 0) / nodes
      if (outcome.evenAfter === Infinity && held[0]! >= 0.9 * mean) outcome.evenAfter = now - UP
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
