// Compaction: gives the space of ended rooms back. The oldest segment is deleted once its last live rooms and kept values are written anew at the end of the journal.
import { setImmediate } from 'node:timers/promises'
import type { MemoryBroker } from '../memory/memory-broker.js'
import type { Journal } from './journal.js'
import type { KeptValues } from './kept-values.js'
import { JournaledRoom, type JournalRecorder } from './room-journal.js'
import type { Segments } from './segments.js'

/** Bytes, and segments, of a journal below which no room is written anew. */
export const MIN_BYTES = 134_217_728
export const MIN_SEGMENTS = 32

/** Rooms checked, and rooms written, before other work gets its turn. */
const CHECKED_AT_ONCE = 1_000
const WRITTEN_AT_ONCE = 20

export interface CompactionParts {
  readonly memory: MemoryBroker
  readonly journal: Journal
  readonly recorder: JournalRecorder
  readonly segments: Segments
  readonly kept: KeptValues
  /** Default: MIN_BYTES and MIN_SEGMENTS. */
  readonly minBytes?: number | undefined
  readonly minSegments?: number | undefined
}

/** Deletes the segments that nothing needs, and empties the oldest one if the journal is more than twice as large as its live rooms. Not while the disk is full. */
export async function compact (parts: CompactionParts): Promise<void> {
  const { journal, segments } = parts
  if (!segments.isOpen) return
  await deleteUnused(parts)
  if (journal.isFull || !isWorthwhile(parts)) return
  const { oldest } = segments
  // The segment that is written cannot be deleted.
  if (oldest === segments.number) return
  await moveRooms(parts, oldest)
  await deleteUnused(parts)
}

async function deleteUnused ({ journal, segments }: CompactionParts): Promise<void> {
  const last = segments.lastUnused
  if (last === 0) return
  // The new records must be on the disk before the old ones are gone.
  await new Promise<void>((resolve) => { journal.whenSynced(resolve) })
  segments.deleteUpTo(last)
}

function isWorthwhile ({ recorder, kept, segments: { bytes, count }, minBytes = MIN_BYTES, minSegments = MIN_SEGMENTS }: CompactionParts): boolean {
  return bytes > Math.max(minBytes, (recorder.liveBytes + kept.liveBytes) * 2) || (count > minSegments && bytes / count < minBytes / minSegments)
}

async function moveRooms ({ memory, journal, recorder, kept }: CompactionParts, oldest: number): Promise<void> {
  let checked = 0
  let written = 0
  for (const [roomId, room] of memory.rooms) {
    const records = room.recorder
    if (records instanceof JournaledRoom && records.segment === oldest) {
      records.rewrite(roomId, room)
      if (++written % WRITTEN_AT_ONCE === 0) {
        journal.flush()
        await setImmediate()
      }
    }
    if (++checked % CHECKED_AT_ONCE === 0) await setImmediate()
    if (journal.isFull) return
  }
  recorder.moveClosed(oldest)
  await kept.move(oldest)
}
