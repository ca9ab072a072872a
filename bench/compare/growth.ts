// Whether an event costs more when there are more rooms, or when more has happened: it must not.
import { each } from '../devices.js'
import { median } from '../process.js'
import { CONTESTANTS, type Contestant } from './contestants.js'
import { Device } from './device.js'
import { Running } from './process.js'
import { LEAD, RELAYED, SUITES } from './suites.js'

export interface Growth {
  readonly name: string
  /** µs per event. */
  readonly cpu: number
  /** To the first contestant, of which nothing is kept, in slices that took turns: a machine that drifts drifts for both. */
  readonly ratio: number
  /** MiB. */
  readonly memory: number
}

const ROOMS = 50_000
/** Events of an hour, at a hundred a second. */
const HOUR = 360_000
/** Slices of which the middle one is taken. */
const SLICES = 5

/** @param scale how much of it all is done */
export async function growth (scale: number): Promise<Growth[]> {
  const ours = CONTESTANTS.find(({ name }) => name === 'ours')!
  const relay = SUITES.find(({ name }) => name === 'relay')!
  const started: Running[] = []
  try {
    const start = async (contestant: Contestant) => {
      const one = await Running.start(contestant, { url: '', pid: 0 })
      started.push(one)
      return { running: one, ...await relay.prepare(one, scale) }
    }
    const beside = await start(CONTESTANTS[0]!)
    const { running, slice, end } = await start(ours)
    const look = async (name: string): Promise<Growth> => {
      const turns = []
      for (let n = 0; n < SLICES; n++) {
        const first = (await beside.slice()).figures[0]!
        const cpu = (await slice()).figures[0]!
        turns.push({ cpu, ratio: cpu / first })
      }
      return { name, cpu: median(turns.map(({ cpu }) => cpu)), ratio: median(turns.map(({ ratio }) => ratio)), memory: await running.memory() / 2 ** 20 }
    }
    const rooms = ROOMS * scale
    const rows = [await look('at first')]
    await keepRooms(running, rooms)
    rows.push(await look(`with ${rooms.toLocaleString('en')} more rooms kept`))
    // With the lead of each slice.
    const inSlice = RELAYED * scale * (1 + LEAD)
    for (let events = 0; events < HOUR * scale; events += inSlice) await slice()
    rows.push(await look(`after ${(HOUR * scale).toLocaleString('en')} more events`))
    beside.end()
    end()
    return rows
  } finally {
    for (const one of started) await one.stop()
  }
}

/** Rooms with an event in their log, which nobody is in any more. */
function keepRooms ({ ports: [port], dialect }: Running, count: number): Promise<void> {
  return each(Array.from({ length: count }, (_, n) => `kept-${n}`), 64, async (name) => {
    const device = await Device.join(port, dialect, name, 'device')
    device.send()
    await new Promise((resolve) => setImmediate(resolve))
    device.leave()
  })
}
