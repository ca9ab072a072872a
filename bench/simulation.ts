// What multiplying does not show: how unevenly rooms fall on the shards and sockets on the nodes, what a restart does, and whether the index of rooms is kept
// clean. Each is played step by step, on a sample where the truth is too large, with random numbers that are the same every time.
import { SWEEP_INTERVAL } from '../src/broker/redis/redis-broker.js'
import { delayAfter } from '../src/client/reconnect.js'

/** Hash slots of a Redis Cluster. */
export const SLOTS = 16_384
/** Rooms of which the slot is really computed. */
const SAMPLE = 100_000

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

/** A key's slot (Redis Cluster specification, CRC16-XMODEM): a room's keys are placed by its name, which is their hash tag. */
export function slotOf (name: string): number {
  let crc = 0
  for (let i = 0; i < name.length; i++) crc = ((crc << 8) ^ TABLE[((crc >> 8) ^ name.charCodeAt(i)) & 0xff]!) & 0xffff
  return crc % SLOTS
}

/** @returns how many times the mean of all shards the fullest of them holds */
export function hottestShard (rooms: number, shards: number, random: () => number): number {
  const sample = Math.min(rooms, SAMPLE)
  const held = new Float64Array(shards)
  for (let n = 0; n < sample; n++) held[Math.floor(slotOf(`payment_${Math.floor(random() * 2 ** 48).toString(36)}`) * shards / SLOTS)]!++
  const slots = new Float64Array(shards)
  for (let slot = 0; slot < SLOTS; slot++) slots[Math.floor(slot * shards / SLOTS)]!++
  // The share of the slots is what it is; chance evens out with the root of the number of rooms.
  const chance = Math.sqrt(sample / rooms)
  return Math.max(...held.map((count, i) => {
    const share = slots[i]! / SLOTS
    // More shards than slots: some have none.
    return share === 0 ? 0 : shards * share * (1 + (count / (sample * share) - 1) * chance)
  }))
}

/** How a balancer chooses a node for a new socket: the one with the fewest of all, or of two that it picks (`random two least_conn` of nginx). */
export type Policy = 'fewest' | 'fewer of two'

export interface Restart {
  /** The fullest node before the restart, as a multiple of the mean. */
  readonly fullest: number
  /** Joins as a multiple of the usual: at each of those that take over, in the worst second; at the empty node that is back, until it is no longer empty or for ten. */
  readonly takingOver: number
  readonly comingBack: number
  /** Until the node that was restarted has nine tenths of the mean, s. */
  readonly evenAfter: number
}

/**
 * Plays some minutes of nodes behind a balancer; one of them is restarted.
 * @param sockets on each node, on average
 * @param life of a socket, on average, s
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
 * Clients that lost their place all at once come back with their jitter and are let in one by one.
 * @param work CPU time for each of them, µs
 * @param busy what the core is busy with otherwise, 0–1
 * @returns when the last one is in, s
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
 * The index of rooms over a day: rooms are added as they begin, and one sweep in each interval looks at a share of them, oldest first, round and round.
 * @param begin rooms that begin in a second
 * @param life until Redis has forgotten a room, s
 * @param retention as it is set, s
 * @returns how many entries it has then, as a multiple of the rooms that exist
 */
export function indexAfterDay (begin: number, life: number, retention: number): number {
  const STEP = SWEEP_INTERVAL / 1_000
  /** Entries by the time when their rooms began, and how many of them this round has looked at and left. */
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
