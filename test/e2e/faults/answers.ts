// Answers to publishers during a fault, and the time until the next acknowledgement after it. Read from the journal.
import type { Line } from './journal.js'

/** Deadline that the server promises, with an allowance for a busy machine, ms. */
export const ANSWERED = 2_000 + 1_000

export interface Answers {
  /** Events sent during the span that got an answer of any kind. */
  readonly answered: number
  /** Longest wait of a publisher for an answer, ms. */
  readonly slowest: number
  /** Events that were sent and acknowledged during the span. An earlier event may have been appended before it, however late a busy machine reads the answer. */
  readonly acknowledged: number
  /** Time after the span until the last affected publisher had its next acknowledgement, ms. */
  readonly backAfter: number
}

/**
 * @param from ms since the epoch
 * @param to ms since the epoch
 */
export function answersBetween (lines: readonly Line[], from: number, to: number): Answers {
  /** Publisher and id → time of sending. */
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
        if (line.what === 'acked' && line.at <= to) acknowledged++
      }
      if (line.what === 'acked' && line.at > to && !back.has(line.by)) back.set(line.by, line.at - to)
    } else if (line.what === 'closed') {
      // The socket is closed, so the pending events get no answer on it.
      for (const key of waiting.keys()) if (key.startsWith(`${line.by} `)) waiting.delete(key)
    }
  }
  for (const since of waiting.values()) slowest = Math.max(slowest, to - since)
  return { answered, slowest, acknowledged, backAfter: Math.max(0, ...[...concerned].map((by) => back.get(by) ?? Infinity)) }
}
