// Cost of the journal: an event in each mode beside memory, the time of a start, and the bare disk. `npm run bench:journal [-- --rooms 100000 --runs 3 --start-only]`.
// Devices publish in a closed loop; the modes take turns, since the load of the machine changes. Needs /proc.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { draftEvent } from '../src/broker/event-draft.js'
import { DATA_SYNCS } from '../src/broker/journal/data-sync.js'
import { openFolder } from '../src/broker/journal/folder.js'
import { journalBroker } from '../src/broker/journal/restore.js'
import { SYSTEM_CLOCKS } from '../src/clock.js'
import { EVENTS_PER_PAYMENT } from './devices.js'
import { measuredFolder, showDisk } from './disk.js'
import { build, median, ServerUnderTest } from './process.js'
import { withNodes } from './stage.js'

const { values } = parseArgs({ options: { rooms: { type: 'string', default: '100000' }, runs: { type: 'string', default: '3' }, 'start-only': { type: 'boolean' } } })
const [rooms, runs] = [Number(values.rooms), Number(values.runs)]
if (!(rooms > 0) || !Number.isSafeInteger(rooms) || runs % 2 !== 1) {
  console.error('usage: npm run bench:journal -- --rooms 100000 --runs 3 (an odd number) --start-only')
  process.exit(64)
}

/** Rooms with a watcher and a payer, and payments of each, in a measurement of events. */
const PAIRS = 200
const PAYMENTS = 5

const root = measuredFolder()
try {
  build()
  if (values['start-only'] !== true) await compareModes()
  await fillRooms(join(root, 'start'))
  for (let run = 0; run < runs; run++) await measureStart(join(root, 'start'))
  console.log(showDisk())
} finally {
  rmSync(root, { recursive: true, force: true })
}

/** Prints the CPU time of an event, and the time of all events, in memory and in each mode. */
async function compareModes (): Promise<void> {
  const modes = ['memory', ...DATA_SYNCS]
  const cpu: Record<string, number[]> = {}
  const rate: Record<string, number[]> = {}
  const events = PAIRS * PAYMENTS * EVENTS_PER_PAYMENT
  for (let run = 0; run < runs; run++) {
    for (const mode of modes) {
      const env = mode === 'memory' ? {} : { DATA_DIR: join(root, `${mode}-${run}`), DATA_SYNC: mode }
      await withNodes([{ HEARTBEAT_SECONDS: '2000000', ...env }], undefined, async (stage) => {
        await stage.join(PAIRS)
        // Warm-up: the code is compiled before the measurement.
        await stage.pay(1)
        const begin = performance.now()
        let took = 0
        const { cpu: used } = await stage.during(async () => {
          await stage.pay(PAYMENTS)
          took = performance.now() - begin
        }, 0);
        (cpu[mode] ??= []).push(used / events);
        (rate[mode] ??= []).push(events / took * 1000)
      })
    }
  }
  console.log('| Mode | CPU per event, µs | Ratio | Events per second |\n| --- | --- | --- | --- |')
  for (const mode of modes) {
    console.log(`| ${mode} | ${median(cpu[mode]!).toFixed(1)} | ${(median(cpu[mode]!) / median(cpu.memory!)).toFixed(2)} | ${median(rate[mode]!).toFixed(0)} |`)
  }
}

/** Writes rooms of eight events, whose records are spread over the journal as those of payments at one time are. */
async function fillRooms (dir: string): Promise<void> {
  const folder = await openFolder({ dir, sync: 'none', onFatal: (error) => { throw error }, ...SYSTEM_CLOCKS })
  const broker = journalBroker(folder, { logSize: 200, retention: 900_000, newEpoch: () => 'bench', isHeld: () => true, ...SYSTEM_CLOCKS })
  for (let n = 0; n < rooms; n++) await broker.createRoom(`payment_${n}`, { ttl: 3_600_000, amount: 99.9, currency: 'BRL', reference: `order ${n}` })
  for (let seq = 1; seq <= 8; seq++) {
    for (let n = 0; n < rooms; n++) {
      const payload = { roomId: `payment_${n}`, deviceId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301', fields: ['name', 'email', 'document', `${seq}`] }
      await broker.publish(payload.roomId, draftEvent({ type: 'DATA_FILLED', payload, id: `9b2d7a4c-1f6e-4c39-8a57-${seq}${n}` }, { source: 'device', timestamp: Date.now() }), false)
      if (n % 1_000 === 0) await new Promise((resolve) => { setImmediate(resolve) })
    }
  }
  await broker.close()
}

/** Prints the CPU time of a process until it is ready, with the journal and without one, and its memory; then the CPU time of the first use of a room. */
async function measureStart (dir: string): Promise<void> {
  const none = await ServerUnderTest.start({})
  const without = none.cpu / 1_000
  await none.stop()
  const begin = performance.now()
  const server = await ServerUnderTest.start({ DATA_DIR: dir, STALL_SECONDS: '0' })
  const [ready, used] = [performance.now() - begin, server.cpu / 1_000]
  const memory = await server.memory()
  const http = server.url.replace('ws', 'http')
  const ask = async () => { for (let n = 0; n < 1_000; n++) await (await fetch(`${http}/api/rooms/payment_${n * 7 % rooms}`)).text() }
  // Warm-up: the code is compiled, and the rooms are read.
  const times: number[] = []
  for (let turn = 0; turn < 3; turn++) {
    const before = server.cpu
    await ask()
    times.push((server.cpu - before) / 1_000)
  }
  await server.stop()
  console.log(`start with ${rooms} rooms of 8 events: ${used.toFixed(0)} ms of CPU, ${without.toFixed(0)} ms without a journal (${ready.toFixed(0)} ms on the clock); ` +
    `${(memory / 1_048_576).toFixed(0)} MiB; a request for a room: ${times[0]!.toFixed(0)} µs at its first use, ${times[2]!.toFixed(0)} µs later`)
}
