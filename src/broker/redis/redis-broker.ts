// RedisBroker: rooms and their logs in Redis, so that any node serves any room. Atomic steps are scripts (scripts.ts), called by store.ts; subscriptions.ts delivers
// entries to this node. This file connects the two, and handles the loss and return of Redis.
import { Failure } from '../../errors.js'
import type { EventDraft } from '../event-draft.js'
import type { RoomMember } from '../../protocol/server-frames.js'
import type { Broker, BrokerListener, Lifetime, Published, ReadFrom, RoomSummary, RoomView } from '../broker.js'
import type { RedisClients } from './clients.js'
import { diagnose } from './diagnosis.js'
import { EvictionPolicy } from './eviction-policy.js'
import { Health } from './health.js'
import { listOf, RoomSubscriptions } from './subscriptions.js'
import { Members } from './members.js'
import { BEAT_INTERVAL, Nodes } from './nodes.js'
import { Probe } from './probe.js'
import { RoomIndex } from './room-index.js'
import { RoomStore, type RoomStoreOptions, type StoredRoom } from './store.js'
import { LOST, troubleOf, type Trouble } from './trouble.js'

/** Interval at which ended rooms are removed from the index, ms. */
export const SWEEP_INTERVAL = 10_000
/** Minimum time between two reports of an error of a single command, ms. */
const ERROR_INTERVAL = 60_000

/**
 * Changes in the state of Redis. `up`, `down`: Redis can or cannot be used (`down` again every minute while Redis is unreachable, and when the cause changes).
 * `refused`: a single command failed with an error that says nothing about others. `evicts`: the eviction policy may drop rooms in use. `failed`: a bug in this process.
 */
export type RedisNews =
  | { readonly what: 'up' }
  | { readonly what: 'down', readonly trouble: Trouble }
  | { readonly what: 'refused', readonly trouble: Trouble }
  | { readonly what: 'evicts', readonly policy: string }
  | { readonly what: 'failed', readonly error: unknown }

export interface RedisBrokerOptions extends Omit<RoomStoreOptions, 'commands' | 'database' | 'onRefused'> {
  readonly connection: RedisClients
  /** Name of this node, which no node had before. No spaces. */
  readonly node: string
  readonly onRoom?: (change: 'created' | 'removed', roomId: string) => void
  readonly onNews?: (news: RedisNews) => void
}

export class RedisBroker implements Broker {
  readonly #options: RedisBrokerOptions
  readonly #store: RoomStore
  readonly #nodes: Nodes
  readonly #members: Members
  readonly #index: RoomIndex
  readonly #subscriptions: RoomSubscriptions
  readonly #probe: Probe
  readonly #health: Health
  readonly #policy: EvictionPolicy
  /** Channel on which new nodes announce themselves. */
  readonly #registry: string
  /** True if the subscriber is subscribed to all its channels. */
  #subscribed = false
  #connecting = false
  #checking = false
  #diagnosing = false
  #closing = false
  #beatAt = -Infinity
  #sweptAt = -Infinity
  /** Refusal of a command since the connection was made. */
  #refusal: Trouble | undefined
  #errorAt = -Infinity
  /** Connection error of the client since Redis was last up. */
  #connectionError: unknown

