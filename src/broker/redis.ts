// The broker of many nodes: rooms and their logs in Redis, so that any node serves any room. What is atomic is a script (redis/scripts.ts), asked for
// by redis/store.ts; what this node hears and tells is redis/live-rooms.ts; here they meet, and here Redis comes and goes.
import { Failure } from '../errors.js'
import type { EventDraft } from '../protocol/codec.js'
import type { RoomMember } from '../protocol/server-frames.js'
import type { Broker, BrokerListener, Lifetime, Published, ReadFrom, RoomSummary, RoomView } from './broker.js'
import type { Connection } from './redis/connection.js'
import { listOf, LiveRooms } from './redis/live-rooms.js'
import { Members } from './redis/members.js'
import { BEAT_INTERVAL, Nodes } from './redis/nodes.js'
import { RoomIndex } from './redis/room-index.js'
import { RoomStore, type RoomStoreOptions, type StoredRoom } from './redis/store.js'

/** How often rooms that ended are struck off the index, ms. */
export const SWEEP_INTERVAL = 10_000

export interface RedisBrokerOptions extends Omit<RoomStoreOptions, 'commands' | 'onRefused'> {
  readonly connection: Connection
  /** This node's name, which no node had before. No spaces. */
  readonly node: string
  readonly onRoom?: (change: 'created' | 'removed', roomId: string) => void
  /** Told when Redis is there, when it is not, what it refuses (at most once a second), and what failed here. */
  readonly onTrouble?: (what: 'ready' | 'lost' | 'refused' | 'failed', error?: unknown) => void
}

export class RedisBroker implements Broker {
  readonly #options: RedisBrokerOptions
  readonly #store: RoomStore
  readonly #nodes: Nodes
  readonly #members: Members
  readonly #index: RoomIndex
  readonly #live: LiveRooms
  /** The registry of nodes, and the channel on which they appear. */
  readonly #registry: string
  /** The subscriber has all its channels. */
  #subscribed = false
  #registered = false
  #connecting = false
  #closing = false
  #beatAt = -Infinity
  #sweptAt = -Infinity

