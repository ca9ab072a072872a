// The reply to a join, the same for a socket and for an event stream.
import type { RoomView } from '../broker/broker.js'
import type { RoomJoined, RoomMember } from '../protocol/server-frames.js'
import type { Member } from './room.js'

/**
 * @param timestamp ms since the epoch
 * @param asked whether the client asked to catch up; only then is it told whether it did
 * @param members who is in the room, where the client asked for it
 */
export function roomJoined (
  { room: { roomId }, deviceId, subscriber: { clientId } }: Member, { epoch, seq, state, recovered, entries }: RoomView,
  timestamp: number, asked: boolean, members?: RoomMember[]
): RoomJoined {
  const joined: RoomJoined = { roomId, deviceId, clientId, timestamp, epoch, seq, state }
  if (asked) {
    joined.recovered = recovered
    joined.replayed = entries.length
  }
  if (members) joined.members = members
  return joined
}
