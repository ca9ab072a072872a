// Payload of `ROOM_JOINED`, the reply to a join; the same for sockets and event streams.
import type { RoomView } from '../broker/broker.js'
import type { RoomJoined, RoomMember } from '../protocol/server-frames.js'
import type { Member } from './room.js'

/**
 * @param timestamp ms since the epoch
 * @param asked true if the client asked to catch up; only then does the reply say whether it did
 * @param members of the room, if the client asked for them
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
