// Lua scripts of the Redis broker, read once from the files in lua/. Each runs atomically; a room's scripts touch only the keys of that room, which share a hash tag.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster, Redis } from 'ioredis'

/** Concatenates files of lua/: a script after the shared pieces that it uses. */
function lua (...names: string[]): string {
  return names.map((name) => readFileSync(join(import.meta.dirname, 'lua', `${name}.lua`), 'utf8')).join('\n')
}

/** A script on the keys of one room: the room, its log, its members and its outbox. */
const onRoom = (...names: string[]) => ({ numberOfKeys: 4, lua: lua('clock', 'room', ...names) })

/** Steps on several rooms, with the number of keys as the first argument, or on one. In a cluster the client looks at the first argument for the shard. */
const ROOM_CALLS = lua('clock', 'room', 'snapshot', 'open-room', 'announce-members', 'leave-room', 'note-furthest', 'publish', 'room-calls')

/** The client's `scripts` option. */
export const SCRIPTS = {
  createRoom: onRoom('create-room'),
  callRooms: { lua: ROOM_CALLS },
  callRoom: { numberOfKeys: 4, lua: ROOM_CALLS },
  readRoom: onRoom('snapshot', 'read-room'),
  closeRoom: onRoom('close-room'),
  noteStall: onRoom('note-stall'),
  firstDelivery: { numberOfKeys: 2, lua: lua('clock', 'first-delivery') },
  postponeDelivery: { numberOfKeys: 2, lua: lua('clock', 'postpone-delivery') },
  saveDelivery: { numberOfKeys: 4, lua: lua('save-delivery') },
  enlistRooms: { numberOfKeys: 2, lua: lua('enlist-rooms') },
  takeDue: { numberOfKeys: 1, lua: lua('clock', 'take-due') },
  setDue: { numberOfKeys: 1, lua: lua('clock', 'set-due') },
  beatNode: { numberOfKeys: 1, lua: lua('clock', 'beat-node') },
  noteNode: { numberOfKeys: 1, lua: lua('clock', 'note-node') },
  countFields: { numberOfKeys: 2, lua: lua('count-fields') },
  countRequest: { numberOfKeys: 1, lua: lua('count-request') },
  probe: { numberOfKeys: 5, lua: lua('probe') }
}

type Argument = string | number
type Reply = Array<string | number | null>

/** Redis client with the scripts as methods. `Buffer` in a method's name: strings of the reply are Buffers. */
export type RoomRedis = (Redis | Cluster) & {
  createRoom: (...args: Argument[]) => Promise<Reply>
  callRooms: (numberOfKeys: number, ...args: Argument[]) => Promise<[ok: string, ...replies: Reply[]]>
  callRoom: (...args: Argument[]) => Promise<[ok: string, ...replies: Reply[]]>
  readRoomBuffer: (...args: Argument[]) => Promise<unknown[]>
  closeRoom: (...args: Argument[]) => Promise<[...Reply, Array<string | null>, number]>
  noteStall: (...args: Argument[]) => Promise<Reply>
  takeDue: (...args: Argument[]) => Promise<[lease: number, ...roomIds: string[]]>
  setDue: (...args: Argument[]) => Promise<null>
  firstDelivery: (...args: Argument[]) => Promise<[entry: string, now: number, tries: string[]] | null>
  postponeDelivery: (...args: Argument[]) => Promise<number>
  saveDelivery: (...args: Argument[]) => Promise<null>
  enlistRooms: (...args: Argument[]) => Promise<null>
  beatNode: (...args: Argument[]) => Promise<string[]>
  noteNode: (...args: Argument[]) => Promise<string[]>
  countFields: (...args: Argument[]) => Promise<null>
  countRequest: (key: string, window: number) => Promise<[current: number, left: number]>
  probe: (...args: Argument[]) => Promise<string[]>
}
