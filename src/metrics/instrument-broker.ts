// Times what a broker is asked, whatever broker it is.
import type { Histogram } from 'prom-client'
import type { Broker } from '../broker/broker.js'

/** What is worth knowing the time of. */
const TIMED = ['createRoom', 'subscribe', 'publish', 'read', 'listRooms', 'closeRoom'] as const

/** Makes a broker observe the time of each of its operations, s, under its name. @returns the same broker */
export function instrumentBroker<B extends Broker> (broker: B, histogram: Histogram<'operation'>): B {
  return Object.assign(broker, Object.fromEntries(TIMED.map((operation) => {
    const run = broker[operation].bind(broker) as (...args: unknown[]) => Promise<unknown>
    const labels = { operation }
    return [operation, async (...args: unknown[]) => {
      const begin = performance.now()
      const result = await run(...args)
      histogram.observe(labels, (performance.now() - begin) / 1000)
      return result
    }]
  })))
}
