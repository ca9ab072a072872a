// Who is compared: how each is started, and how a device speaks to it.
import { join } from 'node:path'
import { ROOT } from '../../src/root.js'

/** What a device says and hears, as texts. */
export interface Dialect {
  /** Where it connects to. */
  readonly path: (roomId: string) => string
  /** What the server says by itself at first, and what the device says to that, in turn; after the last one it is in the room. */
  readonly steps: ReadonlyArray<{ readonly hears: string, readonly says?: (roomId: string, deviceId: string) => string }>
  /** An event; `#` stands for the ten digits in which events differ. */
  readonly event: (roomId: string, deviceId: string) => string
}

export interface Contestant {
  readonly name: string
  /** The file that Node runs, and its settings. */
  readonly file: string
  readonly env?: Record<string, string>
  /** Processes that share a Redis; 0: one process and none. Device 1 is on the first of them, device 2 on the last. */
  readonly nodes: 0 | 1 | 2
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

/** Engine.IO 4 and Socket.IO 5: 0 opens, 40 connects, 42 is an event. */
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
/** As it ships, but for the limits on how much one address and one socket may do: here all load comes from one place. */
const server = { file: join(ROOT, 'dist/src/server.js'), env: { NODE_ENV: 'production', LOG_LEVEL: 'info', MESSAGES_PER_SECOND: '0', MAX_CONNECTIONS_PER_IP: '1000000', MAX_CONNECTIONS: '1000000' }, dialect: OURS }

/** The first one is what the others are compared with. */
export const CONTESTANTS: readonly Contestant[] = [
  { name: 'raw ws', file: rival('raw-ws'), nodes: 0, dialect: RAW },
  { name: 'ws + JSON', file: rival('ws-json'), nodes: 0, dialect: OURS },
  { name: 'Socket.IO', file: rival('socket-io'), nodes: 0, dialect: SOCKET_IO },
  { name: 'ours', ...server, nodes: 0 },
  { name: 'ours, Redis, 1 node', ...server, nodes: 1 },
  { name: 'ours, Redis, 2 nodes', ...server, nodes: 2 }
]