  constructor (options: RedisBrokerOptions) {
    this.#options = options
    const { connection, prefix, node, monotonic, retention } = options
    const { commands, subscriber, clients } = connection
    const store = this.#store = new RoomStore({ ...options, commands, database: connection.database, onRefused: (error) => this.#refused(error) })
    // Room ids contain no @, so these keys and channels collide with no room's.
    this.#registry = store.channel('@nodes')
    const nodes = this.#nodes = new Nodes({ self: node, commands, key: store.key('@nodes'), channel: this.#registry, monotonic })
    const members = this.#members = new Members({ store, nodes, self: node })
    this.#index = new RoomIndex({ commands, key: store.key('@rooms'), roomKey: (roomId) => store.key(roomId) })
    this.#subscriptions = new RoomSubscriptions({
      store,
      members,
      connection,
      retention,
      monotonic,
      onBegan: (roomId) => this.#runInBackground(this.#began(roomId)),
      onRenewed: (roomId) => store.run(() => this.#index.add(roomId, false)),
      runInBackground: (work) => this.#runInBackground(work)
    })
    this.#probe = new Probe({ connection, prefix, channelOf: (tag) => store.channel(tag) })
    this.#policy = new EvictionPolicy({ commands, onOther: (policy) => this.#tell({ what: 'evicts', policy }) })
    this.#health = new Health({ now: monotonic, onUp: () => this.#up(), onDown: (trouble) => this.#tell({ what: 'down', trouble }) })
    for (const client of clients) {
      client.on('error', (error: unknown) => {
        this.#connectionError = error
        this.#disconnected()
      })
      client.on('ready', () => this.#runInBackground(this.#connected()))
      client.on('close', () => this.#disconnected())
    }
    // A cluster's subscribers reconnect by themselves, and have all their channels when they emit this event.
    subscriber.on('subscribersReady', () => this.#runInBackground(this.#subscriptions.checkAll()))
    subscriber.on('smessageBuffer', (name: Buffer, message: Buffer) => {
      const channel = name.toString('latin1')
      if (channel === this.#registry) nodes.markAlive(message.toString('latin1'))
      else this.#subscriptions.onMessage(channel, message)
    })
  }

  listen (listener: BrokerListener): void { this.#subscriptions.listener = listener }

  ready (): boolean { return this.#health.trouble === undefined && this.#isConnected }

  unreadyReason (): string | undefined { return this.#health.trouble?.reason }

  async createRoom (roomId: string, ttl?: number): Promise<Lifetime | Failure> {
    const lifetime = await this.#store.create(roomId, ttl)
    // Index the room before the answer, so that the caller finds it in every node's list.
    if (!(lifetime instanceof Failure)) await this.#began(roomId)
    return lifetime
  }

  subscribe (roomId: string, create = true): Promise<void | Failure> { return this.#subscriptions.subscribe(roomId, create) }

  async unsubscribe (roomId: string): Promise<void> { if (this.#subscriptions.unsubscribe(roomId)) await this.#store.leave(roomId) }

  announce (roomId: string, here: readonly RoomMember[], away: readonly RoomMember[]): Promise<void> { return this.#members.announce(roomId, here, away) }

  async publish (roomId: string, draft: EventDraft, create: boolean): Promise<Published | Failure> {
    const answer = await this.#store.publish(roomId, draft, create, this.#nodes.list)
    if (answer instanceof Failure) return answer
    const { isNewRoom, ...published } = answer
    if (isNewRoom) this.#runInBackground(this.#began(roomId))
    if (published.isNew) this.#subscriptions.published(roomId, draft, published)
    return published
  }

  async read (roomId: string, from?: ReadFrom): Promise<RoomView | Failure> {
    const room = await this.#subscriptions.reconcile(roomId, await this.#store.read(roomId, from))
    if (room instanceof Failure) return room
    const { recovered, entries } = room
    return { ...this.#summary(roomId, room), recovered, entries }
  }

  async listRooms (limit: number, cursor = 0): Promise<{ rooms: RoomSummary[], cursor?: number } | Failure> {
    const rooms: RoomSummary[] = []
    for (let after = cursor; ;) {
      const page = await this.#store.run(() => this.#index.page(after, limit + 1))
      if (page instanceof Failure) return page
      const found = await Promise.all(page.map(({ roomId }) => this.#store.read(roomId)))
      const gone: string[] = []
      for (const [i, { roomId, number }] of page.entries()) {
        const room = found[i]!
        if (room instanceof Failure) {
          if (room.code === 'UNAVAILABLE') return room
          gone.push(roomId)
        } else {
          if (rooms.length === limit) return { rooms, cursor: after }
          rooms.push(this.#summary(roomId, room))
        }
        after = number
      }
      await this.#store.run(() => this.#index.remove(...gone))
      if (page.length <= limit) return { rooms }
    }
  }

  async closeRoom (roomId: string): Promise<void | Failure> {
    const failure = await this.#store.close(roomId)
    if (failure) return failure
    this.#subscriptions.end(roomId, 'closed')
    this.#options.onRoom?.('removed', roomId)
    await this.#store.run(() => this.#index.remove(roomId))
    return undefined
  }

  async tick (): Promise<void> {
    const time = this.#options.monotonic()
    this.#subscriptions.expire()
    if (!this.#isConnected) return this.#disconnected()
    if (!this.#subscribed) return this.#connected()
    const work: Array<Promise<unknown>> = [this.#members.retry(), this.#subscriptions.tick()]
    if (time - this.#beatAt >= BEAT_INTERVAL || !this.#health.isSteady) work.push(this.#check())
    if (time - this.#sweptAt >= SWEEP_INTERVAL) {
      this.#sweptAt = time
      work.push(this.#store.run(() => this.#index.sweep(SWEEP_INTERVAL / this.#options.retention, SWEEP_INTERVAL - 1000)))
    }
    await Promise.all(work)
  }

  async close (): Promise<void> {
    this.#closing = true
    // Redis answers in order: with this reply, all earlier commands are done.
    await this.#store.run(() => this.#nodes.leave())
    this.#subscriptions.clear()
    this.#members.clear()
  }

  get #isConnected (): boolean { return this.#options.connection.clients.every(({ status }) => status === 'ready') }

  #tell (news: RedisNews): void { if (!this.#closing) this.#options.onNews?.(news) }

  /** Runs work that no caller awaits. The work handles failures of Redis itself, so a rejection is a bug. */
  #runInBackground (work: Promise<unknown>): void { work.catch((error: unknown) => this.#options.onNews?.({ what: 'failed', error })) }

  /** Both connections are ready: subscribes to all channels, registers this node, and then checks for missed entries. */
  async #connected (): Promise<void> {
    if (this.#connecting || !this.#isConnected) return
    this.#connecting = true
    this.#refusal = undefined
    const { isCluster } = this.#options.connection
    const failure = await this.#subscriptions.subscribeChannels(this.#registry) ?? (isCluster ? undefined : await this.#subscriptions.resubscribe())
    // Without a refusal, the connection was lost again or the next tick retries.
    if (failure) {
      if (this.#refusal) this.#failed(this.#refusal)
    } else if (this.#isConnected) {
      this.#subscribed = true
      await this.#check()
      await this.#subscriptions.checkAll()
    }
    this.#connecting = false
  }

  #disconnected (): void {
    // While the cluster is connected, an error of one of its connections changes nothing.
    if (this.#closing || this.#isConnected) return
    this.#subscribed = false
    this.#health.lost()
    if (this.#health.wantsCause) this.#runInBackground(this.#diagnose())
  }

  async #diagnose (): Promise<void> {
    if (this.#diagnosing) return
    this.#diagnosing = true
    const found = await diagnose(this.#options.connection)
    this.#diagnosing = false
    const told = troubleOf(this.#connectionError)
    // If the connection is back by now, the probes decide whether Redis can be used.
    if (!this.#isConnected) this.#health.explain(found ?? (told.kind === 'unreachable' ? told : undefined))
  }

  /** Sends a heartbeat, and probes whether rooms can be read and written. */
  async #check (): Promise<void> {
    if (this.#checking) return
    this.#checking = true
    this.#beatAt = this.#options.monotonic()
    const { subscriber, isCluster } = this.#options.connection
    // If the network drops packets, the channels only fall silent; an unanswered PING closes the connection. A cluster manages its subscribers itself.
    const [refused, ...others] = await Promise.all([this.#probe.run(), this.#try(this.#beat()), isCluster ? undefined : this.#try(subscriber.ping())])
    this.#checking = false
    const trouble = refused ?? others.find((other) => other)
    if (trouble) return this.#failed(trouble)
    if (!this.#isConnected || !this.#subscribed) return
    this.#health.succeeded()
    // Redis can be used, so the refusal concerns one room: the slot of a cluster that REDIS_URL does not name as one, for example.
    if (this.#refusal) this.#report(this.#refusal)
    this.#refusal = undefined
  }

  #failed (trouble: Trouble): void {
    if (!this.#isEvidence(trouble)) return
    this.#refusal = undefined
    this.#health.failed(trouble)
  }

  /**
   * Without a connection every command fails, which says nothing about Redis: the client's `close` event reports the loss. In a cluster the error
   * belongs to one shard, and nothing else reports it.
   */
  #isEvidence ({ code }: Trouble): boolean { return this.#isConnected && !this.#closing && (this.#options.connection.isCluster || code !== LOST.code) }

  /** @returns the trouble if work failed. It is recorded at once, since a refusal may close the connection before the check is complete. */
  async #try (work: Promise<unknown>): Promise<Trouble | undefined> {
    try {
      await work
      return undefined
    } catch (error) {
      const trouble = troubleOf(error)
      if (this.#isEvidence(trouble)) this.#health.suspect(trouble)
      return trouble
    }
  }

  async #beat (): Promise<void> {
    for (const node of await this.#nodes.beat()) this.#subscriptions.forgetNode(node)
  }

  #up (): void {
    this.#connectionError = undefined
    this.#tell({ what: 'up' })
    this.#runInBackground(this.#policy.check())
  }

  /** Handles a refused command: the next tick probes Redis. An error that says nothing about other commands is only reported. */
  #refused (error: unknown): void {
    // One refusal is enough to start a probe; a full Redis refuses thousands.
    if (this.#closing || (this.#subscribed && !this.#health.isSteady)) return
    const trouble = troubleOf(error)
    if (!this.#isEvidence(trouble)) return
    if (trouble.kind !== 'error') {
      this.#refusal = trouble
      this.#health.suspect(trouble)
      return
    }
    this.#report(trouble)
  }

  /** Reports trouble with a single command, at most once a minute. */
  #report (trouble: Trouble): void {
    const time = this.#options.monotonic()
    if (time - this.#errorAt < ERROR_INTERVAL) return
    this.#errorAt = time
    this.#tell({ what: 'refused', trouble })
  }

  async #began (roomId: string): Promise<void> {
    this.#options.onRoom?.('created', roomId)
    await this.#store.run(() => this.#index.add(roomId, true))
  }

  #summary (roomId: string, room: StoredRoom): RoomSummary {
    const { epoch, seq, state, createdAt, lastEventAt, members } = room
    return { roomId, epoch, seq, state, createdAt, expiresAt: this.#subscriptions.expiry(roomId, room), lastEventAt, remoteMembers: listOf(this.#members.remoteMembers(members)) }
  }
}
