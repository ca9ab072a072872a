// How publishers were answered while a fault lasted, and how soon afterwards they got on. Read from the journal.
import type { Line } from './journal.js'

/** A promise of the server, and what a busy machine may add to it, ms. */
export const ANSWERED = 2_000 + 1_000

export interface Answers {
  /** What was sent meanwhile and got an answer of any kind. */
  readonly answered: number
  /** The longest that a publisher waited for one, ms. */
  readonly slowest: number
  /** Acknowledgements that came meanwhile. */
  readonly acknowledged: number
  /** How long afterwards the last of the publishers concerned had its next acknowledgement, ms. */
  readonly backAfter: number
}

/**
 * @param from ms since the epoch
 * @param to ms since the epoch
 */
export function answersBetween (lines: readonly Line[], from: number, to: number): Answers {
  /** Publisher and id → when it was sent. */
  const waiting = new Map<string, number>()
  const concerned = new Set<string>()
  const back = new Map<string, number>()
  let answered = 0
  let slowest = 0
  let acknowledged = 0
  for (const line of lines) {
    if (line.what === 'sent' && line.at >= from && line.at <= to) {
      waiting.set(`${line.by} ${line.id}`, line.at)
      concerned.add(line.by)
    } else if ((line.what === 'acked' || line.what === 'refused') && line.id !== undefined) {
      const since = waiting.get(`${line.by} ${line.id}`)
      if (waiting.delete(`${line.by} ${line.id}`)) {
        answered++
        slowest = Math.max(slowest, Math.min(line.at, to) - since!)
      }
      if (line.what === 'acked' && line.at >= from && line.at <= to) acknowledged++
      if (line.what === 'acked' && line.at > to && !back.has(line.by)) back.set(line.by, line.at - to)
    } else if (line.what === 'closed') {
      // The socket is gone, and the question with it.
      for (const key of waiting.keys()) if (key.startsWith(`${line.by} `)) waiting.delete(key)
    }
  }
  for (const since of waiting.values()) slowest = Math.max(slowest, to - since)
  return { answered, slowest, acknowledged, backAfter: Math.max(0, ...[...concerned].map((by) => back.get(by) ?? Infinity)) }
}
