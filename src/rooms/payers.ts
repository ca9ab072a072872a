// Payers of a room: at most so many devices with the role `device2` at once, if the server has a limit. A device on several connections counts once.
import { Failure } from '../errors.js'
import type { RoomMember } from '../protocol/server-frames.js'

/** Device that joins or publishes as a payer. */
export interface Payer {
  readonly deviceId?: string | undefined
  /** Its connection, whose former device does not count against it. */
  readonly clientId?: string | undefined
}

/**
 * Refuses a payer beyond the limit, until another one has left and its grace period is over. A device that is among the members may always come back.
 * @param limit maximum number of payers
 * @param members members of the room on all nodes, with those in their grace period
 */
export function refusalOfPayer (limit: number, { deviceId, clientId }: Payer, members: readonly RoomMember[]): Failure | undefined {
  const payers = members.filter((member) => member.role === 'device2' && member.clientId !== clientId)
  return payers.length < limit || payers.some((member) => member.deviceId === deviceId) ? undefined : new Failure('ROOM_TAKEN')
}
