// The latest deliveries of providers that our own rules refused, for an operator: without their bodies.
import type { RefusedDelivery } from '../protocol/rest-webhooks.js'

/** Number of refused deliveries that are kept. */
export const MAX_REFUSED = 1_000

export interface RefusedDeliveries {
  add: (delivery: RefusedDelivery) => Promise<void>
  /** The latest first. */
  list: (limit: number) => Promise<RefusedDelivery[]>
}

/** Keeps them in this process. */
export function refusedInProcess (): RefusedDeliveries {
  const kept: RefusedDelivery[] = []
  return {
    add: async (delivery) => {
      kept.unshift(delivery)
      if (kept.length > MAX_REFUSED) kept.pop()
    },
    list: async (limit) => kept.slice(0, limit)
  }
}

/** The commands of Redis that are used. */
interface ListCommands {
  lpush: (key: string, value: string) => Promise<unknown>
  ltrim: (key: string, start: number, end: number) => Promise<unknown>
  lrange: (key: string, start: number, end: number) => Promise<string[]>
}

/** Keeps them in Redis, for all nodes. A delivery that cannot be added is not lost: it is in the log of the process. */
export function refusedInRedis (commands: ListCommands, key: string): RefusedDeliveries {
  return {
    add: async (delivery) => {
      try {
        await commands.lpush(key, JSON.stringify(delivery))
        await commands.ltrim(key, 0, MAX_REFUSED - 1)
      } catch { /* Redis is away, which its own lines say */ }
    },
    list: async (limit) => (await commands.lrange(key, 0, limit - 1)).map((text) => JSON.parse(text) as RefusedDelivery)
  }
}
