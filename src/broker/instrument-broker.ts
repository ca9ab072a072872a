// Measures the duration of a broker's operations, for any implementation of Broker.
import type { Histogram } from 'prom-client'
import type { Broker } from './broker.js'

/** Operations that are measured. */
const TIMED = ['createRoom', 'subscribe', 'publish', 'publishAll', 'read', 'listRooms', 'closeRoom'] as const

/** Wraps the operations of a broker so that the histogram observes the duration of each, s, under the operation's name. @returns the same broker */
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
