// Capacity of one node: silent sockets, and rooms that are kept after all members have left. The memory of each must not grow with their number, and silence costs
// little CPU, also right after a storm.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { each } from '../devices.js'
import { CONTESTANTS } from './contestants.js'
import { Device } from './device.js'
import { Running } from './process.js'

export interface Kept {
  readonly name: string
  /** Resident memory for each one that was added since the previous row, KiB; undefined if none was. */
  readonly each: number | undefined
  /** Resident memory of the process, MiB. */
  readonly memory: number
  /** CPU time while nothing is sent but pings, ms a second. */
  readonly silence: number
}

const SOCKETS = [10_000, 20_000, 50_000]
const ROOMS = [10_000, 50_000, 100_000]
/** File descriptors that a process needs besides its sockets. */
const OTHERS = 500
const AT_ONCE = 64
/** Sockets or rooms before the first row, which use up the memory that a process sets aside. */
const BEFORE = 2_000
/** Sockets that stay when all others leave at once. */
const STAYING = 4_000
/** Time in which every socket is pinged once, the default of HEARTBEAT_SECONDS, ms. */
const HEARTBEAT = 25_000

/** Returns the limit of file descriptors of this process, which the servers inherit. */
export function descriptors (): number { return Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))![1]) }

/** @param scale size of the load, 1 for the full one */
export async function keeping (scale: number): Promise<Kept[]> {
  const most = descriptors() - OTHERS
  const sockets = [...new Set(SOCKETS.map((count) => Math.min(count * scale, most)))]
  return [
    ...await filled('silent sockets', sockets, join),
    ...await filled('empty rooms', ROOMS.map((count) => count * scale), open)
  ]
}

interface Filling {
  readonly more: (count: number) => Promise<void>
  /** Lets all but so many leave at once, if they can. */
  readonly fewer?: (count: number) => void
  readonly end: () => void
}

async function filled (what: string, counts: readonly number[], add: (running: Running) => Promise<Filling>): Promise<Kept[]> {
  const running = await Running.start(CONTESTANTS.find(({ name }) => name === 'ours')!, { url: '', pid: 0 })
  try {
    const { more, fewer, end } = await add(running)
    await more(BEFORE)
    const rows: Kept[] = []
    let [had, before] = [BEFORE, await running.memory()]
    for (const count of counts) {
      await more(count - had)
      const after = await running.memory()
      rows.push({ name: `${count.toLocaleString('en')} ${what}`, each: (after - before) / 1024 / (count - had), memory: after / 2 ** 20, silence: await silenceOf(running) });
      [had, before] = [count, after]
    }
    if (fewer && had > STAYING) {
      fewer(STAYING)
      // The server answers the departures first.
      await sleep(1_000)
      const silence = await silenceOf(running)
      rows.push({ name: `${STAYING.toLocaleString('en')} of them, right after the others left`, each: undefined, memory: await running.memory() / 2 ** 20, silence })
    }
    end()
    return rows
  } finally {
    await running.stop()
  }
}

/** @returns the CPU time of the server during one heartbeat, ms a second */
async function silenceOf (running: Running): Promise<number> {
  const [cpu, begin] = [running.cpu, performance.now()]
  await sleep(HEARTBEAT)
  return (running.cpu - cpu) / (performance.now() - begin)
}

/** Adds silent devices, two in a room. */
async function join ({ ports: [port], dialect }: Running): Promise<Filling> {
  const devices: Device[] = []
  return {
    more: async (count: number) => {
      await each(Array.from({ length: count }, (_, n) => `silent-${devices.length + n >> 1}`), AT_ONCE, async (name) => {
        devices.push(await Device.join(port, dialect, name, 'device'))
      })
      const gone = devices.filter(({ isGone }) => isGone).length
      if (gone > 0) throw new Error(`${gone} of ${devices.length} sockets were not kept`)
    },
    fewer: (count) => { for (const device of devices.splice(count)) device.leave() },
    end: () => { for (const device of devices) device.leave() }
  }
}

/** Adds rooms: one socket joins and leaves them, one after the other. */
async function open ({ ports: [port] }: Running): Promise<Filling> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  let [opened, left] = [0, 0]
  let done = () => {}
  const say = (type: string, roomId: string) => socket.send(JSON.stringify({ type, payload: { roomId } }))
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  socket.on('message', (data: Buffer) => {
    const { type, payload } = JSON.parse(String(data)) as { type: string, payload: { roomId: string } }
    if (type === 'ROOM_JOINED') say('LEAVE_ROOM', payload.roomId)
    if (type === 'ROOM_LEFT' && ++left === opened) done()
  })
  return {
    more: async (count: number) => {
      // Few enough joins at a time that the server does not pause the socket (INBOX_SIZE in src/sessions).
      for (let rest = count; rest > 0; rest -= AT_ONCE / 2) {
        const all = new Promise<void>((resolve) => { done = resolve })
        for (let n = Math.min(rest, AT_ONCE / 2); n > 0; n--) say('JOIN_ROOM', `kept-${opened++}`)
        await all
      }
    },
    end: () => socket.terminate()
  }
}
