// Recorder: the port through which a memory broker reports the changes that must outlive its process. Without a recorder nothing is reported. Types only.
import type { EventDraft } from '../event-draft.js'
import type { LogEntry, RoomChange } from '../broker.js'
import type { Terms } from '../../payment/state.js'

/** A room that starts. Times are ms since the epoch. */
export interface StartedRoom {
  readonly number: number
  readonly roomId: string
  readonly epoch: string
  readonly createdAt: number
  /** Deadline of the payment link. */
  readonly deadline: number | undefined
  readonly terms: Terms | undefined
  /** URL that gets the webhooks of the room, if it has one of its own. */
  readonly webhookUrl: string | undefined
}

/** Effects of an event. */
export interface Appended {
  readonly receivers: number
  /** Deadline of the link, if the draft has set it. */
  readonly expiresAt: number
  /** The change that is reported; undefined if the event did not change the state. */
  readonly change: RoomChange | undefined
}

export interface Recorder {
  /** True while no change can be recorded, for example on a full disk: rooms then neither expire nor end. */
  readonly isFull: boolean
  started: (room: StartedRoom) => RoomRecorder
}

/** Records the changes of one room. */
export interface RoomRecorder {
  /** Called before anyone receives the entry. */
  appended: (draft: EventDraft, entry: LogEntry, appended: Appended) => void
  named: (name: string) => void
  /** The pause after the last event is reported. */
  stalled: (change: RoomChange) => void
  /** @param until time up to which the id of the room is remembered as closed, ms since the epoch; 0 if it is not @param change the change that is reported, if one is */
  ended: (roomId: string, until: number, change?: RoomChange) => void
}
