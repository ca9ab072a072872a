// The broker of many nodes: rooms and their logs in Redis, so that any node serves any room. What is atomic is a script (redis/scripts.ts);
// here is what one node keeps: the live end of each room that somebody is in, and the doubt whether it missed something.
import { Failure, type ErrorCode } from '../errors.js'
import { encodeEvent, type EventDraft } from '../protocol/codec.js'
import type { RoomMember } from '../protocol/server-frames.js'
import type { Broker, BrokerListener, CloseCause, Lifetime, LogEntry, Published, ReadFrom, RoomSummary, RoomView } from './broker.js'
import type { Connection } from './redis/connection.js'
import { BEAT_INTERVAL, Nodes } from './redis/nodes.js'
import { RoomIndex } from './redis/room-index.js'
import { describeFact, stateFrom } from './redis/state.js'
import { Tail } from './redis/tail.js'

/** How often each room's position is compared with the log's, ms: the last event of a room is its result, and no later one would show its loss. */
export const CHECK_INTERVAL = 10_000
/** How often rooms that ended are struck off the index, ms. */
const SWEEP_INTERVAL = 10_000
/** Channels in one command, and rooms in one look. */
const BATCH = 500

export interface RedisBrokerOptions {
  readonly connection: Connection
  /** Begins every key. */
  readonly prefix: string
  /** This node's name, which no node had before. No spaces. */
  readonly node: string
  /** Events kept in a room. */
  readonly logSize: number
  /** How long a room is kept once nobody is in it, ms. */
  readonly retention: number
  /** ms since the epoch; the nodes' clocks should agree within a second. */
  readonly now: () => number
  /** A name that was never used before, for the epoch of a new log. */
  readonly newEpoch: () => string
  readonly onRoom?: (change: 'created' | 'removed', roomId: string) => void
  /** Told when Redis is there, when it is not, what it refuses (at most once a second), and what failed here. */
  readonly onTrouble?: (what: 'ready' | 'lost' | 'refused' | 'failed', error?: unknown) => void
}

/** What this node last said of a room's members. */
interface Announcement { readonly here: readonly RoomMember[], readonly away: readonly RoomMember[], sent: boolean }

export class RedisBroker implements Broker {
  readonly #options: RedisBrokerOptions
  readonly #tails = new Map<string, Tail>()
  readonly #announcements = new Map<string, Announcement>()
  readonly #nodes: Nodes
  readonly #index: RoomIndex
  /** The registry of nodes, and the channel on which they appear. */
  readonly #registry: string
  #listener: BrokerListener = { entry: () => {}, closed: () => {}, lost: () => {}, elsewhere: () => {} }
  /** The subscriber has all its channels. */
  #subscribed = false
  #registered = false
  #connecting = false
  #closing = false
  #beatAt = 0
  #sweptAt = 0
  #refusedAt = 0

