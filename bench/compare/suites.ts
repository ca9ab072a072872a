// Suites of the benchmark. Each prepares a contestant once, and then runs slices of work on request, so that contestants can take turns.
import { setTimeout as sleep } from 'node:timers/promises'
import { each } from '../devices.js'
import { Device } from './device.js'
import { busyTime, type Running } from './process.js'

/** Result of a slice. */
export interface Slice {
  /** One figure for each of the suite's units. */
  readonly figures: readonly number[]
  /** Share of the servers' CPU that was used by processes other than the contestant's, 0–1. */
  readonly foreign: number
}

export interface Suite {
  readonly name: string
  readonly about: string
  /** Units of the figures; the first one is the subject of the suite. */
  readonly units: readonly string[]
  /** Multiple of the usual number of slices, for a suite whose slices differ more from each other. */
  readonly times?: number
  /** Runs one contestant at a time, with one slice for each start. */
  readonly solo?: boolean
  readonly prepare: (running: Running, scale: number) => Promise<{ slice: () => Promise<Slice>, end: () => void }>
}

/** Lead of a measured slice, in multiples of its size: other contestants had the CPU meanwhile, and its caches hold their data. */
export const LEAD = 2

/** Connections that are opened concurrently. */
const AT_ONCE = 64

interface Room { readonly sender: Device, readonly receivers: Device[] }

const roomName = (n: number) => `room-${String(n).padStart(6, '0')}`

async function openRooms ({ ports: [first, last], dialect }: Running, count: number, receivers = 1): Promise<Room[]> {
  const rooms: Room[] = []
  await each(Array.from({ length: count }, (_, n) => roomName(n)), AT_ONCE, async (name) => {
    const watching = await Promise.all(Array.from({ length: receivers }, (_, n) => Device.join(first, dialect, name, `device1-${n}`)))
    rooms.push({ sender: await Device.join(last, dialect, name, 'device2'), receivers: watching })
  })
  return rooms
}

/** Runs the work, and returns the contestant's CPU time for each of `count` items, and the rate. */
async function measure (running: Running, count: number, work: () => Promise<unknown>): Promise<{ cpu: number, rate: number, foreign: number }> {
  const [cpu, busy, at] = [running.cpu, busyTime(), performance.now()]
  await work()
  const [used, wall] = [running.cpu - cpu, (performance.now() - at) * 1000]
  return { cpu: used / count, rate: count / wall * 1e6, foreign: Math.max(0, (busyTime() - busy - used) / wall) }
}

/** Closed loop: each room sends its next events once all receivers have all of the previous ones. */
function pumped (rooms: Room[], window: number, events: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stuck = setTimeout(() => reject(new Error('events were lost')), 60_000)
    let toSend = events
    let toCome = events
    for (const { sender, receivers } of rooms) {
      const next = () => {
        if (toSend <= 0) return
        toSend -= window
        sender.send(window)
      }
      let expected = receivers[0]!.received
      const onEvents = () => {
        if (receivers.some(({ received }) => received < expected + window)) return
        expected += window
        toCome -= window
        if (toCome > 0) return next()
        clearTimeout(stuck)
        resolve()
      }
      for (const receiver of receivers) receiver.onEvents = onEvents
      next()
    }
  })
}

function relaying (name: string, about: string, { rooms, window = 1, receivers = 1, events }: { rooms: number, window?: number, receivers?: number, events: number }): Suite {
  return {
    name,
    about,
    units: ['µs of CPU per event', 'events/s'],
    prepare: async (running, scale) => {
      const all = await openRooms(running, rooms, receivers)
      const slice = async (share = scale) => {
        const count = Math.round(events * share / window / rooms) * window * rooms
        await pumped(all, window, count * LEAD)
        const { cpu, rate, foreign } = await measure(running, count, () => pumped(all, window, count))
        return { figures: [cpu, rate], foreign }
      }
      // Warm-up of the compiler. It depends on the number of events, so it is not smaller where slices are.
      await slice(Math.max(scale, 1))
      return { slice: () => slice(), end: () => { for (const { sender, receivers } of all) for (const device of [sender, ...receivers]) device.leave() } }
    }
  }
}

/**
 * Iterations between two checks for events that are due or received, some 10 µs. Each check is garbage: without a pause there are 300,000 per second, and
 * the collection of that garbage was most of every contestant's p99. Reading the clock in the pause would be garbage, too.
 */
const PAUSE = 1_000
const idle = new Int32Array(1)

/** Open loop: events are due at a fixed rate, regardless of the previous ones, and latency counts from the time at which an event was due. */
async function paced (rooms: Room[], events: number, rate: number): Promise<number[]> {
  const times: number[] = []
  const due = rooms.map(() => [] as number[])
  for (const [i, { receivers: [receiver] }] of rooms.entries()) {
    let heard = receiver!.received
    receiver!.onEvents = () => {
      const now = performance.now()
      for (; heard < receiver!.received; heard++) times.push(now - due[i]!.shift()!)
    }
  }
  const begin = performance.now()
  await new Promise<void>((resolve) => {
    let sent = 0
    const look = () => {
      const now = performance.now()
      for (; sent < events && begin + sent * 1000 / rate <= now; sent++) {
        due[sent % rooms.length]!.push(begin + sent * 1000 / rate)
        rooms[sent % rooms.length]!.sender.send()
      }
      if (sent === events) return resolve()
      for (let step = 0; step < PAUSE; step++) Atomics.load(idle, 0)
      setImmediate(look)
    }
    look()
  })
  for (let waits = 0; times.length < events && waits < 3_000; waits++) await sleep(10)
  if (times.length < events) throw new Error(`${events - times.length} of ${events} events were lost`)
  return times.sort((a, b) => a - b)
}

