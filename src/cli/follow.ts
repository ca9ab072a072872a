// Prints the events of a device's room until the room is closed or the user interrupts.
import type { PaymentState, RoomEvent, RoomMember } from '../client/index.js'
import type { Device } from './device.js'
import { Printer, type Terminal } from './terminal.js'

/** @returns the exit code @throws {CliError} if the device is refused, or cannot stay */
export async function follow (device: Device, json: boolean | undefined, terminal: Terminal): Promise<number> {
  const printer = new Printer(terminal, json)
  tellAll(device, printer)
  try {
    await device.enter()
    const { signal } = terminal
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve())
      if (signal.aborted) resolve()
    })
    const fault = await Promise.race([stopped, device.ended])
    if (fault) throw fault
    // An interrupt is the usual way to leave, so it is no failure.
    if (!signal.aborted) printer.tell('closed', { roomId: device.room.roomId }, 'closed', 'the room has ended')
    return 0
  } finally {
    await device.leave()
  }
}

function tellAll (device: Device, printer: Printer): void {
  const { room } = device
  const { roomId, deviceId } = room
  const tellMembers = (members: readonly RoomMember[]) => printer.tell('members', { members }, 'here', members.map(memberLine).join(', '))
  room.on('status', (status) => {
    if (status === 'online') {
      const { state, transport } = room
      printer.tell('status', { status, roomId, deviceId, transport, state }, status, `${roomId} as ${deviceId}: ${stateLine(state!)}`, 'green')
      if (room.members.length > 0) tellMembers(room.members)
    } else if (status === 'offline') printer.tell('status', { status, trouble: device.trouble }, status, `reconnecting (${device.trouble})`, 'red')
  })
  room.on('event', (event) => printer.tell('event', event, `#${event.seq}`, eventLine(event), 'cyan'))
  // State and members at the time of a join are printed with the `online` status.
  room.on('state', (state) => { if (room.status === 'online') printer.tell('state', { state }, 'state', stateLine(state), 'bold') })
  room.on('members', (members) => { if (room.status === 'online') tellMembers(members) })
  room.on('gap', ({ before, after }) => printer.tell('gap', { before, after }, 'gap', `events may be missing before #${after.seq + 1}`, 'yellow'))
}

const memberLine = ({ deviceId, role }: RoomMember) => `${deviceId} (${role})`

function eventLine ({ type, source, payload: { roomId, deviceId, ...rest } }: RoomEvent): string {
  const who = deviceId ?? (source === 'api' ? 'a backend' : 'a device')
  return `${type} from ${who}${Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : ''}`
}

function stateLine ({ status, step, outcome }: PaymentState): string {
  return `${status}${outcome ? outcome.verified ? ', verified' : ', not verified' : ''}${step ? `, last step ${step}` : ''}`
}
