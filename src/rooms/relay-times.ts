// How long events took to their last socket. Those of one turn arrived and were written together, so the clock is read once for all of them.
import { performance } from 'node:perf_hooks'
import type { DurationTally } from '../duration-tally.js'
import { atEndOfTurn, isTurn, turnClock } from './turn.js'
// What it puts off to the end of a turn, the writing, is to be done before this file's.
import './wire.js'

/** When the chunk was read that a message is in, ms by the process's own clock. */
export const arrivalClock = turnClock(() => performance.now())

/** The events of this turn. */
const relayed = { count: 0, arrivedAt: 0, tally: undefined as DurationTally | undefined }

atEndOfTurn(() => {
  const { count, arrivedAt, tally } = relayed
  if (count === 0) return
  relayed.count = 0
  tally!.observe(secondsSince(arrivedAt), count)
})

/** An event was relayed. @param arrivedAt by {@link arrivalClock} */
export function countRelay (tally: DurationTally, arrivedAt: number): void {
  if (!isTurn()) return tally.observe(secondsSince(arrivedAt))
  relayed.count++
  relayed.arrivedAt = arrivedAt
  relayed.tally = tally
}

function secondsSince (time: number): number { return (performance.now() - time) / 1000 }
