// Verdict of a fault test: one line of figures, and no broken promise.
import type { Test } from 'tap'
import { summary, type Outcome } from './scenario.js'

/** Seed of the load's random numbers. `SEED=7 npm test -- …` tries another run. */
export const SEED = Number(process.env.SEED ?? 1)

/** @param mayLose true if a loss is expected, which must then be declared; otherwise none may be declared */
export function judge (t: Test, outcome: Outcome, { mayLose = false } = {}): void {
  t.comment(`seed ${SEED} · ${summary(outcome)}`)
  t.strictSame(outcome.violations.slice(0, 10), [], 'no promise is broken')
  t.equal(outcome.figures.declared > 0, mayLose, mayLose ? 'the loss is declared' : 'no loss is declared')
}
