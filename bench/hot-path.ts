// Measures the garbage and the writes of an event on its way through a node: `npm run bench:hot-path`. With `-- --state` the figures are written to
// bench/hot-path.json, and test/bench/hot-path.test.ts compares the code with them. Unlike times they do not change with the machine or its load.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { MemoryBroker } from '../src/broker/memory/memory-broker.js'
import { SYSTEM_CLOCKS } from '../src/clock.js'
import { Metrics } from '../src/metrics/metrics.js'
import { Rooms } from '../src/rooms/rooms.js'
import { FrameDispatcher } from '../src/sessions/frame-dispatcher.js'
import { SocketSession } from '../src/sessions/socket-session.js'
import { Transport } from '../src/websocket/transport.js'
import type { WritableConnection } from '../src/websocket/batch-writer.js'
import type { WebSocketLike } from '../src/websocket/fast-socket.js'
import { ROOT } from '../src/root.js'
import { plainNode } from '../test/plain-node.js'
import { seeded } from '../test/seeded.js'

const FILE = join(ROOT, 'bench/hot-path.json')
const COMMAND = 'npm run bench:hot-path -- --state'
/** Flags that load this file in a child process; the tests run it compiled. */
const LOADER = import.meta.filename.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : []

/** Events in one count. */
const EVENTS = 20_000
/** Warm-up before the first count, in multiples of EVENTS; after it the optimizing compiler is done. */
const WARM_UPS = 2
/** Number of counts, of which the lowest is taken: other work of the process only adds to a count. */
const ROUNDS = 6
/** Size of the young generation, MB: larger than the garbage of one count, so that nothing is collected meanwhile. */
const NEW_SPACE = 256

/** Kinds of events. An event with an id is stored by its id, and acknowledged. */
export const KINDS = ['withoutId', 'withId'] as const
export type Kind = typeof KINDS[number]

/** Writes per event, to the socket of each device. */
export interface Writes { readonly watcher: number, readonly payer: number }
/** Cost of one event. */
export interface Figure { readonly bytes: number, readonly writes: Writes }

/** Content of bench/hot-path.json. */
export interface Stated {
  readonly command: string
  /** Deviation of the bytes that is allowed, as a share of the stated figure. */
  readonly tolerance: { readonly above: number, readonly below: number }
  readonly writes: Readonly<Record<Kind, Writes>>
  /** By major version of Node.js, each of which has its own compiler and object layouts. */
  readonly bytes: Readonly<Record<string, Readonly<Record<Kind, number>>>>
}

export function readStated (): Stated { return JSON.parse(readFileSync(FILE, 'utf8')) as Stated }

/** Major version of the Node.js that runs this process. */
export const MAJOR = process.versions.node.split('.')[0]!

/** Start of the hot path's clock, ms since the epoch. */
export const START = Date.UTC(2026, 0, 1)
/** Entries of a room's log, the default. */
export const LOG_SIZE = 100
export const ROOM = { roomId: 'payment_123' }
/** Event of device 2. */
export const PAID = { type: 'PAYMENT_SUCCESS', payload: { ...ROOM, deviceId: 'device_2', transactionId: 'tx_456789', amount: 99.9 } }

/** Path of an event within the process, from the message to the writes. */
export interface HotPath {
  readonly rooms: Rooms
  /** Returns messages as they arrive from device 2; if they have ids, each has its own. */
  messages (count: number): Buffer[]
  /** Passes one message to the session, a millisecond after the previous one. */
  send (message: Buffer): void
  /** Returns the writes since the last call. */
  writes (): Writes
}

