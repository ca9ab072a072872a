// Who may do what, as one pure table.
import type { EventType } from '../protocol/events.js'

/** Who speaks: a device over its socket or as a page, or a backend that proved itself with an API key. */
export interface Claims { readonly speaker: 'device' | 'backend' }

export interface PolicySettings {
  /** Whose word on the result counts: anybody's, or only a backend's. */
  readonly resultsFrom: 'any' | 'backend'
}

const RESULTS: ReadonlySet<string> = new Set<EventType>(['PAYMENT_SUCCESS', 'PAYMENT_ERROR'])

/** Whether an event may be published. */
export function mayPublish ({ speaker }: Claims, type: string, { resultsFrom }: PolicySettings): boolean {
  return resultsFrom === 'any' || speaker === 'backend' || !RESULTS.has(type)
}
