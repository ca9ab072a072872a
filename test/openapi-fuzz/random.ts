// Repeatable choices: the same ones for the same seed.
import { seeded } from '../seeded.js'

export interface Random {
  /** Returns true with this probability, 0 to 1. */
  chance: (probability: number) => boolean
  /** Returns an integer from 0, less than this. */
  below: (bound: number) => number
  pick: <T>(choices: readonly T[]) => T
}

export function randomOf (seed: number): Random {
  const next = seeded(seed)
  const below = (bound: number) => Math.floor(next() * bound)
  return { chance: (probability) => next() < probability, below, pick: (choices) => choices[below(choices.length)]! }
}
