// The offline checker: it reads a journal and lists the promises that the server broke (I1–I4 and I6 of the invariants; I5 is checked at the nodes).
import type { Line } from './journal.js'

export interface Figures {
  /** Different events that were sent. */
  published: number
  acknowledged: number
  /** Events that arrived at watchers. */
  delivered: number
  /** Part of these that a catch-up brought after a reconnect. */
  recovered: number
  /** Replies with `recovered: false` to a watcher, other than at its first join. */
  declared: number
  /** Acknowledged events that some watcher never received, though it had joined before, all of them declared lost. */
  lost: number
  /** Acknowledged events that later members could not read any more, since they were trimmed or lost. */
  forgotten: number
  /** Answers `UNAVAILABLE` to a sent event. */
  unavailable: number
  /** Number of closed sockets, by code. */
  closed: Record<number, number>
}

export interface Verdict { readonly violations: string[], readonly figures: Figures }

/** Codes with which a socket may close during a fault: no close frame at all, a restart, a lost position. */
const EXPECTED_CLOSES = new Set([1006, 1012, 4002])

type Joined = Extract<Line, { what: 'joined' }>

/** A watcher, as the lines of the journal describe it. */
class Watcher {
  readonly seen = new Set<string>()
  /** Joins that started the watcher at another position than its own: its first one, and each with `recovered: false`. */
  readonly fresh: Array<{ index: number, epoch: string, from: number, isFirst: boolean }> = []
  epoch = ''
  next = 0
  /** True after a rejoin, while the missed events arrive. */
  isBack = false

  constructor (readonly name: string, readonly room: string) {}
}

/**
 * Looks for broken promises. The lines must be in the order in which they were written.
 * @param closes codes with which a socket may close, in addition to those of any fault
 */
