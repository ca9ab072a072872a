// Steps of a simulated payment, with the faults that can be added.
import { randomInt } from 'node:crypto'
import { newId } from '../client/environment.js'
import type { Receipt } from '../client/index.js'
import type { Device, Step } from './device.js'
import { delay } from './timeouts.js'

export interface SimulationOptions {
  /** `once`: an error, then a success; `always`: an error and no success. */
  readonly fail?: 'once' | 'always' | undefined
  /** Drops the connection between two steps. */
  readonly drop?: boolean | undefined
  /** Sends each event twice, with the same id. */
  readonly duplicate?: boolean | undefined
  /** Swaps the events two by two. */
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

/** Returns the events of the payer's phone, in the order in which they are published. */
export function stepsOf ({ fail, reorder }: Pick<SimulationOptions, 'fail' | 'reorder'>): Step[] {
  const success: Omit<Step, 'id'> = { type: 'PAYMENT_SUCCESS', payload: { transactionId: `tx_${randomInt(1e6)}`, amount: 99.9, currency: 'BRL' } }
  const steps = [...PROGRESS, ...(fail ? [FAILURE] : []), ...(fail === 'always' ? [] : [success])].map((step) => ({ ...step, id: newId() }))
  // Neighbours swap places; the last event of an odd number stays.
  return reorder ? steps.map((step, at) => steps[at ^ 1] ?? step) : steps
}

/** Publishes the steps. @param onReceipt called for each event that is in the log @throws {CliError} */
export async function runSteps (
  device: Device, steps: Step[], options: SimulationOptions, signal: AbortSignal, onReceipt: (step: Step, receipt: Receipt, isRepeat: boolean) => void
): Promise<void> {
  for (const [at, step] of steps.entries()) {
    if (at > 0 && options.drop) device.drop()
    if (at > 0) await delay(options.pause, signal)
    onReceipt(step, await device.publish(step), false)
    if (options.duplicate) onReceipt(step, await device.publish(step), true)
  }
}
