// Jobs of BullMQ, one for each room with an outbox: it names the room, and the outbox has the deliveries. BullMQ gives a room to one worker of all nodes, again to
// another one if that worker dies, and again when its next try is due.
import { setTimeout as sleep } from 'node:timers/promises'
import { DelayedError, Queue, Worker, type ConnectionOptions, type Job } from 'bullmq'
import type { Cluster, Redis } from 'ioredis'
import { SYSTEM_CLOCKS } from '../../clock.js'
import { MAX_AT_ONCE, type WorkOnRoom } from '../delivery-queue.js'

/** Time after which a worker that gives no sign of life has lost its room, and interval at which such rooms are looked for, ms. */
const LOCK = 10_000
const STALLED_INTERVAL = 5_000
/** Delay before the work on a room is repeated after an error of Redis, ms. */
const AFTER_ERROR = 1_000
/** Tries of a job, and deaths of its workers, without an end: only its room decides. */
const WITHOUT_END = 1_000_000_000
const NAME = 'rooms'

interface RoomOfJob { readonly roomId: string }

export interface RoomJobsOptions {
  readonly connection: Redis | Cluster
  /** Start of the keys, with a hash tag. */
  readonly prefix: string
  /** Called when the job of a room has ended. */
  readonly onEnded: (roomId: string) => void
  /** Called when the work on a room has failed; it is repeated. */
  readonly onFailed: (error: unknown) => void
}

export class RoomJobs {
  readonly #options: RoomJobsOptions
  readonly #queue: Queue<RoomOfJob>
  #worker: Worker<RoomOfJob> | undefined

  constructor (options: RoomJobsOptions) {
    this.#options = options
    this.#queue = new Queue<RoomOfJob>(NAME, {
      ...this.#connection,
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: WITHOUT_END, backoff: { type: 'fixed', delay: AFTER_ERROR }, stackTraceLimit: 0 }
    })
    // The state of Redis is the broker's to report.
    this.#queue.on('error', () => {})
  }

  get #connection () {
    const { connection, prefix } = this.#options
    return { connection: connection as ConnectionOptions, prefix, skipVersionCheck: true }
  }

  /** @param isDue tells if the first delivery of a room is due */
  start (work: WorkOnRoom, isDue: (roomId: string) => Promise<boolean>): void {
    const process = async (job: Job<RoomOfJob>, token?: string) => {
      const { roomId } = job.data
      const wait = await work(roomId)
      if (wait === undefined) return
      await job.moveToDelayed(SYSTEM_CLOCKS.now() + wait, token)
      // An operator may have sent a delivery again since `work` has looked.
      if (wait > 0 && await isDue(roomId)) await job.promote()
      throw new DelayedError()
    }
    const worker = this.#worker = new Worker<RoomOfJob>(NAME, process, {
      ...this.#connection,
      concurrency: MAX_AT_ONCE,
      lockDuration: LOCK,
      stalledInterval: STALLED_INTERVAL,
      maxStalledCount: WITHOUT_END,
      runRetryDelay: AFTER_ERROR
    })
    worker.on('error', () => {})
    worker.on('completed', ({ data: { roomId } }) => this.#options.onEnded(roomId))
    worker.on('failed', (_job, error) => this.#options.onFailed(error))
  }

  /** Adds the job of a room, unless it has one. Rejects while Redis is away. */
  async wake (roomId: string): Promise<void> { await this.#queue.add(NAME, { roomId }, { jobId: jobOf(roomId) }) }

  /** Adds the job of a room, or makes it due now. */
  async wakeNow (roomId: string): Promise<void> {
    await this.wake(roomId)
    const job = await this.#queue.getJob(jobOf(roomId))
    // A job at work looks again before it waits.
    if (job && await job.isDelayed()) await job.promote().catch(() => {})
  }

  /** @param timeout time for rooms at work, ms; another node takes those that need longer */
  async close (timeout: number): Promise<void> {
    const closing = Promise.all([this.#worker?.close(), this.#queue.close()])
    await Promise.race([closing, sleep(timeout, undefined, { ref: false })])
    await Promise.all([this.#worker?.disconnect(), this.#queue.disconnect()]).catch(() => {})
    closing.catch(() => {})
  }
}

/** Id of the job of a room. An id of a job must not have a colon, nor be a number. */
function jobOf (roomId: string): string { return `room-${encodeURIComponent(roomId)}` }
