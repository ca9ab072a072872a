// Prometheus metrics of this node. Label values are bounded: never a room, a device or any other value that a client chooses.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { FastHistogram } from './fast-histogram.js'
import { CLOSE } from '../errors.js'
import { SOURCES, type Source } from '../protocol/events.js'

/** Close codes with a label value of their own. A client may close with any other code (RFC 6455 §7.4), which counts as `other`. */
const CODES: ReadonlySet<number> = new Set([1000, 1001, 1002, 1005, 1006, 1007, 1009, ...Object.values(CLOSE).map(({ code }) => code)])

/** Histogram buckets, s: a relay takes tens of microseconds within one process, and a millisecond over Redis. */
const BUCKETS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

/** Sampling interval of the event loop lag, ms; the reported lag includes it. Each sample wakes an otherwise idle process. */
const LAG_PRECISION = 50

export class Metrics {
  readonly registry = new Registry()
  readonly #registers = [this.registry]

  readonly connections = new Gauge({ name: 'wsp_connections', help: 'Open connections of this node.', labelNames: ['transport'], registers: this.#registers })
  readonly rooms = new Gauge({ name: 'wsp_rooms', help: 'Rooms with somebody in them on this node.', registers: this.#registers })
  readonly brokerUp = new Gauge({ name: 'wsp_broker_up', help: 'Whether rooms can be read and written.', registers: this.#registers })
  readonly fastPath = new Gauge({ name: 'wsp_fast_path', help: 'Whether new sockets take the server\'s own transport.', registers: this.#registers })
  /** Event counts by source and type. A Counter builds its labels on each call; here they are built only when the registry is scraped. */
  readonly #published: Record<Source, Map<string, { value: number }>> = { device: new Map(), api: new Map() }
  readonly events = new Counter({
    name: 'wsp_events_total',
    help: 'Events that were appended to a log, by this node. A backend\'s own messages are of type BROADCAST.',
    labelNames: ['type', 'source'],
    registers: this.#registers,
    collect: () => this.#countEvents()
  })

  readonly duplicates = new Counter({ name: 'wsp_duplicates_total', help: 'Events that were sent again and known by their id or key.', registers: this.#registers })
  readonly acknowledgements = new Counter({ name: 'wsp_acknowledgements_total', help: 'Events that were acknowledged over a socket.', registers: this.#registers })
  readonly relay = new FastHistogram({
    name: 'wsp_relay_seconds', help: 'From the arrival of a device\'s event until it was handed to its last socket on this node.', buckets: BUCKETS, registers: this.#registers
  })

  readonly recoveries = new Counter({ name: 'wsp_recoveries_total', help: 'Joins that asked to catch up: nothing was missing (recovered), or that could not be shown (lost).', labelNames: ['outcome'], registers: this.#registers })
  readonly errors = new Counter({ name: 'wsp_errors_total', help: 'Errors that clients were told of.', labelNames: ['code', 'over'], registers: this.#registers })
  readonly slowConsumers = new Counter({ name: 'wsp_slow_consumers_total', help: 'Connections that were cut because they did not read.', labelNames: ['transport'], registers: this.#registers })
  readonly broker = new Histogram({ name: 'wsp_broker_seconds', help: 'Time of the broker\'s operations, over Redis.', labelNames: ['operation'], buckets: BUCKETS, registers: this.#registers })
  readonly #closes = new Counter({ name: 'wsp_closes_total', help: 'Sockets that were closed, by the code that ended them.', labelNames: ['code'], registers: this.#registers })

  /** Adds the default metrics of the process: CPU, memory, garbage collection, event loop lag. */
  measureProcess (): void { collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: LAG_PRECISION }) }

  stop (): void { this.registry.clear() }

  /** Counts an event that was appended to a log. */
  published (type: string, source: Source): void {
    const count = this.#published[source].get(type)
    if (count) count.value++
    else this.#published[source].set(type, { value: 1 })
  }

  /** Counts a closed socket by its close code. */
  closed (code: number): void { this.#closes.inc({ code: CODES.has(code) ? String(code) : 'other' }) }

  #countEvents (): void {
    this.events.reset()
    for (const source of SOURCES) for (const [type, { value }] of this.#published[source]) this.events.inc({ type, source }, value)
  }
}