/** Creates a room with a full log, with device 1, which watches, and device 2, which pays. */
export async function hotPath ({ id, event = PAID }: { id: boolean, event?: object }): Promise<HotPath> {
  let clock = START
  const clocks = { now: () => clock, monotonic: SYSTEM_CLOCKS.monotonic }
  const metrics = new Metrics()
  const transport = new Transport({ ...clocks, onEvents: (latency, events) => metrics.relay.observe(latency / 1000, events) })
  const { batch, frames } = transport
  const broker = new MemoryBroker({ logSize: LOG_SIZE, retention: 3_600_000, ...clocks, frames, newEpoch: () => 'iA9N7hkgUN3b' })
  const rooms = new Rooms({ broker, metrics, log: LOG, ...clocks, maxMembers: 50, maxRoomsPerSocket: 10, maxPayers: 0, isOpen: true, presenceGrace: 0, resultsFrom: 'any' })
  const dispatcher = new FrameDispatcher({ rooms, metrics, log: LOG, batch, ...clocks, verify: undefined })
  const open = (clientId: string, { socket, connection }: Peer) => new SocketSession({ clientId, address: '192.0.2.1', socket, connection }, {
    rooms, metrics, log: LOG, transport, dispatcher, ...clocks, maxOutboxBytes: 1_048_576, messageRates: undefined, joinTimeout: undefined
  })
  // One batch per message, as for each read of a socket.
  const receive = (session: SocketSession, message: Buffer) => {
    batch.begin()
    session.onMessage(message, 0, message.length, batch)
    batch.end()
  }
  const [watcher, payer] = [new Peer(), new Peer()]
  const [device1, device2] = [open('client_1795504810171_63d7ce03977f', watcher), open('client_1795504810175_d003bded8298', payer)]
  const newId = uuids()
  const path: HotPath = {
    rooms,
    messages: (count) => Array.from({ length: count }, () => Buffer.from(JSON.stringify(id ? { ...event, id: newId() } : event))),
    send: (message) => {
      clock++
      receive(device2, message)
    },
    writes: () => ({ watcher: watcher.takeWrites(), payer: payer.takeWrites() })
  }
  receive(device1, Buffer.from(JSON.stringify({ type: 'JOIN_ROOM', payload: { ...ROOM, deviceId: 'device_1' } })))
  await turn()
  // The first event joins device 2 implicitly. Once the log is full, each further event drops the oldest one.
  await each(path.messages(LOG_SIZE), path.send)
  path.writes()
  return path
}

/** Logger that writes nothing, but throws on a warning or an error: they make the figures worthless. */
const LOG = { level: 'info', debug: () => {}, info: () => {}, warn: fail, error: fail }

function fail (fields: object, sentence: string): never { throw new Error(sentence, { cause: fields }) }

/** Peer of a session's socket: counts the writes and keeps none of the bytes. */
class Peer {
  #writes = 0
  readonly connection: WritableConnection
  readonly socket: WebSocketLike = { isPaused: false, close: () => {}, pause: () => {}, resume: () => {} }

  constructor () {
    const count = () => {
      this.#writes++
      return 0
    }
    const openStream = () => { throw new Error('The network takes all that is written.') }
    this.connection = { handle: { writeBuffer: count }, writableLength: 0, openStream }
  }

  takeWrites (): number {
    const writes = this.#writes
    this.#writes = 0
    return writes
  }
}

/**
 * Returns a generator of UUIDs such as the client's, the same ones in each run. Ids of a counter have runs of digits, in which the guard looks for card
 * numbers; UUIDs hardly have any.
 */
export function uuids (): () => string {
  const random = seeded(1)
  const hex = () => Math.floor(random() * 2 ** 32).toString(16).padStart(8, '0')
  return () => (hex() + hex() + hex() + hex()).replace(/^(.{8})(.{4}).(.{3}).(.{3})/, '$1-$2-4$3-a$4-')
}

/** Sends one message in each iteration of the event loop, as messages arrive from a socket. */
function each (messages: readonly Buffer[], send: (message: Buffer) => void): Promise<void> {
  return new Promise((resolve) => {
    let next = 0
    const go = () => {
      if (next === messages.length) return resolve()
      send(messages[next++]!)
      setImmediate(go)
    }
    go()
  })
}

/** Measures each kind in a process of its own: the compiler's feedback from one kind must not change the other. */
export async function measure (): Promise<Record<Kind, Figure>> {
  return { withoutId: await figureOf('withoutId'), withId: await figureOf('withId') }
}

async function figureOf (kind: Kind): Promise<Figure> {
  const flags = ['--expose-gc', `--max-semi-space-size=${NEW_SPACE}`, `--min-semi-space-size=${NEW_SPACE}`, ...LOADER]
  const options = { cwd: ROOT, env: { PATH: process.env.PATH }, timeout: 100_000 }
  const { stdout } = await promisify(execFile)(...plainNode(...flags, import.meta.filename, '--count', kind), options)
  return JSON.parse(stdout) as Figure
}

