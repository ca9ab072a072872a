// Measures the duration of a broker's operations, for any implementation of Broker.
import type { Histogram } from 'prom-client'
import type { Broker } from './broker.js'

/** Operations that are measured. */
const TIMED = ['createRoom', 'subscribe', 'publish', 'publishAll', 'read', 'listRooms', 'closeRoom'] as const

/** Wraps the operations of a broker so that the histogram observes the duration of each, s, under the operation's name. @returns the same broker */
export function instrumentBroker<B extends Broker> (broker: B, histogram: Histogram<'operation'>): B {
  const methods = TIMED.map((operation) => timed(broker, operation, [operation], histogram))
  // One step that is two operations.
  if (broker.subscribeAndRead) methods.push(timed(broker, 'subscribeAndRead', ['subscribe', 'read'], histogram))
  return Object.assign(broker, Object.fromEntries(methods))
}

function timed (broker: Broker, method: typeof TIMED[number] | 'subscribeAndRead', operations: readonly string[], histogram: Histogram<'operation'>) {
  const run = broker[method]!.bind(broker) as (...args: unknown[]) => Promise<unknown>
  const labels = operations.map((operation) => ({ operation }))
  return [method, (...args: unknown[]) => {
    const begin = performance.now()
    const result = run(...args)
    const observe = () => { for (const label of labels) histogram.observe(label, (performance.now() - begin) / 1000) }
    // The caller's promise is that of the broker: another one around it would be garbage with every event. A rejection is the caller's.
    result.then(observe, () => {})
    return result
  }] as const
}
