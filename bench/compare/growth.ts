// Growth benchmark: the cost of an event must not grow with the number of rooms, nor with the number of past events.
import { each } from '../devices.js'
import { median } from '../process.js'
import { CONTESTANTS, type Contestant } from './contestants.js'
import { Device } from './device.js'
import { Running } from './process.js'
import { LEAD, RELAYED, SUITES } from './suites.js'

export interface Growth {
  readonly name: string
  /** CPU time per event, µs. */
  readonly cpu: number
  /** Ratio to the first contestant, which keeps nothing, in slices that took turns: drift of the machine affects both. */
  readonly ratio: number
  /** Resident memory, MiB. */
  readonly memory: number
}

const ROOMS = 50_000
/** Events of an hour, at 100 per second. */
const HOUR = 360_000
/** Number of slices of which the median is taken. */
const SLICES = 5

/** @param scale size of the load, 1 for the full one */
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
    // Each slice includes its lead, see LEAD.
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

/** Creates rooms with one event in the log and no members. */
function keepRooms ({ ports: [port], dialect }: Running, count: number): Promise<void> {
  return each(Array.from({ length: count }, (_, n) => `kept-${n}`), 64, async (name) => {
    const device = await Device.join(port, dialect, name, 'device')
    device.send()
    await new Promise((resolve) => setImmediate(resolve))
    device.leave()
  })
}
