// Makes a broker of an open folder: a memory broker with the rooms of the earlier process, whose changes go into the journal.
import { FrameWriter } from '../../websocket/frame-writer.js'
import { MemoryBroker, type MemoryBrokerOptions } from '../memory/memory-broker.js'
import type { CompactionParts } from './compaction.js'
import { DormantRoom } from './dormant-room.js'
import type { Folder } from './folder.js'
import { JournalBroker, type JournalBrokerOptions } from './journal-broker.js'
import { JournaledRoom, JournalRecorder, type JournalRecorderOptions } from './room-journal.js'

export interface RestoreOptions extends
  Omit<MemoryBrokerOptions, 'recorder'>, Pick<JournalBrokerOptions, 'isHeld'>, Pick<CompactionParts, 'minBytes' | 'minSegments'>, Pick<JournalRecorderOptions, 'keepWith'> {}

export function journalBroker ({ journal, segments, index, kept, release }: Folder, options: RestoreOptions): JournalBroker {
  const { logSize, frames = new FrameWriter(), now, isHeld, minBytes, minSegments, keepWith } = options
  const recorder = new JournalRecorder({ journal, segments, kept, keepWith, logSize, now })
  const memory = new MemoryBroker({ ...options, frames, recorder })
  const content = { read: (place: number) => journal.read(place), logSize, frames }
  // A room that was written anew may stand behind younger ones.
  const rooms = [...index.rooms.values()].sort((a, b) => a.record.number - b.record.number)
  for (const [roomId, closed] of index.closed) recorder.close(roomId, closed)
  memory.restore({
    rooms: rooms.map((indexed) => {
      const { record: { number, roomId }, segment, bytes, places } = indexed
      return [roomId, new DormantRoom(indexed, new JournaledRoom(recorder, { number, segment, records: places.length + 1, bytes }), content)] as const
    }),
    closed: [...index.closed].map(([roomId, { until }]) => [roomId, until] as const),
    count: index.count
  })
  index.rooms.clear()
  index.closed.clear()
  return new JournalBroker({ memory, recorder, journal, segments, kept, isHeld, release, minBytes, minSegments })
}
