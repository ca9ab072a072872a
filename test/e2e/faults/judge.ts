// How a fault test speaks: one line of figures, and no broken promise.
import type { Test } from 'tap'
import { summary, type Outcome } from './scenario.js'

/** For the load's random numbers. `SEED=7 npm test -- …` tries another run. */
export const SEED = Number(process.env.SEED ?? 1)

/** @param mayLose something may be lost, and must then have been declared; otherwise nothing need be */
export function judge (t: Test, outcome: Outcome, { mayLose = false } = {}): void {
  t.comment(`seed ${SEED} · ${summary(outcome)}`)
  t.strictSame(outcome.violations.slice(0, 10), [], 'no promise is broken')
  t.equal(outcome.figures.declared > 0, mayLose, mayLose ? 'the loss is declared' : 'nothing was lost, and nothing is said to be')
}
