// RedisBroker: rooms and their logs in Redis, so that any node serves any room. Atomic steps are scripts (scripts.ts), called by store.ts; subscriptions.ts delivers
// entries to this node; availability.ts follows the loss and return of Redis. This file connects them.
import { Failure } from '../../errors.js'
import { expiryDraft, type EventDraft } from '../event-draft.js'
import type { PaymentState } from '../../protocol/payment-state.js'
import type { RoomMember } from '../../protocol/server-frames.js'
import type { Broker, BrokerListener, Lifetime, NewRoom, Position, Published, ReadFrom, RoomChange, RoomPage, RoomQuery, RoomSummary, RoomView } from '../broker.js'
import { milestoneOf } from '../../payment/milestones.js'
import { awaitsPayer, newPayment, type Payment } from '../../payment/state.js'
import { Availability, type RedisNews } from './availability.js'
import type { RedisClients } from './clients.js'
import { DueRooms } from './due-rooms.js'
import { listOf, RoomSubscriptions } from './subscriptions.js'
import { Members } from './members.js'
import { Nodes } from './nodes.js'
import { Probe } from './probe.js'
import { listMatching, type NumberedRoom } from '../room-listing.js'
import type { RoomCursor } from './room-cursor.js'
import { RoomIndex } from './room-index.js'
import { RoomStore, type Appended, type Overdue, type RoomStoreOptions, type StoredRoom } from './store.js'

/** Interval at which ended rooms are removed from the index, ms. */
export const SWEEP_INTERVAL = 10_000

export interface RedisBrokerOptions extends Omit<RoomStoreOptions, 'commands' | 'database' | 'liveNodes' | 'deadNodes' | 'onRefused'> {
  readonly connection: RedisClients
  /** Name of this node, which no node had before. No spaces. */
  readonly node: string
  /** Time without an event after which a payment stalls, ms; undefined: payments never stall. */
  readonly stall?: number | undefined
  /** Called when the deadline of a payment link has passed, on the node that logged it. */
  readonly onLinkExpired?: (roomId: string) => void
  /** Called on every node when a node has died, about twenty seconds later. */
  readonly onNodeDied?: (() => void) | undefined
  readonly onRoom?: (change: 'created' | 'removed', roomId: string) => void
  readonly onNews?: (news: RedisNews) => void
}

/** A change of a room as a script has made it. */
type Changed = Position & { readonly payment: Payment, readonly timestamp: number } & Pick<Appended, 'inOutbox'>

/** Its length is the Broker interface; each step of it is done by one of the parts. */
export class RedisBroker implements Broker {
  readonly #options: RedisBrokerOptions
  readonly #store: RoomStore
  readonly #nodes: Nodes
  readonly #members: Members
  readonly #index: RoomIndex
  readonly #subscriptions: RoomSubscriptions
  readonly #due: DueRooms
  readonly #availability: Availability
  #sweptAt = -Infinity
  /** Runs work that no caller awaits. The work handles failures of Redis itself, so a rejection is a bug. */
  readonly #runInBackground = (work: Promise<unknown>): void => { work.catch((error: unknown) => this.#options.onNews?.({ what: 'failed', error })) }

