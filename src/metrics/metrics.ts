// Prometheus metrics of this node. Label values are bounded: never a room, a device or any other value that a client chooses.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { FastHistogram } from './fast-histogram.js'
import { CLOSE } from '../errors.js'
import { SOURCES, type Source } from '../protocol/events.js'

/** Close codes with a label value of their own. A client may close with any other code (RFC 6455 §7.4), which counts as `other`. */
const CODES: ReadonlySet<number> = new Set([1000, 1001, 1002, 1005, 1006, 1007, 1009, ...Object.values(CLOSE).map(({ code }) => code)])

/** Histogram buckets, s: a relay takes tens of microseconds within one process, and a millisecond over Redis. */
const BUCKETS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

/** Buckets of the times of payers, s. */
const PAYMENT_BUCKETS = [1, 5, 15, 30, 60, 120, 300, 900, 3600, 14_400, 86_400]

/** Sampling interval of the event loop lag, ms; the reported lag includes it. Each sample wakes an otherwise idle process. */
const LAG_PRECISION = 100

export class Metrics {
  readonly registry = new Registry()
  readonly #registers = [this.registry]

  readonly connections = new Gauge({ name: 'wsp_connections', help: 'Open sockets and event streams on this node.', labelNames: ['transport'], registers: this.#registers })
  readonly rooms = new Gauge({ name: 'wsp_rooms', help: 'Rooms with members on this node.', registers: this.#registers })
  readonly brokerUp = new Gauge({ name: 'wsp_broker_up', help: '1 while rooms can be read and written, otherwise 0.', registers: this.#registers })
  readonly fastPath = new Gauge({ name: 'wsp_fast_path', help: '1 while new sockets use the fast path, otherwise 0.', registers: this.#registers })
  /** Event counts by source and type. A Counter builds its labels on each call; here they are built only when the registry is scraped. */
  readonly #published: Record<Source, Map<string, { value: number }>> = { device: new Map(), api: new Map(), server: new Map() }
  readonly events = new Counter({
    name: 'wsp_events_total',
    help: 'Events that this node appended to a log. Broadcasts have the type BROADCAST.',
    labelNames: ['type', 'source'],
    registers: this.#registers,
    collect: () => this.#countEvents()
  })

  readonly duplicates = new Counter({ name: 'wsp_duplicates_total', help: 'Events that were sent again, recognised by their id or idempotency key.', registers: this.#registers })
  readonly acknowledgements = new Counter({ name: 'wsp_acknowledgements_total', help: 'Events acknowledged over a socket.', registers: this.#registers })
  readonly relay = new FastHistogram({
    name: 'wsp_relay_seconds', help: 'Time from the arrival of a device\'s event until it was written to the last socket on this node.', buckets: BUCKETS, registers: this.#registers
  })

  readonly recoveries = new Counter({ name: 'wsp_recoveries_total', help: 'Joins with recover, by outcome: recovered, or lost if events may be missing.', labelNames: ['outcome'], registers: this.#registers })
  readonly errors = new Counter({ name: 'wsp_errors_total', help: 'Errors sent to clients.', labelNames: ['code', 'over'], registers: this.#registers })
  readonly deliveries = new Counter({ name: 'wsp_webhook_deliveries_total', help: 'Webhooks of payment providers, by outcome.', labelNames: ['provider', 'outcome'], registers: this.#registers })
  readonly paymentSteps = new Counter({ name: 'wsp_payment_steps_total', help: 'Payments that reached a step for the first time, noticed by this node.', labelNames: ['step'], registers: this.#registers })
  readonly paymentSeconds = new Histogram({
    name: 'wsp_payment_seconds', help: 'Time of a payment from one step to a further one, by the latter.', labelNames: ['step'], buckets: PAYMENT_BUCKETS, registers: this.#registers
  })

  readonly stalls = new Counter({ name: 'wsp_payment_stalls_total', help: 'Pauses of payers that this node noticed.', registers: this.#registers })
  readonly webhookAttempts = new Counter({
    name: 'wsp_webhook_attempts_total', help: 'Webhooks that this node sent, by outcome: delivered, failed and to be repeated, given_up, or disabled by the receiver.', labelNames: ['outcome'], registers: this.#registers
  })

  readonly webhooksDropped = new Counter({ name: 'wsp_webhook_dropped_total', help: 'Webhooks that were dropped, since too many waited.', registers: this.#registers })
  readonly oldestWebhook = new Gauge({ name: 'wsp_webhook_oldest_seconds', help: 'Age of the oldest webhook that waits for its delivery; 0 if none does.', registers: this.#registers })
  readonly slowConsumers = new Counter({ name: 'wsp_slow_consumers_total', help: 'Connections closed because the client did not read.', labelNames: ['transport'], registers: this.#registers })
  readonly broker = new Histogram({ name: 'wsp_broker_seconds', help: 'Duration of the broker\'s operations on Redis.', labelNames: ['operation'], buckets: BUCKETS, registers: this.#registers })
  readonly #closes = new Counter({ name: 'wsp_closes_total', help: 'Closed sockets, by close code.', labelNames: ['code'], registers: this.#registers })

  /** Delays of the event loop, ns, each with the sampling interval; for readiness, which starts it anew. */
  readonly loopDelay = monitorEventLoopDelay({ resolution: LAG_PRECISION })

  /** Adds the default metrics of the process: CPU, memory, garbage collection, event loop lag. */
  measureProcess (): void {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: LAG_PRECISION })
    // Started in the turn of prom-client's own, with the same interval: the timers of both fire together, so that a sample of each is one wake-up.
    this.loopDelay.enable()
  }

  stop (): void {
    this.loopDelay.disable()
    this.registry.clear()
  }

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
