// Messages of rooms as the scripts send them: on the channel of a room, or on that of a node, where those of all its rooms follow each other.
import type { FrameWriter } from '../../websocket/frame-writer.js'
import type { LogEntry, Stall } from '../broker.js'

const NEWLINE = 0x0a

/** A message of a room: an entry, the members of a node (JSON; empty: none), a new deadline of the link and the time until then (ms), a pause, or the room's end. */
export type Message = { readonly kind: 'entry', readonly entry: LogEntry } | { readonly kind: 'members', readonly node: string, readonly json: string } |
  { readonly kind: 'deadline', readonly deadline: number, readonly left: number } | { readonly kind: 'stalled', readonly stall: Stall } | { readonly kind: 'closed' | 'unknown' }

/** Decodes a message of a room's channel: a letter for its kind, the rest of its first line, and the lines after it. */
export function readMessage (message: Buffer, frames: FrameWriter): Message {
  const end = message.indexOf(NEWLINE)
  const head = message.toString('latin1', 1, end === -1 ? message.length : end)
  switch (message.toString('latin1', 0, 1)) {
    case 'e': {
      const [epoch = '', seq, origin] = head.split('\t')
      return { kind: 'entry', entry: { epoch, seq: Number(seq), origin, frame: frames.encodeText(message.subarray(end + 1)) } }
    }
    case 'm': return { kind: 'members', node: head, json: message.toString('utf8', end + 1) }
    case 'd': {
      const [deadline, left] = head.split('\t')
      return { kind: 'deadline', deadline: Number(deadline), left: Number(left) }
    }
    case 's': {
      const [epoch = '', seq, lastEventAt, step] = head.split('\t')
      return { kind: 'stalled', stall: { epoch, seq: Number(seq), lastEventAt: Number(lastEventAt), step: step as Stall['step'] } }
    }
    case 'c': return { kind: 'closed' }
    // A message of a newer version.
    default: return { kind: 'unknown' }
  }
}

/** Divides a message of a node's channel: for each message of a room a line with the room and the number of bytes, and these. */
export function readNodeMessage (bytes: Buffer, onMessage: (roomId: string, message: Buffer) => void): void {
  for (let at = 0; at < bytes.length;) {
    const start = bytes.indexOf(NEWLINE, at) + 1
    const head = bytes.toString('latin1', at, start - 1)
    const tab = head.indexOf('\t')
    at = start + Number(head.slice(tab + 1))
    onMessage(head.slice(0, tab), bytes.subarray(start, at))
  }
}
