// Requests to Redis about a room: key names, script calls and decoded replies. Every error of Redis or of the connection becomes UNAVAILABLE.
import { Cluster } from 'ioredis'
import { Failure, type ErrorCode } from '../../errors.js'
import { fingerprintOf, SEQ, type EventDraft } from '../event-draft.js'
import { FrameWriter } from '../../websocket/frame-writer.js'
import type { Furthest } from '../../payment/milestones.js'
import { fold, newPayment, type Payment } from '../../payment/state.js'
import { LINK_EXPIRED, type Lifetime, type LogEntry, type NewRoom, type Position, type Published, type ReadFrom } from '../broker.js'
import { Batcher, type StepReply } from './batcher.js'
import { NO_OUTBOX, OUTBOX_LIFETIME, type Outbox } from './outbox.js'
import type { RoomRedis } from './scripts.js'
import { describeFact, describeFold, fieldsOf, paymentFrom, versionOf, type ScriptFact } from './state.js'

export interface RoomStoreOptions {
  readonly commands: RoomRedis
  /** Name of this node. */
  readonly node: string
  /** Returns the live nodes, each between spaces. */
  readonly liveNodes: () => string
  /** Returns nodes that have died, each followed by a space. */
  readonly deadNodes: () => string
  /** Prefix of every key and every channel. */
  readonly prefix: string
  /** Database number. Part of every channel's name: unlike keys, channels are shared by all databases. */
  readonly database: number
  /** Number of events kept per room. */
  readonly logSize: number
  /** Time that a room is kept without members, ms. */
  readonly retention: number
  /** Time after the deadline of a link in which results are still taken, ms. */
  readonly lateResults?: number | undefined
  /** Clock by which rooms start and end, ms; if omitted, the clock of Redis, which all nodes share. */
  readonly now?: () => number
  /** ms; see src/clock.ts. */
  readonly monotonic: () => number
  /** Returns a name that was never used before, for the epoch of a new log. */
  readonly newEpoch: () => string
  /** Encodes the events for this node's members. Default: a writer of its own. */
  readonly frames?: FrameWriter | undefined
  /** Outbox of webhooks, on a node that sends them. */
  readonly outbox?: Outbox | undefined
  /** Called with the error of a command that Redis refuses while it is connected. */
  readonly onRefused: (error: unknown) => void
}

/** A room that was opened or renewed. */
export interface OpenedRoom extends StoredRoom {
  readonly isNew: boolean
  /** Time until the deadline of the payment link, ms; Infinity if it has none. */
  readonly left: number
}

/** A room and, if requested, its events. */
export interface StoredRoom extends Position, Lifetime {
  /** ms since the epoch; null if the link has none. */
  readonly deadline: number | null
  /** True if the deadline of the link has passed and PAYMENT_EXPIRED is not in the log yet. */
  readonly isOverdue: boolean
  readonly payment: Payment
  /** ms since the epoch; null before the first event. */
  readonly lastEventAt: number | null
  readonly isStalled: boolean
  readonly members: MemberFields
  /** Time of the read by the clock of Redis, ms since the epoch. */
  readonly readAt: number
  readonly recovered: boolean
  readonly entries: LogEntry[]
}

/** Outcome of publish(). */
export interface Appended extends Published {
  readonly isNewRoom: boolean
  /** The payment after the event, if that changed its state. */
  readonly payment: Payment | undefined
  /** True if the payment had stalled before. */
  readonly isResumed: boolean
  readonly inOutbox: InOutbox
}

/** Result of a script for the outbox: the change was appended, or appended in place of the oldest one, or not. */
type InOutbox = 0 | 1 | 2

/** A payment that stalls: now, in `left` ms, or, if that is undefined, not before another event. */
export interface StallCheck extends Position { readonly isNew: boolean, readonly left: number | undefined, readonly inOutbox: InOutbox }

/** Answer for a link whose deadline has passed and is not in the log yet: the deadline, ms since the epoch. */
export interface Overdue { readonly overdue: number }

/** Fields of the members hash as read: node, `count TAB json`, node, … */
export type MemberFields = readonly string[]

type PublishReply = [
  outcome: string, epoch: string, seq: number, at: string, receivers: number, changed: number, isNewRoom: number, fields: Array<string | null>, isResumed: number,
  inOutbox: InOutbox
]

