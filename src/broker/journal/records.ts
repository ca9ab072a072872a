// Records of the journal: length, CRC-32 and a body, which is a kind and its content. Events are binary, because they are nearly all of a journal; the rest is JSON.
import { crc32 } from 'node:zlib'
import type { Payment, Terms } from '../../payment/state.js'
import type { WireFrame } from '../../websocket/frame-writer.js'

/** Kinds of records, the first byte of a body. */
export const KIND = { room: 1, event: 2, name: 3, ended: 4, epochs: 5, snapshot: 6, synced: 7, stalled: 8, kept: 9 } as const

/** Bytes in front of a body: its length and its checksum. */
export const HEAD_BYTES = 8

/** Value that another part of the server keeps: the last one of a key counts. Alone, or within the record of the change that is its cause: then both are there, or none. */
export interface KeptRecord {
  readonly key: string
  /** Place of the key among all, the same for each of its values. */
  readonly number: number
  /** null: the key is removed. */
  readonly value: unknown
}

/** Start of a room. */
export interface RoomRecord {
  /** Creation number of the room within its journal. */
  readonly number: number
  readonly roomId: string
  readonly epoch: string
  /** ms since the epoch, as all times of the journal. */
  readonly createdAt: number
  /** Deadline of the payment link. */
  readonly deadline?: number | undefined
  readonly terms?: Terms | undefined
  /** URL that gets the webhooks of the room, if it has one of its own. */
  readonly webhookUrl?: string | undefined
}

/** Event in the log of a room. */
export interface EventRecord {
  /** Number of the room. */
  readonly number: number
  readonly seq: number
  readonly receivers: number
  readonly verified: boolean
  /** True for the event at the deadline of the link. */
  readonly expires: boolean
  /** New deadline of the link, if the event sets one. */
  readonly deadline: number | undefined
  /** Idempotency-Key of the request. */
  readonly request: string | undefined
  readonly kept?: KeptRecord | undefined
  readonly frame: WireFrame
}

/** Pause after the last event of a room, which is reported once. */
export interface StalledRecord { readonly number: number, readonly kept?: KeptRecord | undefined }

/** Another name of a room. */
export interface NameRecord { readonly number: number, readonly name: string }

/** End of a room. `until`: the time up to which its id is remembered as closed; 0 if it is not. */
export interface EndedRecord { readonly number: number, readonly roomId: string, readonly until: number, readonly kept?: KeptRecord | undefined }

/** New epochs of all rooms so far: the prefix, followed by the number of the room. */
export interface EpochsRecord { readonly prefix: string }

/** A room as it is, written anew so that its earlier records can be deleted. */
export interface SnapshotRecord extends RoomRecord {
  readonly hasExpired: boolean
  readonly hasStalled: boolean
  readonly names: readonly string[]
  readonly payment: Payment
  readonly lastEventAt: number | null
  /** Number of the last event that is not in `events`. */
  readonly before: number
  readonly events: readonly SnapshotEvent[]
}

/** Event of a snapshot, whose frame follows the JSON: its bytes, its receivers, and its deduplication keys. */
export type SnapshotEvent = readonly [bytes: number, receivers: number, keys?: readonly string[]]

/** Flags of an event. */
const VERIFIED = 1
const EXPIRES = 2
const HAS_DEADLINE = 4
const HAS_REQUEST = 8
const HAS_KEPT = 16

/** Bytes of an event's body in front of its optional fields: kind, flags, number, seq, receivers. */
const EVENT_HEAD = 18

/** Initial size of a buffer, and the size up to which it is kept between two writes, bytes. */
const INITIAL_BYTES = 262_144
const MAX_KEPT_BYTES = 4_194_304

/** Records that are not written yet, one after the other. */
export class RecordBuffer {
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #length = 0

