// Catch-up of a joining member: the replay of the log first, then the live entries that were buffered meanwhile.
import type { LogEntry } from '../broker/broker.js'
import type { Member } from './room.js'

/**
 * Sends the replay, then the buffered entries, at the member's pace; from then on the member is live.
 * @param entries replay
 */
export async function catchUp (member: Member, entries: readonly LogEntry[]): Promise<undefined> {
  const { subscriber, buffered: live = [] } = member
  for (const entry of entries) {
    const pace = subscriber.sendPaced(entry)
    if (pace) await pace
  }
  for (let entry = live.shift(); entry; entry = live.shift()) {
    const pace = entry.seq > member.deliveredSeq ? subscriber.sendPaced(entry) : undefined
    if (pace) await pace
  }
  member.buffered = undefined
  return undefined
}

/** Makes a member whose re-join failed live again, and sends the entries buffered meanwhile. */
export function flushBuffered (member: Member): void {
  for (const entry of member.buffered ?? []) member.subscriber.send(entry)
  member.buffered = undefined
}
