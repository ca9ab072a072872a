// Interface of a connection as the room uses it, implemented by a WebSocket and by an event stream.
import { tryOrUndefined } from './environment.js'
import type { Frame, RoomError } from './frames.js'
import type { Closing } from './signals.js'

export interface Link {
  /** Sends the text of one message, and returns its number on the link, from 1. A stream is one-way and has no `send`. */
  readonly send?: (text: string) => number
  /** Checks that the peer still answers; the link closes itself if not. */
  readonly probe?: () => void
  /** Closes the link from this side; the listener is not called any more. */
  readonly close: () => void
}

export interface LinkListener {
  /** Called when a socket can be written to. */
  opened?: () => void
  frame: (frame: Frame) => void
  /**
   * Called once when the link ends other than by `close`, and never before the link was returned.
   * @param closing content of the close frame, if there was one
   */
  closed: (closing?: Closing) => void
  /** Called instead if the server refused a stream. */
  refused?: (error: RoomError) => void
}

/** Parses a message of the server; returns undefined if the text is not one. */
export function parseFrame (text: unknown): Frame | undefined {
  const frame = tryOrUndefined(() => JSON.parse(text as string) as Frame | null)
  return typeof frame?.type === 'string' && frame.payload instanceof Object ? frame : undefined
}