  /** Bytes of all records. */
  get length (): number { return this.#length }

  /** Memory of the records; valid up to `length` and until the next record. */
  get bytes (): Buffer { return this.#bytes }

  clear (): void {
    this.#length = 0
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  }

  /** @returns the bytes of the record, as of all methods below */
  json (kind: number, content: object): number {
    const text = JSON.stringify(content)
    const at = this.#reserve(1 + text.length * 3)
    this.#bytes[at] = kind
    return this.#finish(at, at + 1 + this.#bytes.write(text, at + 1))
  }

  event (event: EventRecord): number {
    const { number, seq, receivers, deadline, request, kept, frame } = event
    const text = kept && JSON.stringify(kept)
    const at = this.#reserve(EVENT_HEAD + 8 + 2 + (request === undefined ? 0 : request.length * 3) + 4 + (text === undefined ? 0 : text.length * 3) + frame.length)
    const bytes = this.#bytes
    bytes[at] = KIND.event
    bytes[at + 1] = flagsOf(event)
    bytes.writeDoubleLE(number, at + 2)
    bytes.writeUInt32LE(seq, at + 10)
    bytes.writeUInt32LE(receivers, at + 14)
    let end = at + EVENT_HEAD
    if (deadline !== undefined) end = bytes.writeDoubleLE(deadline, end)
    if (request !== undefined) {
      const length = bytes.write(request, end + 2)
      bytes.writeUInt16LE(length, end)
      end += 2 + length
    }
    if (text !== undefined) {
      const length = bytes.write(text, end + 4)
      bytes.writeUInt32LE(length, end)
      end += 4 + length
    }
    bytes.set(frame, end)
    return this.#finish(at, end + frame.length)
  }

  /** @param frames those of the snapshot's events */
  snapshot (snapshot: SnapshotRecord, frames: readonly WireFrame[]): number {
    const text = JSON.stringify(snapshot)
    const at = this.#reserve(5 + text.length * 3 + frames.reduce((sum, { length }) => sum + length, 0))
    const length = this.#bytes.write(text, at + 5)
    this.#bytes[at] = KIND.snapshot
    this.#bytes.writeUInt32LE(length, at + 1)
    let end = at + 5 + length
    for (const frame of frames) {
      this.#bytes.set(frame, end)
      end += frame.length
    }
    return this.#finish(at, end)
  }

  /** @param size bytes of the segment that are on the disk for certain */
  synced (size: number): number {
    const at = this.#reserve(9)
    this.#bytes[at] = KIND.synced
    return this.#finish(at, this.#bytes.writeDoubleLE(size, at + 1))
  }

  /** Reserves space for a record. @returns start of its body */
  #reserve (atMost: number): number {
    const needed = this.#length + HEAD_BYTES + atMost
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, needed))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    return this.#length + HEAD_BYTES
  }

  #finish (at: number, end: number): number {
    const bytes = this.#bytes
    bytes.writeUInt32LE(end - at, at - HEAD_BYTES)
    bytes.writeUInt32LE(crc32(bytes.subarray(at, end)), at - 4)
    const length = end - this.#length
    this.#length = end
    return length
  }
}

function flagsOf ({ verified, expires, deadline, request, kept }: EventRecord): number {
  return (verified ? VERIFIED : 0) | (expires ? EXPIRES : 0) | (deadline === undefined ? 0 : HAS_DEADLINE) | (request === undefined ? 0 : HAS_REQUEST) | (kept ? HAS_KEPT : 0)
}

/** Event record without its text and its frame: all that a start needs of it. */
export type EventHead = Pick<EventRecord, 'number' | 'seq' | 'expires' | 'deadline'>

/** @param at start of the body of an event */
export function readEventHead (bytes: Buffer, at: number): EventHead {
  const flags = bytes[at + 1]!
  return {
    number: bytes.readDoubleLE(at + 2),
    seq: bytes.readUInt32LE(at + 10),
    expires: (flags & EXPIRES) !== 0,
    deadline: flags & HAS_DEADLINE ? bytes.readDoubleLE(at + EVENT_HEAD) : undefined
  }
}

/** @param at start of the body of an event @returns the value that is kept with it, if there is one */
export function readKeptOfEvent (bytes: Buffer, at: number): KeptRecord | undefined {
  const flags = bytes[at + 1]!
  if ((flags & HAS_KEPT) === 0) return undefined
  let place = at + EVENT_HEAD + (flags & HAS_DEADLINE ? 8 : 0)
  if (flags & HAS_REQUEST) place += 2 + bytes.readUInt16LE(place)
  return JSON.parse(bytes.toString('utf8', place + 4, place + 4 + bytes.readUInt32LE(place))) as KeptRecord
}

/** @param body of an event. The frame shares its memory. Without the value that is kept with it, which only a start needs */
export function readEventRecord (body: Buffer): EventRecord {
  const flags = body[1]!
  let at = EVENT_HEAD + (flags & HAS_DEADLINE ? 8 : 0)
  let request: string | undefined
  if (flags & HAS_REQUEST) {
    const end = at + 2 + body.readUInt16LE(at)
    request = body.toString('utf8', at + 2, end)
    at = end
  }
  if (flags & HAS_KEPT) at += 4 + body.readUInt32LE(at)
  return { ...readEventHead(body, 0), receivers: body.readUInt32LE(14), verified: (flags & VERIFIED) !== 0, request, frame: body.subarray(at) }
}

/** @param body of a record in JSON */
export function readJsonRecord<T> (body: Buffer): T { return JSON.parse(body.toString('utf8', 1)) as T }

/** @param body of a snapshot. The frames share its memory */
export function readSnapshot (body: Buffer): { snapshot: SnapshotRecord, frames: WireFrame[] } {
  let at = 5 + body.readUInt32LE(1)
  const snapshot = JSON.parse(body.toString('utf8', 5, at)) as SnapshotRecord
  const frames = snapshot.events.map(([length]) => {
    at += length
    return body.subarray(at - length, at)
  })
  return { snapshot, frames }
}

/** @param body of a record of kind `synced` @returns bytes of the segment that were on the disk */
export function readSynced (body: Buffer): number { return body.readDoubleLE(1) }
