// Collects what a node has for its rooms within one turn of the event loop, events and other steps, and sends it to Redis as one call of a script. A call is not held up by
// those before it: several are in flight.
import { Failure } from '../../errors.js'

/** Steps in one call. More would hold up everybody else on that Redis; a larger group goes alone. */
export const MAX_BATCH = 64

type Argument = string | number
/** Reply of the script to one step: an outcome, a code or an error, and what belongs to it; or a text for a new event of which there is no more to say. */
export type StepReply = string | unknown[]

/** Steps of one room, an event each or another one, which the script does with no other step between them. */
interface Group {
  readonly roomId: string
  /** Arguments of each step. */
  readonly steps: ReadonlyArray<readonly Argument[]>
  readonly resolve: (replies: StepReply[] | Failure) => void
}

export interface BatcherOptions {
  /** True if a script may touch the keys of one room alone. */
  readonly isCluster: boolean
  readonly keysOf: (roomId: string) => readonly string[]
  /** Arguments that all steps of a call share. */
  readonly sharedArguments: () => readonly Argument[]
  /** Calls the script. @returns the reply to each step, in their order */
  readonly call: (keys: readonly string[], args: readonly Argument[]) => Promise<StepReply[] | Failure>
}

export class Batcher {
  readonly #options: BatcherOptions
  /** Groups of this turn. Each belongs to a session or a request, and these have bounds of their own. */
  #waiting: Group[] = []
  readonly #flush = () => {
    const groups = this.#waiting
    this.#waiting = []
    for (const batch of batches(groups, this.#options.isCluster)) void this.#send(batch)
  }

  constructor (options: BatcherOptions) { this.#options = options }

  /** Does steps of one room in their order. @returns the reply to each, or the failure of them all */
  run (roomId: string, steps: Group['steps']): Promise<StepReply[] | Failure> {
    return new Promise((resolve) => this.#add({ roomId, steps, resolve }))
  }

  /** Does one step. */
  runOne (roomId: string, step: readonly Argument[]): Promise<StepReply | Failure> {
    return new Promise((resolve) => this.#add({ roomId, steps: [step], resolve: (replies) => resolve(replies instanceof Failure ? replies : replies[0]!) }))
  }

  #add (group: Group): void {
    if (this.#waiting.push(group) === 1) setImmediate(this.#flush)
  }

  async #send (groups: readonly Group[]): Promise<void> {
    const { keysOf, sharedArguments, call } = this.#options
    const keys: string[] = []
    const args = [...sharedArguments()]
    /** Number of a room's first key, from 1. */
    const firstKeys = new Map<string, number>()
    for (const { roomId, steps } of groups) {
      let firstKey = firstKeys.get(roomId)
      if (firstKey === undefined) {
        firstKey = keys.length + 1
        firstKeys.set(roomId, firstKey)
        keys.push(...keysOf(roomId))
      }
      for (const step of steps) args.push(firstKey, step.length, ...step)
    }
    const replies = await call(keys, args)
    let at = 0
    for (const { steps, resolve } of groups) resolve(replies instanceof Failure ? replies : replies.slice(at, at += steps.length))
  }
}

/** Divides groups into calls, each of one room if need be. */
function batches (groups: readonly Group[], isCluster: boolean): Group[][] {
  const open = new Map<string, { batch: Group[], size: number }>()
  const all: Group[][] = []
  for (const group of groups) {
    const target = isCluster ? group.roomId : ''
    let current = open.get(target)
    if (!current || current.size + group.steps.length > MAX_BATCH) {
      current = { batch: [], size: 0 }
      open.set(target, current)
      all.push(current.batch)
    }
    current.batch.push(group)
    current.size += group.steps.length
  }
  return all
}