type Text = string | Buffer
type SnapshotReply = [ok: Text, epoch: Text, values: Array<Text | null>, members: Text[], readAt: number, recovered: number, entries: Buffer[]]

/** Codes that a script returns in place of OK. */
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>(['ROOM_NOT_FOUND', 'ROOM_CLOSED', 'ROOM_EXISTS', 'ID_CONFLICT'])
/** Tries to fold a verified fact into a payment that others change meanwhile. */
const MAX_TRIES = 10
/** Lifetime of a room's other names, ms: 60 days, twice the longest link. */
const NAME_LIFETIME = 60 * 86_400_000
const NEWLINE = 0x0a
const TAB = 0x09

/** Its length is the number of scripts: one short method for each. */
export class RoomStore {
  readonly frames: FrameWriter
  /** Channel for the messages of all rooms of this node; undefined in a cluster, where each room has a channel on its own shard. */
  readonly nodeChannel: string | undefined
  readonly #options: RoomStoreOptions
  readonly #batcher: Batcher

  constructor (options: RoomStoreOptions) {
    this.#options = options
    this.frames = options.frames ?? new FrameWriter()
    const isCluster = options.commands instanceof Cluster
    this.nodeChannel = isCluster ? undefined : this.channel(`@node:${options.node}`)
    this.#batcher = new Batcher({
      isCluster,
      keysOf: (roomId) => this.#keysOf(roomId),
      sharedArguments: () => this.#sharedArguments(),
      call: async (keys, args) => {
        const reply = await this.run((redis) => isCluster ? redis.callRoom(...keys, ...args) : redis.callRooms(keys.length, ...keys, ...args))
        return reply instanceof Failure ? reply : reply.slice(1) as StepReply[]
      }
    })
  }

  /** Key of the room's hash. The room id is the hash tag of all keys of a room, so they are on one shard. */
  key (roomId: string): string { return `${this.#options.prefix}:{${roomId}}` }

  /** Channel of a room, on the same shard. */
  channel (roomId: string): string { return `${this.#channels}{${roomId}}` }

  get #channels (): string { return `${this.#options.prefix}:db${this.#options.database}:` }

  /** Room id of a channel. */
  roomOf (channel: string): string { return channel.slice(channel.indexOf('{') + 1, channel.lastIndexOf('}')) }

  /** Runs commands. Any error of Redis or of the connection becomes UNAVAILABLE; the code of a script becomes a Failure with that code. */
  async run<T> (call: (redis: RoomRedis) => Promise<T>): Promise<T | Failure> {
    const { commands, onRefused } = this.#options
    if (commands.status !== 'ready') return new Failure('UNAVAILABLE')
    try {
      const reply = await call(commands)
      return refusalIn(reply) ?? reply
    } catch (error) {
      // Without a connection every command fails, which is not a refusal.
      if (commands.status === 'ready') onRefused(error)
      return new Failure('UNAVAILABLE')
    }
  }

  async create (roomId: string, { ttl, webhookUrl = '', ...terms }: NewRoom = {}): Promise<Lifetime & { epoch: string } | Failure> {
    const reply = await this.run((redis) => redis.createRoom(...this.#roomArguments(roomId), ttl ?? '', this.#lateResults, fieldsOf(newPayment(0, terms)), webhookUrl))
    return reply instanceof Failure ? reply : { createdAt: Number(reply[1]), expiresAt: Number(reply[2]), epoch: reply[3] as string }
  }

  /**
   * Opens the room, or renews its retention if it has no deadline, and registers this node for its messages.
   * @param create open the room if it does not exist
   */
  async open (roomId: string, create: boolean): Promise<OpenedRoom | Failure> {
    const reply = await this.#step(roomId, ['open', create ? 1 : 0, this.#options.deadNodes()])
    if (reply instanceof Failure) return reply
    const [, left, , isNew, room] = reply as [string, number | '', string, number, SnapshotReply]
    return { ...this.#decode(room), isNew: isNew === 1, left: left === '' ? Infinity : left }
  }

  /** Restarts the retention of the room, and ends its messages to this node. */
  async leave (roomId: string): Promise<void> { await this.#step(roomId, ['leave']) }

  /**
   * @param count number of connected members on the node
   * @param json all members of the node, connected or away; empty if there are none
   */
  async announce (roomId: string, count: number, json: string): Promise<Failure | undefined> {
    const reply = await this.#step(roomId, ['announce', count, json])
    return reply instanceof Failure ? reply : undefined
  }

  /** Does a step on a room, together with all others of this turn of the event loop. */
  async #step (roomId: string, args: ReadonlyArray<string | number>): Promise<unknown[] | Failure> {
    const reply = await this.#batcher.runOne(roomId, args) as unknown[] | Failure
    if (reply instanceof Failure) return reply
    if (reply[0] !== 'ERR') return refusalIn(reply) ?? reply
    this.#options.onRefused(new Error(reply[1] as string))
    return new Failure('UNAVAILABLE')
  }

  /**
   * Publishes an event. The script folds a device's event into the state. A verified fact is folded here, and the script takes the result only if the payment is still
   * the one that it was folded into.
   * @returns the outcome, and whether the room is new; `not due` if the deadline that the event tells of has not passed, or is another one
   */
  async publish (roomId: string, draft: EventDraft, create: boolean): Promise<Appended | Failure | 'not due' | Overdue> {
    const device = describeFact(draft)
    if (device) return outcomeOf(this.#checked(roomId, await this.#append(roomId, draft, create, device)), draft)
    // The first try is for a payment without events.
    let before = newPayment(0)
    let version = ''
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const after = fold(before, draft)
      const reply = this.#checked(roomId, await this.#append(roomId, draft, create, describeFold(version, before, after)))
      if (!(reply instanceof Failure) && reply[0] === 'NOT_DUE') return 'not due'
      if (reply instanceof Failure || reply[0] !== 'STALE') return outcomeOf(reply, draft, after)
      const [, created, fields, deadline] = reply as [string, string, Array<string | null>, string]
      before = paymentFrom(fields, Number(created))
      if (deadline !== '' && !before.ledger?.expired && draft.due === undefined) return { overdue: Number(deadline) }
      version = versionOf(fields)
    }
    return new Failure('UNAVAILABLE')
  }

  /** Publishes events of devices in one step. @returns the outcome of each */
  async publishAll (roomId: string, drafts: readonly EventDraft[], create: boolean): Promise<Array<Appended | Failure> | Failure> {
    const replies = await this.#batcher.run(roomId, drafts.map((draft) => this.#eventArguments(draft, create, describeFact(draft)!)))
    if (!(replies instanceof Failure)) return replies.map((reply, i) => outcomeOf(this.#checked(roomId, reply), drafts[i]!))
    this.#options.outbox?.listener.uncertain(roomId)
    return replies
  }

  // Not async, like #checked(): of the promises that an event makes, each is garbage.
  #append (roomId: string, draft: EventDraft, create: boolean, fact: ScriptFact): Promise<StepReply | Failure> {
    return this.#batcher.runOne(roomId, this.#eventArguments(draft, create, fact))
  }

  /** @returns the reply to an event, or the failure in its place. An error of the script becomes UNAVAILABLE, like that of any command. */
  #checked (roomId: string, reply: StepReply | Failure): StepReply | Failure {
    const { onRefused, outbox } = this.#options
    if (reply instanceof Failure) {
      outbox?.listener.uncertain(roomId)
      return reply
    }
    if (reply[0] !== 'ERR') return refusalIn(reply) ?? reply
    onRefused(new Error(reply[1] as string))
    outbox?.listener.uncertain(roomId)
    return new Failure('UNAVAILABLE')
  }

  #eventArguments (draft: EventDraft, create: boolean, { form, values }: ScriptFact): string[] {
    const { type, origin = '', jsonPrefix, jsonSuffix, timestamp, source, ttl, due, keys } = draft
    const hasTimes = ttl !== undefined || due !== undefined
    const flags = (create ? 'c' : '') + (source === 'device' ? 'd' : '') + (this.#options.outbox?.wants('event', type) ? 'w' : '') + (hasTimes ? 't' : '')
    const args = [`${flags}${form} ${type}`, origin, jsonPrefix + SEQ, jsonSuffix, String(timestamp), ...values]
    if (hasTimes) args.push(String(ttl ?? ''), String(due ?? ''))
    if (keys) for (const key of keys) args.push(key.name, fingerprintOf(draft, key))
    return args
  }

  /** End of the room's log, without reading the log, and whether the room's messages come to this node; `epoch` is empty if there is no room. */
  async position (roomId: string): Promise<Position & { isRegistered: boolean } | Failure> {
    const reply = await this.run((redis) => redis.hmget(this.key(roomId), 'epoch', 'seq', 'here'))
    if (reply instanceof Failure) return reply
    const [epoch, seq, here] = reply
    return { epoch: epoch ?? '', seq: Number(seq), isRegistered: here?.includes(` ${this.#options.node}=`) ?? false }
  }

  async read (roomId: string, from?: ReadFrom): Promise<StoredRoom | Failure> {
    // Entries can be many, and hold up nobody else's step.
    const reply = from
      ? await this.run((redis) => redis.readRoomBuffer(...this.#roomArguments(roomId), from.epoch ?? '', from.seq, this.#options.logSize))
      : await this.#step(roomId, ['look'])
    return reply instanceof Failure ? reply : this.#decode(reply as SnapshotReply)
  }

  /** Decodes a snapshot, with texts as strings or as Buffers. */
  #decode (reply: SnapshotReply): StoredRoom {
    const [, name, values, members, readAt, recovered, entries] = reply
    const epoch = String(name)
    const [seq, created, until, last, deadline, stalled, ...fields] = values.map((value) => value === null ? null : String(value))
    const createdAt = Number(created)
    const payment = paymentFrom(fields, createdAt)
    return {
      epoch,
      seq: Number(seq),
      payment,
      deadline: deadline == null ? null : Number(deadline),
      isOverdue: deadline != null && Number(deadline) <= readAt && !payment.ledger?.expired,
      createdAt,
      expiresAt: Number(deadline ?? until),
      lastEventAt: last == null ? null : Number(last),
      members: members.map(String),
      readAt,
      isStalled: stalled === '1',
      recovered: recovered === 1,
      entries: entries.map((element, i, { length }) => readElement(element, epoch, Number(seq) - length + 1 + i, this.frames))
    }
  }

  /** Keeps another name of a room, for longer than any link and its late results. */
  async name (name: string, roomId: string): Promise<void> { await this.run((redis) => redis.set(this.#nameKey(name), roomId, 'PX', NAME_LIFETIME)) }

  async named (name: string): Promise<string | Failure | undefined> { return await this.run((redis) => redis.get(this.#nameKey(name))) ?? undefined }

  /** Encoded: braces in it would be a hash tag, and choose the shard. */
  #nameKey (name: string): string { return `${this.#options.prefix}:@name:${encodeURIComponent(name)}` }

  /** @returns the payment and the end of the log of the closed room */
  async close (roomId: string): Promise<Position & { payment: Payment, timestamp: number, inOutbox: InOutbox } | Failure> {
    const outbox = this.#options.outbox?.argumentsFor('closed') ?? NO_OUTBOX
    const reply = await this.#runOnOutbox(roomId, (redis) => redis.closeRoom(...this.#roomArguments(roomId), ...outbox))
    if (reply instanceof Failure) return reply
    const [, epoch, seq, created, timestamp, fields, inOutbox] = reply as unknown[] as [string, string, string, string, number, Array<string | null>, InOutbox]
    return { epoch, seq: Number(seq), payment: paymentFrom(fields, Number(created)), timestamp, inOutbox }
  }

  /** Notes that the payment has stalled, if nothing has happened for that time, and tells the other nodes. @param stall ms */
  async noteStall (roomId: string, stall: number): Promise<StallCheck | Failure> {
    const outbox = this.#options.outbox?.argumentsFor('stalled') ?? NO_OUTBOX
    const reply = await this.#runOnOutbox(roomId, (redis) => redis.noteStall(...this.#roomArguments(roomId), stall, ...outbox))
    if (reply instanceof Failure) return reply
    const [, isNew, left, epoch, seq, inOutbox] = reply as [string, number, number | '', string, string, InOutbox]
    return { epoch, seq: Number(seq), isNew: isNew === 1, left: left === '' ? undefined : left, inOutbox }
  }

  /** Runs a script that may append to the outbox, also if its answer is lost. */
  async #runOnOutbox<T> (roomId: string, call: (redis: RoomRedis) => Promise<T>): Promise<T | Failure> {
    const reply = await this.run(call)
    if (reply instanceof Failure && reply.code === 'UNAVAILABLE') this.#options.outbox?.listener.uncertain(roomId)
    return reply
  }

  /**
   * Notes a milestone of a payment. A step of its own, so that the script that publishes does not grow; a node that dies between the two leaves the milestone to the next one.
   * @returns undefined if the payment had come that far before
   */
  async noteFurthest (roomId: string, to: Furthest): Promise<{ from: Furthest | undefined } | Failure | undefined> {
    const reply = await this.#step(roomId, ['furthest', to.number, to.at])
    if (reply instanceof Failure) return reply
    const [, isFurther, number, at] = reply
    return isFurther === 0 ? undefined : { from: number === '' ? undefined : { number: Number(number), at: Number(at) } }
  }

  get #lateResults (): number { return this.#options.lateResults ?? 0 }

  #keysOf (roomId: string): string[] {
    const key = this.key(roomId)
    return [key, `${key}:log`, `${key}:members`, `${key}:outbox`]
  }

  /** Keys and first arguments of every script of one room. */
  #roomArguments (roomId: string): Array<string | number> { return [...this.#keysOf(roomId), ...this.#firstArguments()] }

  /** First arguments of every script of rooms. */
  #firstArguments (): Array<string | number> {
    const { now, retention, newEpoch, node } = this.#options
    return [now?.() ?? '', retention, newEpoch(), node, this.#channels, this.nodeChannel === undefined ? 0 : 1]
  }

  /** First arguments of a call that publishes events. Rooms that begin a log in one call share its epoch: a position is always one of a room. */
  #sharedArguments (): Array<string | number> {
    const { logSize, liveNodes, outbox } = this.#options
    return [...this.#firstArguments(), logSize, liveNodes(), this.#lateResults, outbox ? OUTBOX_LIFETIME : '', outbox?.isForEveryRoom ? 1 : 0]
  }
}

/** Decodes the reply to an event. @param folded the payment after a verified fact */
function outcomeOf (reply: StepReply | Failure, { timestamp }: EventDraft, folded?: Payment): Appended | Failure {
  if (reply instanceof Failure) return reply
  if (typeof reply === 'string') {
    const end = reply.indexOf(' ')
    const at = reply.indexOf(' ', end + 1)
    return {
      epoch: reply.slice(at + 1),
      seq: Number(reply.slice(0, end)),
      timestamp,
      receivers: Number(reply.slice(end + 1, at)),
      isNew: true,
      duplicate: false,
      changed: false,
      isNewRoom: false,
      payment: undefined,
      isResumed: false,
      inOutbox: 0
    }
  }
  const [outcome, epoch, seq, at, receivers, changed, isNewRoom, fields, isResumed, inOutbox] = reply as PublishReply
  return {
    epoch,
    seq: Number(seq),
    timestamp: Number(at),
    receivers: Number(receivers),
    isNew: outcome === 'NEW',
    duplicate: outcome === 'DUPLICATE',
    changed: changed === 1,
    isNewRoom: isNewRoom === 1,
    payment: changed === 1 ? folded ?? paymentFrom(fields, Number(at)) : undefined,
    isResumed: isResumed === 1,
    inOutbox
  }
}

/** @returns the failure that a script returned in place of its reply */
function refusalIn (reply: unknown): Failure | undefined {
  if (!Array.isArray(reply)) return undefined
  // A Buffer, if the script's reply is read as Buffers.
  const code = String(reply[0])
  return REFUSALS.has(code) ? new Failure(code as ErrorCode, reply[1] === 'expired' ? LINK_EXPIRED : undefined) : undefined
}

/** Decodes an element of the log: origin and keys on the first line, the message on the next. */
function readElement (element: Buffer, epoch: string, seq: number, frames: FrameWriter): LogEntry {
  return { epoch, seq, origin: element.toString('latin1', 0, element.indexOf(TAB)), frame: frames.encodeText(element.subarray(element.indexOf(NEWLINE) + 1)) }
}