  constructor (options: RedisBrokerOptions) {
    this.#options = options
    const { connection: { commands, subscriber }, prefix, node, now } = options
    this.#registry = `{${prefix}:nodes}`
    this.#nodes = new Nodes({ self: node, commands, key: this.#registry, now })
    this.#index = new RoomIndex({ commands, key: `{${prefix}:rooms}`, roomKey: (roomId) => this.#keys(roomId)[0]! })
    for (const client of new Set([commands, subscriber])) {
      client.on('error', () => { /* the state says it, and every command that it broke */ })
      client.on('ready', () => this.#letRun(this.#connected()))
      client.on('close', () => this.#disconnected())
    }
    // A cluster's subscribers come and go by themselves, and have all their channels when they say so.
    subscriber.on('subscribersReady', () => this.#letRun(this.#checkAll()))
    subscriber.on('smessageBuffer', (channel: Buffer, message: Buffer) => this.#hear(channel.toString('latin1'), message))
  }

  listen (listener: BrokerListener): void { this.#listener = listener }

  ready (): boolean {
    const { commands, subscriber } = this.#options.connection
    return commands.status === 'ready' && subscriber.status === 'ready' && this.#subscribed && this.#registered
  }

  async createRoom (roomId: string, ttl?: number): Promise<Lifetime | Failure> {
    const reply = await this.#run((redis) => redis.createRoom(...this.#about(roomId), ttl ?? ''))
    if (reply instanceof Failure) return reply
    this.#began(roomId)
    return { createdAt: Number(reply[1]), expiresAt: Number(reply[2]) }
  }

  async subscribe (roomId: string): Promise<void | Failure> {
    if (this.#tails.has(roomId)) return undefined
    const tail = new Tail(roomId)
    this.#tails.set(roomId, tail)
    // The channel first: an event between the two would be lost.
    const failure = await this.#run(async () => { await this.#options.connection.subscriber.ssubscribe(this.#channel(roomId)) }) ?? await this.#open(tail)
    if (this.#tails.get(roomId) !== tail) return undefined
    if (!failure) return undefined
    this.#tails.delete(roomId)
    this.#release(roomId)
    return failure
  }

  async unsubscribe (roomId: string): Promise<void> {
    if (!this.#tails.delete(roomId)) return
    this.#release(roomId)
    await this.#run((redis) => redis.leaveRoom(...this.#about(roomId)))
  }

  async announce (roomId: string, here: readonly RoomMember[], away: readonly RoomMember[]): Promise<void> {
    const announcement = { here, away, sent: false }
    this.#announcements.set(roomId, announcement)
    await this.#announce(roomId, announcement)
  }

  async publish (roomId: string, draft: EventDraft, create: boolean): Promise<Published | Failure> {
    const { origin = '', head, tail, timestamp, keys = [] } = draft
    const reply = await this.#run((redis) => redis.publishEvent(
      ...this.#about(roomId), create ? 1 : 0, this.#options.logSize, origin, head, tail, timestamp, this.#nodes.list, ...describeFact(draft),
      ...keys.flatMap(({ name, fingerprint, isRequest }) => [name, fingerprint, isRequest ? 1 : 0])
    ))
    if (reply instanceof Failure) return reply
    const [outcome, epoch, seq, at, receivers, changed, isNewRoom] = reply as [string, string, number, string, number, number, number]
    if (isNewRoom === 1) this.#began(roomId)
    const isNew = outcome === 'NEW'
    const published = {
      epoch, seq: Number(seq), timestamp: Number(at), receivers: Number(receivers), isNew, duplicate: outcome === 'DUPLICATE', changed: changed === 1
    }
    if (isNew) this.#published(roomId, draft, published)
    return published
  }

  async read (roomId: string, from?: ReadFrom): Promise<RoomView | Failure> {
    const room = await this.#look(roomId, from)
    const tail = this.#tails.get(roomId)
    if (room instanceof Failure) {
      // Redis forgot a room that somebody here is in: it is begun anew, and they are told. Whoever asked may ask again.
      if (room.code !== 'ROOM_NOT_FOUND' || !tail || tail.early) return room
      await this.#catchUp(tail)
      return new Failure('UNAVAILABLE')
    }
    // Another log, before its first entry said so here: nobody may take the old one's late entries for its own.
    if (tail && !tail.early && room.epoch !== tail.epoch) this.#lose(tail, room.epoch, room.seq)
    const { epoch, seq, state, createdAt, expiresAt, recovered, entries, members } = room
    return { epoch, seq, state, createdAt, expiresAt, recovered, entries, elsewhere: [...members.values()].flat() }
  }

  async listRooms (limit: number, cursor = 0): Promise<{ rooms: RoomSummary[], cursor?: number } | Failure> {
    const rooms: RoomSummary[] = []
    for (let after = cursor; ;) {
      const page = await this.#run(() => this.#index.page(after, limit + 1))
      if (page instanceof Failure) return page
      const looks = await Promise.all(page.map(({ roomId }) => this.#look(roomId)))
      const gone: string[] = []
      for (const [i, { roomId, number }] of page.entries()) {
        const room = looks[i]!
        if (room instanceof Failure) {
          if (room.code === 'UNAVAILABLE') return room
          gone.push(roomId)
        } else {
          if (rooms.length === limit) return { rooms, cursor: after }
          const { epoch, seq, state, createdAt, expiresAt, lastEventAt, members } = room
          rooms.push({ roomId, epoch, seq, state, createdAt, expiresAt, lastEventAt, elsewhere: [...members.values()].flat() })
        }
        after = number
      }
      await this.#run(() => this.#index.remove(...gone))
      if (page.length <= limit) return { rooms }
    }
  }

  async closeRoom (roomId: string): Promise<void | Failure> {
    const reply = await this.#run((redis) => redis.closeRoom(...this.#about(roomId)))
    if (reply instanceof Failure) return reply
    this.#end(roomId, 'closed')
    this.#options.onRoom?.('removed', roomId)
    await this.#run(() => this.#index.remove(roomId))
    return undefined
  }

  async tick (): Promise<void> {
    const now = this.#options.now()
    for (const tail of this.#tails.values()) if (tail.deadline <= now) this.#end(tail.roomId, 'expired')
    if (this.#options.connection.commands.status !== 'ready') return
    if (!this.#subscribed) return this.#connected()
    const work: Array<Promise<unknown>> = []
    if (now - this.#beatAt >= BEAT_INTERVAL || !this.#registered) work.push(this.#beat())
    if (now - this.#sweptAt >= SWEEP_INTERVAL) {
      this.#sweptAt = now
      work.push(this.#run(() => this.#index.sweep(SWEEP_INTERVAL / this.#options.retention, SWEEP_INTERVAL - 1000)))
    }
    for (const [roomId, announcement] of this.#announcements) if (!announcement.sent) work.push(this.#announce(roomId, announcement))
    const due: Tail[] = []
    for (const tail of this.#tails.values()) {
      if (tail.early) continue
      if (tail.behind || tail.promised > tail.seq) work.push(this.#catchUp(tail))
      else if (now - tail.checkedAt >= CHECK_INTERVAL) due.push(tail)
      if (now - tail.renewedAt >= this.#options.retention / 4) work.push(this.#renew(tail))
    }
    await Promise.all([...work, this.#check(due)])
  }

  async close (): Promise<void> {
    this.#closing = true
    const { commands } = this.#options.connection
    // Behind all that was sent before: when it is answered, that is done.
    if (commands.status === 'ready') await this.#run(() => this.#nodes.leave())
    this.#tails.clear()
    this.#announcements.clear()
  }

  // --- Redis comes and goes ---

  /** Runs commands; whatever Redis or the way to it has against them becomes UNAVAILABLE, and a script's refusal becomes its code. */
  async #run<T> (call: (redis: Connection['commands']) => Promise<T>): Promise<T | Failure> {
    const { commands } = this.#options.connection
    if (commands.status !== 'ready') return new Failure('UNAVAILABLE')
    try {
      const reply = await call(commands)
      const code: unknown = Array.isArray(reply) ? String(reply[0]) : undefined
      return REFUSALS.has(code as ErrorCode) ? new Failure(code as ErrorCode) : reply
    } catch (error) {
      // Without a connection every command fails; that is one piece of news and not a thousand.
      const at = this.#options.now()
      if (!this.#closing && commands.status === 'ready' && at - this.#refusedAt >= 1000) {
        this.#refusedAt = at
        this.#options.onTrouble?.('refused', error)
      }
      return new Failure('UNAVAILABLE')
    }
  }

  /** For work that nobody waits for. Redis' failures are dealt with in it, so what rejects here is a bug. */
  #letRun (work: Promise<unknown>): void { work.catch((error: unknown) => this.#options.onTrouble?.('failed', error)) }

  async #connected (): Promise<void> {
    const { commands, subscriber } = this.#options.connection
    if (this.#connecting || commands.status !== 'ready' || subscriber.status !== 'ready') return
    this.#connecting = true
    if (await this.#resubscribe()) {
      this.#subscribed = true
      await this.#beat()
      if (this.ready()) this.#options.onTrouble?.('ready')
      await this.#checkAll()
    }
    this.#connecting = false
  }

  /** @returns whether this node hears all its channels; otherwise the connection was lost again, or the next tick tries it */
  async #resubscribe (): Promise<boolean> {
    const { commands, subscriber } = this.#options.connection
    const isCluster = commands as unknown === subscriber
    // A cluster's subscribers know their channels themselves.
    const rooms = isCluster ? [] : [...this.#tails.keys()].map((roomId) => this.#channel(roomId))
    for (const channels of [[this.#registry], ...batches(rooms)]) {
      if (await this.#run(async () => { await subscriber.ssubscribe(...channels) }) instanceof Failure) return false
    }
    return subscriber.status === 'ready'
  }

  #disconnected (): void {
    if (this.#subscribed && !this.#closing) this.#options.onTrouble?.('lost')
    this.#subscribed = false
  }

  async #beat (): Promise<void> {
    this.#beatAt = this.#options.now()
    const gone = await this.#run(() => this.#nodes.beat())
    if (gone instanceof Failure) return
    this.#registered = true
    for (const node of gone) {
      for (const tail of this.#tails.values()) if (tail.elsewhere?.delete(node)) this.#tellElsewhere(tail)
    }
  }

  // --- the live end of a room ---

  async #open (tail: Tail): Promise<Failure | undefined> {
    const { roomId } = tail
    const reply = await this.#run((redis) => redis.openRoom(...this.#about(roomId)))
    if (reply instanceof Failure) return reply
    const [, epoch, seq, until, fixed, isNew, members] = reply as [string, string, string, string, number, number, string[]]
    if (isNew === 1) this.#began(roomId)
    const isAnotherLog = tail.early === undefined && epoch !== tail.epoch
    tail.epoch = epoch
    tail.seq = Number(seq)
    // At once: the first entry of the new log may be right behind.
    if (isAnotherLog) this.#listener.lost(roomId)
    if (this.#tails.get(roomId) !== tail) return undefined
    tail.checkedAt = tail.renewedAt = this.#options.now()
    if (fixed === 1) tail.deadline = Number(until)
    const { early = [] } = tail
    tail.early = undefined
    this.#setElsewhere(tail, members)
    for (const entry of early) this.#receive(tail, entry)
    return undefined
  }

  /** A message of a room's channel (an entry, a node's members, or the room's end), or of a node that appeared. */
  #hear (channel: string, message: Buffer): void {
    if (channel === this.#registry) return this.#nodes.saw(message.toString('latin1'))
    const roomId = channel.slice(channel.indexOf('{') + 1, channel.lastIndexOf('}'))
    const tail = this.#tails.get(roomId)
    if (!tail) return
    const end = message.indexOf(NEWLINE)
    const head = message.toString('latin1', 1, end === -1 ? message.length : end)
    switch (message[0]) {
      case KIND.entry: {
        const [epoch = '', seq, origin] = head.split('\t')
        this.#receive(tail, { epoch, seq: Number(seq), origin, frame: message.subarray(end + 1) })
        break
      }
      case KIND.members:
        if (head === this.#options.node) break
        this.#nodes.saw(head)
        this.#setMembers(tail, head, message.toString('utf8', end + 1))
        this.#tellElsewhere(tail)
        break
      case KIND.closed:
        this.#end(roomId, 'closed')
    }
  }

  #receive (tail: Tail, entry: LogEntry): void {
    if (tail.early) {
      tail.early.push(entry)
      return
    }
    const verdict = tail.judge(entry.epoch, entry.seq)
    if (verdict === 'next') this.#listener.entry(tail.roomId, entry)
    // One channel keeps its order, so what is missing here was lost on its way.
    else if (verdict === 'gap') this.#letRun(this.#catchUp(tail))
  }

  /** Our own event was accepted: it need not come back to us by the channel, whichever is first. */
  #published (roomId: string, draft: EventDraft, { epoch, seq }: Published): void {
    const tail = this.#tails.get(roomId)
    if (!tail || tail.early) return
    const verdict = tail.judge(epoch, seq)
    if (verdict === 'next') this.#listener.entry(roomId, { epoch, seq, origin: draft.origin, frame: encodeEvent(draft, seq) })
    else if (verdict === 'gap' && epoch !== tail.epoch) this.#letRun(this.#catchUp(tail))
    // Another node's event before ours is still in its channel; should it never come, the next tick fetches it.
    else if (verdict === 'gap') tail.promised = Math.max(tail.promised, seq)
  }

  /** Reads what is missing and lets it through, or says that it is lost. */
  async #catchUp (tail: Tail): Promise<void> {
    if (tail.catchingUp !== 'no') {
      tail.catchingUp = 'again'
      return
    }
    const { roomId } = tail
    do {
      tail.catchingUp = 'yes'
      tail.behind = false
      const view = await this.#look(roomId, tail)
      if (this.#tails.get(roomId) !== tail) return
      if (view instanceof Failure) {
        if (view.code === 'ROOM_CLOSED') return this.#end(roomId, tail.deadline <= this.#options.now() ? 'expired' : 'closed')
        // Redis forgot the room; whoever is in it begins with a new log.
        const failure = view.code === 'ROOM_NOT_FOUND' ? await this.#open(tail) : view
        if (failure) tail.behind = true
        break
      }
      if (view.recovered) {
        for (const entry of view.entries) this.#receive(tail, entry)
      } else {
        this.#lose(tail, view.epoch, view.seq)
      }
    } while (this.#isAgain(tail))
    tail.catchingUp = 'no'
  }

  /** What is between here and there cannot be told any more. */
  #lose (tail: Tail, epoch: string, seq: number): void {
    tail.epoch = epoch
    tail.seq = seq
    this.#listener.lost(tail.roomId)
  }

  // The flag is set by others while we wait, which the compiler cannot know.
  #isAgain ({ catchingUp }: Tail): boolean { return catchingUp === 'again' }

  async #checkAll (): Promise<void> {
    for (const tails of batches([...this.#tails.values()].filter(({ early }) => !early))) await this.#check(tails)
  }

  /** Compares positions, without reading the logs of those that are right. */
  async #check (tails: readonly Tail[]): Promise<void> {
    await Promise.all(tails.map(async (tail) => {
      tail.checkedAt = this.#options.now()
      const found = await this.#run((redis) => redis.hmget(this.#keys(tail.roomId)[0]!, 'epoch', 'seq'))
      if (this.#tails.get(tail.roomId) !== tail) return
      if (found instanceof Failure) tail.behind = true
      else if (!tail.isAt(found[0] ?? '', Number(found[1]))) await this.#catchUp(tail)
    }))
  }

  /** Keeps an occupied room from its end, and mends what Redis may have forgotten about it. */
  async #renew (tail: Tail): Promise<void> {
    const { roomId } = tail
    tail.renewedAt = this.#options.now()
    const reply = await this.#run((redis) => redis.openRoom(...this.#about(roomId)))
    if (reply instanceof Failure || this.#tails.get(roomId) !== tail) return
    await this.#run(() => this.#index.add(roomId, false))
    this.#setElsewhere(tail, reply[6] as unknown as string[])
    const announcement = this.#announcements.get(roomId)
    if (announcement) await this.#announce(roomId, announcement)
    if (!tail.isAt(reply[1] as string, Number(reply[2]))) await this.#catchUp(tail)
  }

  #end (roomId: string, cause: CloseCause): void {
    if (!this.#tails.delete(roomId)) return
    this.#announcements.delete(roomId)
    this.#release(roomId)
    this.#listener.closed(roomId, cause)
  }

  /** Lets go of the channel. Should that fail, the connection is gone and the channel with it. */
  #release (roomId: string): void {
    this.#options.connection.subscriber.sunsubscribe(this.#channel(roomId)).catch(() => {})
  }

  // --- members on other nodes ---

  async #announce (roomId: string, announcement: Announcement): Promise<void> {
    const { here, away } = announcement
    const all = [...here, ...away]
    announcement.sent = true
    const reply = await this.#run((redis) => redis.announceMembers(...this.#about(roomId), this.#options.node, here.length, all.length === 0 ? '' : JSON.stringify(all)))
    if (reply instanceof Failure) announcement.sent = false
    else if (all.length === 0 && this.#announcements.get(roomId) === announcement) this.#announcements.delete(roomId)
  }

  #setMembers (tail: Tail, node: string, json: string): void {
    if (json === '') {
      tail.elsewhere?.delete(node)
      return
    }
    tail.elsewhere ??= new Map()
    tail.elsewhere.set(node, JSON.parse(json) as RoomMember[])
  }

  #setElsewhere (tail: Tail, fields: string[]): void {
    const before = tail.elsewhere?.size ?? 0
    const members = this.#membersElsewhere(fields)
    tail.elsewhere = members.size > 0 ? members : undefined
    if (before > 0 || members.size > 0) this.#tellElsewhere(tail)
  }

  #tellElsewhere ({ roomId, elsewhere }: Tail): void {
    this.#listener.elsewhere(roomId, [...elsewhere?.values() ?? []].flat())
  }

  /** @param fields of a members hash: node, `count TAB json`, node, … */
  #membersElsewhere (fields: readonly string[]): Map<string, RoomMember[]> {
    const members = new Map<string, RoomMember[]>()
    for (let i = 0; i < fields.length; i += 2) {
      const [node, value] = [fields[i]!, fields[i + 1]!]
      if (node === this.#options.node || !this.#nodes.has(node)) continue
      members.set(node, JSON.parse(value.slice(value.indexOf('\t') + 1)) as RoomMember[])
    }
    return members
  }

  // --- reading ---

  async #look (roomId: string, from?: ReadFrom) {
    const reply = await this.#run((redis) => redis.readRoomBuffer(...this.#about(roomId), from ? 1 : 0, from?.epoch ?? '', from?.seq ?? 0))
    if (reply instanceof Failure) return reply
    const [epoch, seq, created, until, last, rank, outcome, step, method, fields, updated] = (reply.slice(1, 12) as Array<Buffer | null>).map((value) => value?.toString('utf8') ?? null)
    const createdAt = Number(created)
    const { now, retention } = this.#options
    const tail = this.#tails.get(roomId)
    return {
      epoch: epoch!,
      seq: Number(seq),
      state: stateFrom({ rank: rank!, outcome: outcome!, step: step!, method: method!, fields: fields!, updated: updated! }, createdAt),
      createdAt,
      // Somebody here keeps it from its end.
      expiresAt: tail && tail.deadline === Infinity ? now() + retention : Number(until),
      lastEventAt: last === null ? null : Number(last),
      members: this.#membersElsewhere((reply[12] as Buffer[]).map(String)),
      recovered: reply[13] === 1,
      entries: (reply[14] as Buffer[]).map((element, i, { length }) => readElement(element, epoch!, Number(seq) - length + 1 + i))
    }
  }

  #began (roomId: string): void {
    this.#options.onRoom?.('created', roomId)
    this.#letRun(this.#run(() => this.#index.add(roomId, true)))
  }

  // --- names ---

  #keys (roomId: string): string[] {
    const room = `${this.#options.prefix}:{${roomId}}`
    return [room, `${room}:log`, `${room}:members`]
  }

  #channel (roomId: string): string { return `${this.#options.prefix}:{${roomId}}:live` }

  /** What every script of a room begins with. */
  #about (roomId: string): Array<string | number> {
    const { now, retention, newEpoch } = this.#options
    return [...this.#keys(roomId), now(), retention, newEpoch(), this.#channel(roomId)]
  }
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ROOM_NOT_FOUND', 'ROOM_CLOSED', 'ROOM_EXISTS', 'ID_CONFLICT'])
const NEWLINE = 0x0a
/** The first byte of a channel's message. */
const KIND = { entry: 0x65, members: 0x6d, closed: 0x63 } as const

function batches<T> (items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, i) => items.slice(i * BATCH, (i + 1) * BATCH))
}

/** An element of the log: origin and keys in one line, the frame in the next. */
function readElement (element: Buffer, epoch: string, seq: number): LogEntry {
  const end = element.indexOf(NEWLINE)
  return { epoch, seq, origin: element.toString('latin1', 0, element.indexOf(0x09)), frame: element.subarray(end + 1) }
}
