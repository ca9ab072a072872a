// What the room needs of a connection, be it a socket or an event stream.
import { tryOrUndefined } from './environment.js'
import type { Frame } from './frames.js'

export interface Link {
  /** Sends one frame's text. A stream goes one way only and has none. */
  readonly send?: (text: string) => void
  /** Asks whether the other side is still there; the link closes itself if not. */
  readonly probe?: () => void
  /** Ends it from our side; nothing more is heard of it. */
  readonly close: () => void
}

export interface LinkListener {
  /** A socket can be written to. */
  opened?: () => void
  frame: (frame: Frame) => void
  /** It ended, and not by us. Told once, and never before the link was returned. @param code of the close frame, or 0 where there was none */
  closed: (code: number, reason: string) => void
}

/** A frame of the server, or undefined for what is none. */
export function parseFrame (text: unknown): Frame | undefined {
  const frame = tryOrUndefined(() => JSON.parse(text as string) as Frame | null)
  return typeof frame?.type === 'string' && typeof frame.payload === 'object' && frame.payload !== null ? frame : undefined
}