  constructor (options: RedisBrokerOptions) {
    this.#options = options
    const { connection, prefix, node, monotonic, retention, lateResults, onNews = () => {} } = options
    const { commands, database, isCluster } = connection
    const store = this.#store = new RoomStore({
      ...options, commands, database, liveNodes: () => this.#nodes.list, deadNodes: () => this.#nodes.dead, onRefused: (error) => this.#availability.onRefused(error)
    })
    // Room ids contain no @, so these keys and channels collide with no room's.
    const registryChannel = store.channel('@nodes')
    const nodes = this.#nodes = new Nodes({ self: node, commands, key: store.key('@nodes'), channel: registryChannel, monotonic })
    const members = this.#members = new Members({ store, nodes, self: node })
    const runInBackground = this.#runInBackground
    this.#index = new RoomIndex({ commands, key: store.key('@rooms'), roomKey: (roomId) => store.key(roomId) })
    this.#due = new DueRooms({
      ...{ store, now: options.now, stall: options.stall },
      key: store.key('@due'),
      read: (roomId) => this.#readCurrent(roomId),
      onStalled: (roomId, { payment, readAt }, stall) => this.#changed('stalled', roomId, { ...stall, payment, timestamp: readAt })
    })
    const subscriptions = this.#subscriptions = new RoomSubscriptions({
      ...{ store, members, connection, retention, lateResults, monotonic, runInBackground },
      isListening: () => this.#availability.isSubscribed,
      onDeadline: (roomId, deadline) => this.#expireLink(roomId, deadline),
      onBegan: (roomId) => runInBackground(this.#began(roomId)),
      onRenewed: (roomId) => store.run(() => this.#index.add(roomId, false))
    })
    this.#availability = new Availability({
      ...{ connection, monotonic, onNews, runInBackground },
      probe: new Probe({ connection, prefix, channelOf: (tag) => store.channel(tag) }),
      // A cluster's subscribers restore the channels of the rooms by themselves.
      subscribe: async () => await subscriptions.subscribeChannel(registryChannel) ?? (isCluster ? undefined : subscriptions.subscribeChannel(store.nodeChannel!)),
      onSubscribed: () => subscriptions.checkAll(),
      beat: async () => this.#forget(await nodes.beat())
    })
    this.#receive(registryChannel)
  }

  #receive (registryChannel: string): void {
    const { subscriber } = this.#options.connection
    // A cluster's subscribers reconnect by themselves, and have all their channels when they emit this event.
    subscriber.on('subscribersReady', () => this.#runInBackground(this.#subscriptions.checkAll()))
    subscriber.on('smessageBuffer', (name: Buffer, message: Buffer) => {
      const channel = name.toString('latin1')
      if (channel === registryChannel) this.#nodes.onMessage(message.toString('latin1'))
      else this.#subscriptions.onMessage(channel, message)
    })
  }

  listen (listener: BrokerListener): void { this.#subscriptions.listener = listener }

  ready (): boolean { return this.#availability.isUp }

  unreadyReason (): string | undefined { return this.#availability.reason }

  async createRoom (roomId: string, room?: NewRoom): Promise<Lifetime | Failure> {
    const lifetime = await this.#store.create(roomId, room)
    // Index the room before the answer, so that the caller finds it in every node's list.
    if (lifetime instanceof Failure) return lifetime
    if (room?.reference !== undefined) await this.nameRoom(room.reference, roomId)
    if (room?.ttl !== undefined) await this.#due.set(roomId, room.ttl)
    await this.#began(roomId)
    const { epoch, createdAt, expiresAt } = lifetime
    this.#changed('created', roomId, { epoch, seq: 0, payment: newPayment(createdAt, room), timestamp: createdAt, inOutbox: 0 })
    return { createdAt, expiresAt }
  }

  async subscribe (roomId: string, create = true): Promise<void | Failure> {
    const room = await this.#subscriptions.subscribe(roomId, create)
    return room instanceof Failure ? room : undefined
  }

  async subscribeAndRead (roomId: string, create: boolean): Promise<RoomView | Failure | undefined> {
    const room = await this.#subscriptions.subscribe(roomId, create)
    if (!room || room instanceof Failure) return room
    // A read logs the deadline that has passed.
    return room.isOverdue ? undefined : this.#view(roomId, room)
  }

  async unsubscribe (roomId: string): Promise<void> { if (this.#subscriptions.unsubscribe(roomId)) await this.#store.leave(roomId) }

  announce (roomId: string, here: readonly RoomMember[], away: readonly RoomMember[]): Promise<void> { return this.#members.announce(roomId, here, away) }

  async publish (roomId: string, draft: EventDraft, create: boolean): Promise<Published | Failure> {
    const cursor = this.#subscriptions.onPublish(roomId)
    let answer = await this.#store.publish(roomId, draft, create)
    if (isOverdue(answer)) {
      // Logged first, so that a result after the deadline is known to be late.
      await this.#expireLink(roomId, answer.overdue)
      answer = await this.#store.publish(roomId, draft, create)
    }
    if (answer === 'not due' || isOverdue(answer)) answer = new Failure('UNAVAILABLE')
    const published = answer instanceof Failure ? answer : this.#published(roomId, draft, answer, cursor)
    this.#subscriptions.onAnswer(cursor, { isLost: isUnavailable(published) })
    return published
  }

  async publishAll (roomId: string, drafts: readonly EventDraft[], create: boolean): Promise<Array<Published | Failure> | Failure> {
    const cursor = this.#subscriptions.onPublish(roomId)
    const answers = await this.#store.publishAll(roomId, drafts, create)
    const published = (answers instanceof Failure ? [] : answers).map((answer, i) => answer instanceof Failure ? answer : this.#published(roomId, drafts[i]!, answer, cursor))
    this.#subscriptions.onAnswer(cursor, { isLost: [answers, ...published].some(isUnavailable) })
    return answers instanceof Failure ? answers : published
  }

  #published (roomId: string, draft: EventDraft, answer: Appended, cursor: RoomCursor | undefined): Published {
    const { isNewRoom, payment, isResumed, inOutbox, ...published } = answer
    if (isNewRoom) this.#runInBackground(this.#began(roomId))
    if (!published.isNew) return published
    this.#subscriptions.published(roomId, draft, published)
    this.#setDue(roomId, draft, answer, cursor)
    if (payment) {
      this.#changed('event', roomId, { ...published, payment, inOutbox }, draft.type)
      this.#runInBackground(this.#noteMilestone(roomId, payment.state, draft.timestamp, cursor))
    }
    return published
  }

  async read (roomId: string, from?: ReadFrom): Promise<RoomView | Failure> {
    const room = await this.#subscriptions.reconcile(roomId, await this.#readCurrent(roomId, from))
    return room instanceof Failure ? room : this.#view(roomId, room)
  }

  #view (roomId: string, room: StoredRoom): RoomView {
    const { recovered, entries } = room
    return { ...this.#summary(roomId, room), recovered, entries }
  }

  listRooms (query: RoomQuery): Promise<RoomPage | Failure> {
    return listMatching(query, {
      numbered: (order) => this.#store.run(() => this.#index.page(order)),
      summaries: (rooms) => this.#summaries(rooms)
    })
  }

  /** Reads rooms of the index, and removes those that have ended from it. */
  async #summaries (rooms: readonly NumberedRoom[]): Promise<Array<RoomSummary | undefined> | Failure> {
    const stored = await Promise.all(rooms.map(({ roomId }) => this.#readCurrent(roomId)))
    const unavailable = stored.find((room) => room instanceof Failure && room.code === 'UNAVAILABLE')
    if (unavailable) return unavailable as Failure
    await this.#store.run(() => this.#index.remove(...rooms.filter((_, i) => stored[i] instanceof Failure).map(({ roomId }) => roomId)))
    return stored.map((room, i) => room instanceof Failure ? undefined : this.#summary(rooms[i]!.roomId, room))
  }

  async nameRoom (name: string, roomId: string): Promise<void> { await this.#store.name(name, roomId) }

  roomNamed (name: string): Promise<string | Failure | undefined> { return this.#store.named(name) }

  async closeRoom (roomId: string): Promise<void | Failure> {
    const closed = await this.#store.close(roomId)
    if (closed instanceof Failure) return closed
    this.#changed('closed', roomId, closed)
    this.#subscriptions.end(roomId, 'closed')
    this.#options.onRoom?.('removed', roomId)
    await this.#store.run(() => this.#index.remove(roomId))
    return undefined
  }

  async tick (): Promise<void> {
    this.#subscriptions.expire()
    if (!this.#availability.isSubscribed) return this.#availability.restore()
    const now = this.#options.monotonic()
    const work: Array<Promise<unknown>> = [this.#members.retry(), this.#subscriptions.tick(), this.#due.tick(), this.#availability.tick()]
    if (now - this.#sweptAt >= SWEEP_INTERVAL) {
      this.#sweptAt = now
      work.push(this.#store.run(() => this.#index.sweep(SWEEP_INTERVAL / this.#options.retention, SWEEP_INTERVAL - 1000)))
    }
    await Promise.all(work)
  }

  async close (): Promise<void> {
    this.#availability.close()
    // Redis answers in order: with this reply, all earlier commands are done.
    await this.#store.run(() => this.#nodes.leave())
    this.#subscriptions.clear()
    this.#members.clear()
  }

  #forget (removed: Awaited<ReturnType<Nodes['beat']>>): void {
    for (const { node, hasLeft } of removed) {
      this.#subscriptions.forgetNode(node)
      if (!hasLeft) this.#options.onNodeDied?.()
    }
    if (removed.length > 0) this.#options.outbox?.listener.nodeLost()
  }

  /** Reads a room. If the deadline of its link has passed unnoticed, since nobody was there, that is logged first. */
  async #readCurrent (roomId: string, from?: ReadFrom): Promise<StoredRoom | Failure> {
    const room = await this.#store.read(roomId, from)
    if (room instanceof Failure || !room.isOverdue || !await this.#expireLink(roomId, room.expiresAt)) return room
    return this.#store.read(roomId, from)
  }

  /** Logs the deadline of a link. @returns false if that is to be tried again */
  async #expireLink (roomId: string, deadline: number): Promise<boolean> {
    const { onLinkExpired } = this.#options
    const published = await this.publish(roomId, expiryDraft(roomId, deadline), false)
    if (!(published instanceof Failure) && published.isNew) onLinkExpired?.(roomId)
    // Also if the clock of Redis has not reached the deadline yet.
    return !(published instanceof Failure) || published.code !== 'UNAVAILABLE'
  }

  /** Plans the next look at a room after an event: at its new deadline, and when the payer may have paused. */
  #setDue (roomId: string, { ttl }: EventDraft, { payment, isResumed }: Appended, cursor: RoomCursor | undefined): void {
    const { stall = Infinity, monotonic } = this.#options
    const delay = Math.min(ttl ?? Infinity, isResumed || (payment && awaitsPayer(payment.state)) ? stall : Infinity)
    const now = monotonic()
    // Nobody takes a room out of the set before it is due, and then the look finds the later events.
    if (delay === Infinity || (cursor && cursor.dueUntil > now && cursor.dueUntil <= now + delay)) return
    this.#runInBackground(this.#due.set(roomId, delay).then((isTaken) => { if (isTaken && cursor) cursor.dueUntil = now + delay }))
  }

  async #noteMilestone (roomId: string, state: PaymentState, at: number, cursor: RoomCursor | undefined): Promise<void> {
    const to = { number: milestoneOf(state), at }
    if (to.number === 0 || (cursor && to.number <= cursor.furthest)) return
    const advance = await this.#store.noteFurthest(roomId, to)
    // The payment goes on, though it is not counted.
    if (advance instanceof Failure) return
    if (cursor) cursor.furthest = Math.max(cursor.furthest, to.number)
    if (advance) this.#subscriptions.listener.advanced({ ...advance, to, state })
  }

  #changed (cause: RoomChange['cause'], roomId: string, { epoch, seq, payment: { state, link }, timestamp, inOutbox }: Changed, type?: string): void {
    const change = { cause, roomId, epoch, seq, type, timestamp, state, link }
    if (inOutbox !== 0) this.#options.outbox?.listener.appended(change, inOutbox === 2)
    this.#subscriptions.listener.changed(change)
  }

  async #began (roomId: string): Promise<void> {
    this.#options.onRoom?.('created', roomId)
    await this.#store.run(() => this.#index.add(roomId, true))
  }

  #summary (roomId: string, room: StoredRoom): RoomSummary {
    const { epoch, seq, payment: { state, link }, createdAt, lastEventAt, isStalled, members } = room
    const expiresAt = this.#subscriptions.expiry(roomId, room)
    return { roomId, epoch, seq, state, link, createdAt, expiresAt, lastEventAt, isStalled, remoteMembers: listOf(this.#members.remoteMembers(members)) }
  }
}

function isUnavailable (answer: unknown): boolean { return answer instanceof Failure && answer.code === 'UNAVAILABLE' }

function isOverdue (answer: object | string): answer is Overdue { return typeof answer === 'object' && 'overdue' in answer }