  constructor (options: RedisBrokerOptions) {
    this.#options = options
    const { connection, prefix, node, monotonic, retention } = options
    const { commands, subscriber, clients } = connection
    this.#registry = `{${prefix}:nodes}`
    const store = this.#store = new RoomStore({ ...options, commands, onRefused: (error) => { if (!this.#closing) options.onTrouble?.('refused', error) } })
    const nodes = this.#nodes = new Nodes({ self: node, commands, key: this.#registry, monotonic })
    const members = this.#members = new Members({ store, nodes, self: node })
    this.#index = new RoomIndex({ commands, key: `{${prefix}:rooms}`, roomKey: (roomId) => store.key(roomId) })
    this.#live = new LiveRooms({
      store,
      members,
      connection,
      retention,
      monotonic,
      onBegan: (roomId) => this.#letRun(this.#began(roomId)),
      onRenewed: (roomId) => store.run(() => this.#index.add(roomId, false)),
      letRun: (work) => this.#letRun(work)
    })
    for (const client of clients) {
      client.on('error', () => { /* the state says it, and every command that it broke */ })
      client.on('ready', () => this.#letRun(this.#connected()))
      client.on('close', () => this.#disconnected())
    }
    // A cluster's subscribers come and go by themselves, and have all their channels when they say so.
    subscriber.on('subscribersReady', () => this.#letRun(this.#live.checkAll()))
    subscriber.on('smessageBuffer', (name: Buffer, message: Buffer) => {
      const channel = name.toString('latin1')
      if (channel === this.#registry) nodes.saw(message.toString('latin1'))
      else this.#live.hear(channel, message)
    })
  }

  listen (listener: BrokerListener): void { this.#live.listener = listener }

  ready (): boolean { return this.#isConnected && this.#subscribed && this.#registered }

  async createRoom (roomId: string, ttl?: number): Promise<Lifetime | Failure> {
    const lifetime = await this.#store.create(roomId, ttl)
    // Whoever is told that it is there finds it in every node's list.
    if (!(lifetime instanceof Failure)) await this.#began(roomId)
    return lifetime
  }

  subscribe (roomId: string, create = true): Promise<void | Failure> { return this.#live.subscribe(roomId, create) }

  async unsubscribe (roomId: string): Promise<void> { if (this.#live.unsubscribe(roomId)) await this.#store.leave(roomId) }

  announce (roomId: string, here: readonly RoomMember[], away: readonly RoomMember[]): Promise<void> { return this.#members.announce(roomId, here, away) }

  async publish (roomId: string, draft: EventDraft, create: boolean): Promise<Published | Failure> {
    const answer = await this.#store.publish(roomId, draft, create, this.#nodes.list)
    if (answer instanceof Failure) return answer
    const { isNewRoom, ...published } = answer
    if (isNewRoom) this.#letRun(this.#began(roomId))
    if (published.isNew) this.#live.published(roomId, draft, published)
    return published
  }

  async read (roomId: string, from?: ReadFrom): Promise<RoomView | Failure> {
    const room = await this.#live.reconcile(roomId, await this.#store.read(roomId, from))
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
    this.#live.end(roomId, 'closed')
    this.#options.onRoom?.('removed', roomId)
    await this.#store.run(() => this.#index.remove(roomId))
    return undefined
  }

  async tick (): Promise<void> {
    const time = this.#options.monotonic()
    this.#live.expire()
    if (!this.#isConnected) return
    if (!this.#subscribed) return this.#connected()
    const work: Array<Promise<unknown>> = [this.#members.retry(), this.#live.tick()]
    if (time - this.#beatAt >= BEAT_INTERVAL || !this.#registered) work.push(this.#beat())
    if (time - this.#sweptAt >= SWEEP_INTERVAL) {
      this.#sweptAt = time
      work.push(this.#store.run(() => this.#index.sweep(SWEEP_INTERVAL / this.#options.retention, SWEEP_INTERVAL - 1000)))
    }
    await Promise.all(work)
  }

  async close (): Promise<void> {
    this.#closing = true
    // Behind all that was sent before: when it is answered, that is done.
    await this.#store.run(() => this.#nodes.leave())
    this.#live.clear()
    this.#members.clear()
  }

  get #isConnected (): boolean { return this.#options.connection.clients.every(({ status }) => status === 'ready') }

  /** For work that nobody waits for. Redis' failures are dealt with in it, so what rejects here is a bug. */
  #letRun (work: Promise<unknown>): void { work.catch((error: unknown) => this.#options.onTrouble?.('failed', error)) }

  /** Both ways are there: hears all channels, registers, and then looks what was missed. */
  async #connected (): Promise<void> {
    if (this.#connecting || !this.#isConnected) return
    this.#connecting = true
    const { isCluster } = this.#options.connection
    const failure = await this.#live.hearOf(this.#registry) ?? (isCluster ? undefined : await this.#live.resubscribe())
    // Otherwise the connection was lost again, or the next tick tries it.
    if (!failure && this.#isConnected) {
      this.#subscribed = true
      await this.#beat()
      if (this.ready()) this.#options.onTrouble?.('ready')
      await this.#live.checkAll()
    }
    this.#connecting = false
  }

  #disconnected (): void {
    if (this.#subscribed && !this.#closing) this.#options.onTrouble?.('lost')
    this.#subscribed = false
  }

  async #beat (): Promise<void> {
    this.#beatAt = this.#options.monotonic()
    const { subscriber, isCluster } = this.#options.connection
    // Where packets vanish the channels would merely fall silent; a question that is not answered ends the connection. A cluster's are its own.
    if (!isCluster) this.#letRun(this.#store.run(() => subscriber.ping()))
    const gone = await this.#store.run(() => this.#nodes.beat())
    if (gone instanceof Failure) return
    this.#registered = true
    for (const node of gone) this.#live.forgetNode(node)
  }

  async #began (roomId: string): Promise<void> {
    this.#options.onRoom?.('created', roomId)
    await this.#store.run(() => this.#index.add(roomId, true))
  }

  #summary (roomId: string, room: StoredRoom): RoomSummary {
    const { epoch, seq, state, createdAt, lastEventAt, members } = room
    return { roomId, epoch, seq, state, createdAt, expiresAt: this.#live.expiry(roomId, room), lastEventAt, elsewhere: listOf(this.#members.elsewhere(members)) }
  }
}