/** Events in a slice at least: with fewer, a single garbage collection would be the slowest hundredth. */
const LEAST_PACED = 2_500
/** Events before the first slice. At full scale every room has 100 of them, which fill its log; and the compiler needs as many at any rate. */
const PACED_WARM_UP = 30_000

/** @param rate events a second */
function pacing (name: string, about: string, rate: number): Suite {
  return {
    name,
    about,
    units: ['p99, ms', 'p50, ms', 'µs of CPU per event'],
    prepare: async (running, scale) => {
      const rooms = await openRooms(running, 200)
      const events = Math.max(LEAST_PACED, Math.round(rate * scale))
      const slice = async () => {
        let times: number[] = []
        // The lead of the slice, see LEAD.
        await paced(rooms, Math.round(events / 4), rate)
        const { cpu, foreign } = await measure(running, events, async () => { times = await paced(rooms, events, rate) })
        const at = (share: number) => times[Math.floor(times.length * share)]!
        return { figures: [at(0.99), at(0.5), cpu], foreign }
      }
      for (let warmUp = Math.max(3 * LEAST_PACED, PACED_WARM_UP * scale); warmUp > 0; warmUp -= events) await slice()
      return { slice, end: () => { for (const { sender, receivers } of rooms) for (const device of [sender, ...receivers]) device.leave() } }
    }
  }
}

/** Events in a slice of the first suite. */
export const RELAYED = 12_000

export const SUITES: readonly Suite[] = [
  relaying('relay', '200 rooms of two devices, one event at a time in each', { rooms: 200, events: RELAYED }),
  relaying('burst', '100 rooms of two devices, eight events sent at once in each', { rooms: 100, window: 8, events: 16_000 }),
  relaying('fan-out', '20 rooms, from one device to nine', { rooms: 20, receivers: 9, events: 2_400 }),
  ...[2_000, 5_000].map((rate) => pacing(`latency at ${rate.toLocaleString('en')}/s`, `200 rooms of two devices, ${rate.toLocaleString('en')} events a second, measured from the time when each was due`, rate)),
  {
    name: 'connect + join',
    about: `storms of 1,000 devices, ${AT_ONCE} at once: TCP, upgrade, greeting, join`,
    units: ['devices/s', 'µs of CPU per device'],
    times: 2,
    prepare: async (running, scale) => {
      let storm = 0
      const slice = async () => {
        const devices: Device[] = []
        const names = Array.from({ length: 1_000 }, (_, n) => `storm-${storm}-${n >> 1}`)
        storm++
        const { cpu, rate, foreign } = await measure(running, names.length, () => each(names, AT_ONCE, async (name) => {
          devices.push(await Device.join(running.ports[0], running.dialect, name, 'device'))
        }))
        for (const device of devices) device.leave()
        await sleep(300)
        return { figures: [rate, cpu], foreign }
      }
      // Each slice is 1,000 joins. Before some 10,000 of them, contestants with more code are still being compiled.
      for (let warmUp = 0; warmUp < Math.max(6, 20 * scale); warmUp++) await slice()
      return { slice, end: () => {} }
    }
  },
  {
    name: 'idle',
    about: '10,000 idle devices (2,500 over Redis) that joined, two in a room, after 2,000 others that use up the memory a process has in reserve',
    units: ['KiB resident per device', 'MiB in all'],
    solo: true,
    prepare: async (running, scale) => {
      const devices: Device[] = []
      let joined = 0
      const join = (count: number) => each(Array.from({ length: count }, () => `idle-${joined++ >> 1}`), AT_ONCE, async (name) => {
        devices.push(await Device.join(running.ports[devices.length % 2]!, running.dialect, name, 'device'))
      })
      await join(2_000)
      // Collect garbage once before measuring: memory that the first collection releases is soon allocated again.
      await running.memory()
      const count = 10_000 * scale
      return {
        slice: async () => {
          const before = await running.memory()
          let after = before
          const { foreign } = await measure(running, 1, async () => {
            await join(count)
            after = await running.memory()
          })
          return { figures: [(after - before) / 1024 / count, after / 2 ** 20], foreign }
        },
        end: () => { for (const device of devices) device.leave() }
      }
    }
  }
]

/** Suites of the journal. */
export const JOURNAL_SUITES: readonly Suite[] = [
  pacing('journal', 'ours in each mode of `DATA_SYNC`, 200 rooms of two devices, 5,000 events a second, measured from the time when each was due until it is delivered. Goals: `second` needs at most 1.3 times the CPU of memory, and 1.5 times its p99', 5_000),
  relaying('journal at full speed', 'the same rooms, one event at a time in each. Goal: 25,000 events a second in mode `second`; `always` is limited by the disk', { rooms: 200, events: RELAYED })
]