/** Runs the counts, in the process that is measured. */
async function count (kind: Kind): Promise<Figure> {
  const path = await hotPath({ id: kind === 'withId' })
  // Created once, since the messages are no garbage of the path. By the time an id is repeated, the log has dropped it.
  const messages = path.messages(EVENTS)
  const ignore = () => {}
  for (let i = 0; i < WARM_UPS; i++) {
    await each(messages, path.send)
    await each(messages, ignore)
  }
  path.writes()
  const collections: number[] = []
  new PerformanceObserver((list) => { for (const { startTime } of list.getEntries()) collections.push(startTime) }).observe({ entryTypes: ['gc'] })
  let [whole, turns] = [Infinity, Infinity]
  for (let i = 0; i < ROUNDS; i++) {
    // The iterations of the event loop leave some garbage of their own, which is subtracted.
    turns = Math.min(turns, await allocated(messages, ignore, collections))
    whole = Math.min(whole, await allocated(messages, path.send, collections))
  }
  if (whole === Infinity || turns === Infinity) {
    throw new Error(`Garbage was collected during each count: ${EVENTS} events leave more of it than the ${NEW_SPACE} MB for new objects. Find what allocates it: node --heap-prof`)
  }
  const { watcher, payer } = path.writes()
  return { bytes: Math.round(whole - turns), writes: { watcher: watcher / EVENTS / ROUNDS, payer: payer / EVENTS / ROUNDS } }
}

/** @returns bytes of the heap per message, or Infinity if garbage was collected meanwhile */
async function allocated (messages: readonly Buffer[], send: (message: Buffer) => void, collections: readonly number[]): Promise<number> {
  // Young generation only: a full collection would also discard compiler feedback about objects that do not exist at the moment.
  gc!(true)
  const from = performance.now()
  const before = process.memoryUsage().heapUsed
  await each(messages, send)
  const bytes = process.memoryUsage().heapUsed - before
  const to = performance.now()
  // The performance observer is notified some iterations later.
  await wait(10)
  return collections.some((at) => at >= from && at <= to) ? Infinity : bytes / messages.length
}

/** @returns advice if a figure is too far from the stated one, otherwise undefined */
export function verdict (bytes: number, stated: number, { above, below }: Stated['tolerance']): string | undefined {
  const figures = `an event leaves ${bytes} bytes of garbage, and bench/hot-path.json states ${stated}`
  if (bytes > stated * (1 + above)) return `${figures}: find what allocates them (node --heap-prof); where it is worth them, ${COMMAND}, and say why in the commit`
  if (bytes < stated * (1 - below)) return `${figures}: it is better than that by now; so that it stays so, ${COMMAND}`
  return undefined
}

/** Writes the bytes for this version of Node.js, beside those for the others. */
function state ({ withoutId, withId }: Readonly<Record<Kind, Figure>>): void {
  const { tolerance, bytes } = readStated()
  const stated: Stated = {
    command: COMMAND,
    tolerance,
    writes: { withoutId: withoutId.writes, withId: withId.writes },
    bytes: { ...bytes, [MAJOR]: { withoutId: withoutId.bytes, withId: withId.bytes } }
  }
  writeFileSync(FILE, `${JSON.stringify(stated, null, 2)}\n`)
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { state: { type: 'boolean', default: false }, count: { type: 'string' } } })
  if (values.count !== undefined) {
    console.log(JSON.stringify(await count(values.count as Kind)))
  } else {
    const figures = await measure()
    const stated = readStated().bytes[MAJOR]
    console.log(`Node.js ${process.version}, ${EVENTS} events, the lowest of ${ROUNDS} counts\n`)
    console.log('| An event | Garbage, bytes | Stated, bytes | Writes to the watcher | to the payer |\n| --- | --- | --- | --- | --- |')
    for (const kind of KINDS) {
      const { bytes, writes: { watcher, payer } } = figures[kind]
      console.log(`| ${kind} | ${bytes} | ${stated?.[kind] ?? '–'} | ${watcher} | ${payer} |`)
    }
    if (values.state) state(figures)
  }
}
