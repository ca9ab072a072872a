// Crash at every byte: whatever part of the file was written, a start has exactly the records that are whole, as a naive model says.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { RoomPage, RoomView } from '../../../src/broker/broker.js'
import { draftEvent } from '../../../src/broker/event-draft.js'
import { SYSTEM_DISK } from '../../../src/broker/journal/disk.js'
import { readFolder } from '../../../src/broker/journal/read-folder.js'
import { HEADER_BYTES, segmentName } from '../../../src/broker/journal/segment-header.js'
import { payloadOf } from '../../../src/websocket/frame-writer.js'
import { LOG_SIZE } from '../contract.js'
import { crash, freshFolder, Machine, type Run } from './fresh.js'

/** Each step writes one record at most. */
const step = fc.record({
  what: fc.constantFrom('create', 'create', ...Array.from({ length: 8 }, () => 'publish'), 'name', 'close'),
  room: fc.constantFrom('a', 'b'),
  text: fc.string({ unit: 'grapheme', maxLength: 12 }),
  id: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined }),
  key: fc.option(fc.string({ maxLength: 5 }), { nil: undefined })
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A room of the model: its events as JSON, and its names. */
interface ModelRoom { readonly events: readonly string[], readonly names: readonly string[] }

/** Rooms, and closed rooms, after a number of bytes. */
interface Moment { readonly bytes: number, readonly rooms: Readonly<Record<string, ModelRoom>>, readonly closed: readonly string[] }

async function take ({ broker }: Run, { rooms, closed }: Moment, { what, room, text, id, key }: Step): Promise<Omit<Moment, 'bytes'>> {
  const there = rooms[room]
  if (what === 'create') {
    const created = await broker.createRoom(room)
    return 'code' in created ? { rooms, closed } : { rooms: { ...rooms, [room]: { events: [], names: [] } }, closed: closed.filter((name) => name !== room) }
  }
  if (what === 'name') {
    await broker.nameRoom(`${room} ${text}`, room)
    return there && !there.names.includes(`${room} ${text}`) ? { rooms: { ...rooms, [room]: { ...there, names: [...there.names, `${room} ${text}`] } }, closed } : { rooms, closed }
  }
  if (what === 'close') {
    if (await broker.closeRoom(room)) return { rooms, closed }
    const { [room]: _ended, ...others } = rooms
    return { rooms: others, closed: [...closed, room] }
  }
  const published = await broker.publish(room, draftEvent({ type: 'NOTE', payload: { roomId: room, text }, id }, { source: 'device', timestamp: 7, idempotencyKey: key }), false)
  if ('code' in published || !published.isNew) return { rooms, closed }
  const { entries } = await broker.read(room, { epoch: published.epoch, seq: published.seq - 1 }) as RoomView
  return { rooms: { ...rooms, [room]: { ...there!, events: [...there!.events, payloadOf(entries[0]!.frame).toString()] } }, closed }
}

/** State of a broker in the words of the model. */
async function stateOf ({ broker }: Run, { rooms, closed }: Moment): Promise<Omit<Moment, 'bytes'>> {
  const listed = await broker.listRooms({ limit: 10 }) as RoomPage
  const found: Record<string, ModelRoom> = {}
  for (const { roomId } of listed.rooms) {
    const { entries, seq } = await broker.read(roomId, { seq: 0 }) as RoomView
    const lost = rooms[roomId]?.events.slice(0, Math.max(0, seq - LOG_SIZE)) ?? []
    const names = await Promise.all((rooms[roomId]?.names ?? []).map(async (name) => await broker.roomNamed(name) === roomId ? [name] : []))
    found[roomId] = { events: [...lost, ...entries.map(({ frame }) => payloadOf(frame).toString())], names: names.flat() }
  }
  const views = await Promise.all(closed.map(async (roomId) => ({ roomId, view: await broker.read(roomId) as { code?: string } })))
  return { rooms: found, closed: views.flatMap(({ roomId, view }) => view.code === 'ROOM_CLOSED' ? [roomId] : []) }
}

t.test('a start has the records that are whole, and says that a tail was cut off', async (t) => {
  const root = freshFolder(t)
  let runs = 0
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), async (steps) => {
    const dir = join(root, `${++runs}`)
    const run = await new Machine(dir).start()
    const moments: Moment[] = [{ bytes: HEADER_BYTES, rooms: {}, closed: [] }]
    for (const next of steps) {
      const after = await take(run, moments.at(-1)!, next)
      if (run.folder.segments.size > moments.at(-1)!.bytes) moments.push({ ...after, bytes: run.folder.segments.size })
    }
    crash(run)
    const bytes = readFileSync(join(dir, segmentName(1)))
    const cutDir = join(dir, 'cut')
    mkdirSync(cutDir)
    const cutAt = (length: number) => writeFileSync(join(cutDir, segmentName(1)), bytes.subarray(0, length))
    for (let length = 0; length <= bytes.length; length++) {
      cutAt(length)
      const { index, torn, sizes } = readFolder({ dir: cutDir, disk: SYSTEM_DISK, bootId: 'boot-1', isClean: false, hasFailed: false })
      const moment = moments.findLast(({ bytes }) => bytes <= length)
      const whole = moment?.bytes ?? 0
      const rooms = Object.fromEntries([...index.rooms.values()].map(({ record: { roomId }, seq, names }) => [roomId, [seq, names.length]]))
      const expected = Object.fromEntries(Object.entries(moment?.rooms ?? {}).map(([roomId, { events, names }]) => [roomId, [events.length, names.length]]))
      if (!isDeepStrictEqual(rooms, expected) || (torn?.at ?? length) !== whole || (sizes.get(1) ?? 0) !== whole) {
        throw new Error(`cut at ${length} of ${bytes.length}: ${fc.stringify({ rooms, expected, torn, whole })}`)
      }
    }
    // A few cuts in full: the start of a process, with the content of each room.
    for (const moment of moments.filter((_moment, i) => i % 6 === 0)) {
      const startDir = join(dir, `start-${moment.bytes}`)
      mkdirSync(startDir)
      cutAt(moment.bytes + 3)
      copyFileSync(join(cutDir, segmentName(1)), join(startDir, segmentName(1)))
      const again = await new Machine(startDir).start()
      const state = await stateOf(again, moment)
      await again.broker.close()
      if (!isDeepStrictEqual(state, { rooms: moment.rooms, closed: moment.closed })) throw new Error(`${fc.stringify(state)} instead of ${fc.stringify(moment)}`)
    }
  }), { numRuns: 3, seed: 1 })
  t.equal(runs >= 3, true)
})
