// Records of the deliveries in Redis, for the list of operators. They are no part of what is delivered: a record may come late or be lost with its node.
import type { RoomRedis } from '../../broker/redis/scripts.js'
import type { WebhookDelivery } from '../../protocol/rest-deliveries.js'
import { MAX_DELIVERED, MAX_GIVEN_UP } from '../delivery-queue.js'

/** Records of deliveries that wait. */
export const MAX_WAITING = 100_000

export interface DeliveryRecord {
  readonly delivery: WebhookDelivery
  /** Entry of the outbox, of a delivery that was given up. */
  readonly entry?: string
}

const PLACES = ['waiting', 'given-up', 'delivered'] as const
const PLACE: Readonly<Record<WebhookDelivery['status'], number>> = { pending: 2, failed: 3, disabled: 3, delivered: 4 }
const BOUNDS = [MAX_WAITING, MAX_GIVEN_UP, MAX_DELIVERED]

export class DeliveryRecords {
  readonly #commands: RoomRedis
  readonly #records: string
  readonly #places: readonly string[]

  /** @param key start of the keys, with a hash tag */
  constructor (commands: RoomRedis, key: string) {
    this.#commands = commands
    this.#records = `${key}:records`
    this.#places = PLACES.map((place) => `${key}:${place}`)
  }

  /** @param onlyNew keeps a record that is there: the delivery may be over already */
  async save (record: DeliveryRecord, { onlyNew = false } = {}): Promise<void> {
    const { id, timestamp, status } = record.delivery
    await this.#commands.saveDelivery(this.#records, ...this.#places, id, timestamp, JSON.stringify(record), PLACE[status], ...BOUNDS, onlyNew ? 1 : 0)
  }

  async remove (id: string): Promise<void> { await this.#commands.saveDelivery(this.#records, ...this.#places, id, 0, '', PLACE.pending, ...BOUNDS, 0) }

  async find (id: string): Promise<DeliveryRecord | undefined> {
    const json = await this.#commands.hget(this.#records, id)
    return json === null ? undefined : JSON.parse(json) as DeliveryRecord
  }

  /** The latest first. */
  async list (limit: number): Promise<WebhookDelivery[]> {
    const ids = await Promise.all(this.#places.map((place) => this.#commands.zrange(place, '0', String(limit - 1), 'REV')))
    const all = ids.flat()
    if (all.length === 0) return []
    const found = await this.#commands.hmget(this.#records, ...all)
    // A record may have moved, or have been removed, since its id was read.
    const deliveries = new Map(found.filter((json) => json !== null).map((json) => (JSON.parse(json) as DeliveryRecord).delivery).map((delivery) => [delivery.id, delivery]))
    return [...deliveries.values()].sort((a, b) => b.timestamp - a.timestamp).slice(0, limit)
  }

  /** @returns the record of the oldest delivery that waits */
  async oldest (): Promise<DeliveryRecord | undefined> {
    const [id] = await this.#commands.zrange(this.#places[0]!, '0', '0')
    return id === undefined ? undefined : this.find(id)
  }
}