export function check (lines: readonly Line[], closes: readonly number[] = []): Verdict {
  const violations: string[] = []
  const broken = (invariant: string, text: string): void => { violations.push(`${invariant}: ${text}`) }
  const figures: Figures = { published: 0, acknowledged: 0, delivered: 0, recovered: 0, declared: 0, lost: 0, forgotten: 0, unavailable: 0, closed: {} }
  /** Room and id → the line of its first sending. */
  const sent = new Map<string, number>()
  const acked = new Map<string, Extract<Line, { what: 'acked' }>>()
  const watchers = new Map<string, Watcher>()
  /** Room, epoch and seq → the event at this position. */
  const places = new Map<string, { id: string, digest?: string }>()
  /** Room, epoch and id → the event's position. */
  const numbers = new Map<string, number>()
  const results = new Map<string, { id: string, transactionId: string }>()
  const lastJoin = new Map<string, Joined>()

  function place ({ by, room, epoch, seq, id }: { by: string, room: string, epoch: string, seq: number, id: string }, digest?: string): void {
    const there = places.get(`${room} ${epoch} ${seq}`)
    if (!there) places.set(`${room} ${epoch} ${seq}`, { id, ...(digest !== undefined && { digest }) })
    else if (there.id !== id) broken('I2', `${by}: place ${seq} of ${room} (${epoch}) holds ${there.id} for one and ${id} for another`)
    else if (digest !== undefined && there.digest !== undefined && there.digest !== digest) broken('I2', `${by}: ${id} (${seq} of ${room}) is not the same for everyone`)
    else if (digest !== undefined) there.digest = digest
    const number = numbers.get(`${room} ${epoch} ${id}`) ?? seq
    numbers.set(`${room} ${epoch} ${id}`, number)
    if (number !== seq) broken('I3', `${by}: ${id} of ${room} (${epoch}) is both ${number} and ${seq}`)
  }

  function joined (line: Joined, index: number): void {
    const { by, room, epoch, seq, asked, recovered, replayed } = line
    const isFirst = !watchers.has(by)
    const watcher = watchers.get(by) ?? new Watcher(by, room)
    watchers.set(by, watcher)
    lastJoin.set(room, line)
    if (isFirst || !recovered) watcher.fresh.push({ index, epoch, from: seq - replayed, isFirst })
    if (recovered && asked.epoch !== undefined && asked.epoch !== epoch) broken('I4', `${by}: recovered from ${asked.epoch} into ${epoch}`)
    if (recovered && seq - asked.seq !== replayed) broken('I4', `${by}: recovered from ${asked.seq} to ${seq} with ${replayed} events`)
    if (!isFirst && recovered && (asked.epoch !== watcher.epoch || asked.seq !== watcher.next - 1)) broken('journal', `${by} asked for another place than it was at`)
    if (!isFirst && !recovered) figures.declared++
    watcher.isBack = !isFirst && recovered
    watcher.epoch = epoch
    watcher.next = seq - replayed + 1
  }

  function seen (line: Extract<Line, { what: 'seen' }>): void {
    const { by, room, epoch, seq, id, inRoom, digest, replayed } = line
    const watcher = watchers.get(by)
    if (!watcher) return broken('journal', `${by} saw ${id} before it joined`)
    if (inRoom !== room) return broken('I6', `${by} in ${room} was sent ${id} of ${inRoom}`)
    if (!sent.has(`${room} ${id}`)) broken('I6', `${by} in ${room} was sent ${id}, which nobody sent there`)
    if (seq > watcher.next) broken('I4', `${by}: ${watcher.next}–${seq - 1} of ${room} (${epoch}) are missing before ${seq}`)
    if (seq < watcher.next) broken('I2', `${by}: ${seq} of ${room} (${epoch}) came where ${watcher.next} should`)
    watcher.next = seq + 1
    watcher.seen.add(id)
    place(line, digest)
    figures.delivered++
    if (replayed && watcher.isBack) figures.recovered++
  }

  for (const [index, line] of lines.entries()) {
    switch (line.what) {
      case 'sent':
        if (!sent.has(`${line.room} ${line.id}`)) sent.set(`${line.room} ${line.id}`, index)
        if (line.transactionId !== undefined) results.set(line.room, { id: line.id, transactionId: line.transactionId })
        break
      case 'acked':
        if (!sent.has(`${line.room} ${line.id}`)) broken('journal', `${line.id} was acknowledged and never sent`)
        acked.set(`${line.room} ${line.id}`, line)
        place(line)
        break
      case 'refused':
        if (line.code !== 'UNAVAILABLE') broken('refused', `${line.by} was told ${line.code}${line.id === undefined ? '' : ` about ${line.id}`}`)
        else if (line.id !== undefined) figures.unavailable++
        break
      case 'closed':
        figures.closed[line.code] = (figures.closed[line.code] ?? 0) + 1
        if (!EXPECTED_CLOSES.has(line.code) && !closes.includes(line.code)) broken('closed', `${line.by} was closed with ${line.code}`)
        break
      case 'joined':
        joined(line, index)
        break
      case 'seen':
        seen(line)
        break
      case 'behind':
        broken('I4', `${line.by} stayed at ${line.seq} (${line.epoch}) where the log of ${line.room} ends at ${line.log.seq} (${line.log.epoch}), and no loss was declared`)
    }
  }

  const lost = new Set<string>()
  const forgotten = new Set<string>()
  for (const watcher of watchers.values()) {
    for (const [key, { room, id, epoch, seq }] of acked) {
      if (room !== watcher.room || watcher.seen.has(id)) continue
      // Declared means: after the event was sent, the watcher began anew in another epoch, or behind the event's position.
      const start = watcher.fresh.findLast(({ index, epoch: begun, from }) => index > sent.get(key)! && (begun !== epoch || seq <= from))
      if (start) (start.isFirst ? forgotten : lost).add(key)
      else broken('I1', `${watcher.name} never saw ${id}, acknowledged as ${seq} of ${room} (${epoch}), and no loss was declared`)
    }
  }
  for (const [room, { id, transactionId }] of results) {
    const last = lastJoin.get(room)
    if (last && acked.has(`${room} ${id}`) && last.transactionId !== transactionId) broken('I1', `the state of ${room} lost its result ${id}: it says ${last.transactionId}`)
  }
  Object.assign(figures, { published: sent.size, acknowledged: acked.size, lost: lost.size, forgotten: forgotten.size })
  return { violations, figures }
}
