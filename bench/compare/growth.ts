// Whether an event costs more when there are more rooms, or when more has happened: it must not.
import { each } from '../devices.js'
import { CONTESTANTS } from './contestants.js'
import { Device } from './device.js'
import { Running } from './process.js'
import { SUITES } from './suites.js'

export interface Growth {
  readonly name: string
  /** µs per event. */
  readonly cpu: number
  /** MiB. */
  readonly memory: number
}

const ROOMS = 50_000
/** Events of an hour, at a hundred a second. */
const HOUR = 360_000
/** Slices of which the least is taken: what is looked for is a rise, not a spike. */
const SLICES = 5

/** @param scale how much of it all is done */
export async function growth (scale: number): Promise<Growth[]> {
  const ours = CONTESTANTS.find(({ name }) => name === 'ours')!
  const relay = SUITES.find(({ name }) => name === 'relay')!
  const running = await Running.start(ours, { url: '', pid: 0 })
  try {
    const { slice, end } = await relay.prepare(running, 1)
    const look = async (name: string): Promise<Growth> => {
      const slices = []
      for (let n = 0; n < SLICES; n++) slices.push((await slice()).figure)
      return { name, cpu: Math.min(...slices), memory: await running.memory() / 2 ** 20 }
    }
    const rooms = ROOMS * scale
    const rows = [await look('at first')]
    await keepRooms(running, rooms)
    rows.push(await look(`with ${rooms.toLocaleString('en')} more rooms kept`))
    for (let events = 0; events < HOUR * scale; events += 12_000) await slice()
    rows.push(await look(`after ${(HOUR * scale).toLocaleString('en')} more events`))
    end()
    return rows
  } finally {
    await running.stop()
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
