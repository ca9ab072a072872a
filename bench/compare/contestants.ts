// Contestants of the benchmark: the command that starts each, and the protocol of its devices.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { DATA_SYNCS } from '../../src/broker/journal/data-sync.js'
import { ROOT } from '../../src/root.js'

/** Protocol of a device, as texts. */
export interface Dialect {
  /** Path of the URL to connect to. */
  readonly path: (roomId: string) => string
  /** Handshake: each message that the server sends, and the device's reply to it. After the last step the device is in the room. */
  readonly steps: ReadonlyArray<{ readonly hears: string, readonly says?: (roomId: string, deviceId: string) => string }>
  /** An event; `#` stands for the ten digits in which events differ. */
  readonly event: (roomId: string, deviceId: string) => string
}

export interface Contestant {
  readonly name: string
  /** File that Node.js runs, and its environment. */
  readonly file: string
  readonly env?: Record<string, string>
  /** Number of processes that share a Redis; 0: one process without Redis. Device 1 connects to the first process, device 2 to the last. */
  readonly nodes: 0 | 1 | 2
  /** Package that it needs and this project does not install, and its address. */
  readonly needs?: { readonly name: string, readonly address: string }
  /** Names of the suites that it takes part in; all of them by default. */
  readonly suites?: readonly string[]
  /** True for a server with a journal, in a folder of its own. */
  readonly hasJournal?: boolean
  readonly dialect: Dialect
}

const payload = (roomId: string, deviceId: string) => `{"roomId":"${roomId}","deviceId":"${deviceId}","transactionId":"TX##########","amount":199.9}`
const JOINED = '"ROOM_JOINED"'

const RAW: Dialect = {
  path: (roomId) => `/${roomId}`,
  steps: [{ hears: JOINED }],
  event: (roomId, deviceId) => `{"type":"PAYMENT_SUCCESS","payload":${payload(roomId, deviceId)}}`
}

const OURS: Dialect = {
  ...RAW,
  path: () => '/',
  steps: [
    { hears: 'CONNECTION_ESTABLISHED', says: (roomId, deviceId) => `{"type":"JOIN_ROOM","payload":{"roomId":"${roomId}","deviceId":"${deviceId}"}}` },
    { hears: JOINED }
  ]
}

/** Packet types of Engine.IO 4 and Socket.IO 5: 0 opens, 40 connects, 42 is an event. */
const SOCKET_IO: Dialect = {
  path: () => '/socket.io/?EIO=4&transport=websocket',
  steps: [
    { hears: '0{', says: () => '40' },
    { hears: '40{', says: (roomId, deviceId) => `42["JOIN_ROOM",{"roomId":"${roomId}","deviceId":"${deviceId}"}]` },
    { hears: JOINED }
  ],
  event: (roomId, deviceId) => `42["PAYMENT_SUCCESS",${payload(roomId, deviceId)}]`
}

const rival = (name: string) => join(ROOT, 'bench/compare/rivals', `${name}.js`)
/** Default settings, except for the limits of one address and of one socket: here all load comes from one place. */
const server = {
  file: join(ROOT, 'dist/src/server.js'),
  env: { NODE_ENV: 'production', LOG_LEVEL: 'info', MESSAGES_PER_SECOND: '0', MAX_CONNECTIONS_PER_IP: '1000000', MAX_CONNECTIONS: '1000000' },
  dialect: OURS
}

/** Two nodes of another server with one Redis, in the suites that a payment consists of. */
const peer = {
  env: { NODE_ENV: 'production' },
  nodes: 2,
  suites: ['relay', 'burst', 'latency at 2,000/s', 'latency at 5,000/s', 'connect + join']
} as const

/** Contestants. The first one is the baseline of the others. */
export const CONTESTANTS: readonly Contestant[] = [
  { name: 'raw ws', file: rival('raw-ws'), nodes: 0, dialect: RAW },
  { name: 'ws + JSON', file: rival('ws-json'), nodes: 0, dialect: OURS },
  { name: 'Socket.IO', file: rival('socket-io'), nodes: 0, dialect: SOCKET_IO },
  {
    name: 'µWebSockets.js',
    file: rival('micro-ws'),
    nodes: 0,
    dialect: OURS,
    // Not in the npm registry.
    needs: { name: 'uWebSockets.js', address: 'https://github.com/uNetworking/uWebSockets.js' }
  },
  { name: 'ours', ...server, nodes: 0 },
  { name: 'ours, Redis, 1 node', ...server, nodes: 1 },
  { name: 'ours, Redis, 2 nodes', ...server, nodes: 2 },
  { name: 'ws + pub/sub, 2 nodes', file: rival('ws-redis'), dialect: RAW, ...peer },
  { name: 'Socket.IO + pub/sub, 2 nodes', file: rival('socket-io'), dialect: SOCKET_IO, ...peer, env: { ...peer.env, ADAPTER: 'redis' } },
  { name: 'Socket.IO + streams, 2 nodes', file: rival('socket-io'), dialect: SOCKET_IO, ...peer, env: { ...peer.env, ADAPTER: 'streams' } }
]

/** @returns the reason to leave a contestant out, or undefined */
export function whyMissing ({ name, needs }: Contestant): string | undefined {
  if (!needs) return undefined
  try {
    createRequire(import.meta.url).resolve(needs.name)
    return undefined
  } catch { return `${name} is left out: the package ${needs.name} is not installed (npm install --no-save, from ${needs.address})` }
}

/** Contestants in the suites of the journal: its modes are compared with the rooms in memory alone. */
export const JOURNALED: readonly Contestant[] = [
  { name: 'memory', ...server, nodes: 0 },
  { name: 'raw ws', file: rival('raw-ws'), nodes: 0, dialect: RAW },
  ...DATA_SYNCS.map((sync): Contestant => ({ name: sync, ...server, env: { ...server.env, DATA_SYNC: sync }, nodes: 0, hasJournal: true }))
]
