// A payer's way through a payment, with all that can go wrong on it.
import { randomInt } from 'node:crypto'
import { newId } from '../client/environment.js'
import type { Receipt } from '../client/index.js'
import type { Device, Step } from './device.js'
import { delay } from './timeouts.js'

export interface SimulationOptions {
  /** `once`: an error, then a success; `always`: an error and no more. */
  readonly fail?: 'once' | 'always' | undefined
  /** Between two steps the connection is lost. */
  readonly drop?: boolean | undefined
  /** Each event is sent twice, with its id. */
  readonly duplicate?: boolean | undefined
  /** Each event is overtaken by the next one. */
  readonly reorder?: boolean | undefined
  /** Time between two steps, ms. */
  readonly pause: number
}

const PROGRESS: ReadonlyArray<Omit<Step, 'id'>> = [
  { type: 'ENTERED_SUMMARY', payload: {} },
  { type: 'CLICKED_PROCEED', payload: {} },
  { type: 'PAYMENT_METHOD_CHANGED', payload: { method: 'pix' } },
  { type: 'DATA_FILLED', payload: { fields: ['name', 'email'] } },
  { type: 'CLICKED_PAY', payload: {} }
]
const FAILURE: Omit<Step, 'id'> = { type: 'PAYMENT_ERROR', payload: { error: 'Payment declined', code: 'DECLINED' } }

/** What the phone tells, in the order in which it does. */
export function stepsOf ({ fail, reorder }: Pick<SimulationOptions, 'fail' | 'reorder'>): Step[] {
  const success: Omit<Step, 'id'> = { type: 'PAYMENT_SUCCESS', payload: { transactionId: `tx_${randomInt(1e6)}`, amount: 99.9, currency: 'BRL' } }
  const steps = [...PROGRESS, ...(fail ? [FAILURE] : []), ...(fail === 'always' ? [] : [success])].map((step) => ({ ...step, id: newId() }))
  // Neighbours change places, two by two; the last one of an odd number has none.
  return reorder ? steps.map((step, at) => steps[at ^ 1] ?? step) : steps
}

/** Walks the steps. @param told hears of each event that is in the log @throws {Fault} */
export async function runSteps (
  device: Device, steps: Step[], weather: SimulationOptions, signal: AbortSignal, told: (step: Step, receipt: Receipt, again: boolean) => void
): Promise<void> {
  for (const [at, step] of steps.entries()) {
    if (at > 0 && weather.drop) device.drop()
    if (at > 0) await delay(weather.pause, signal)
    told(step, await device.publish(step), false)
    if (weather.duplicate) told(step, await device.publish(step), true)
  }
}
