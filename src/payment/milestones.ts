// Milestones of a payment, by which a funnel counts it: the steps of the payer, then a success, then a verified one.
import { PROGRESS, type PaymentState } from '../protocol/payment-state.js'
import { SETTLED } from './device-events.js'

export const MILESTONES = [...PROGRESS, 'paid', 'verified'] as const
export type Milestone = typeof MILESTONES[number]

/** The furthest milestone that a payment has reached, and the time of that, ms since the epoch. */
export interface Furthest {
  /** Number of the milestone in {@link MILESTONES}, from 1. */
  readonly number: number
  readonly at: number
}

const PAID = MILESTONES.indexOf('paid') + 1

/** @returns the number of the milestone at which a state is, from 1; 0 before the first */
export function milestoneOf ({ status, step, outcome }: PaymentState): number {
  if (SETTLED.has(status)) return outcome?.verified ? PAID + 1 : PAID
  return step === null ? 0 : PROGRESS.indexOf(step) + 1
}
