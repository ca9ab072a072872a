// Prints the events of a device's room until the room is closed or the user interrupts.
import type { PaymentOutcome, PaymentState, RoomEvent, RoomMember, Source } from '../client/index.js'
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

export const memberLine = ({ deviceId, role }: RoomMember) => `${deviceId} (${role})`

const SENDERS: Readonly<Record<Source, string>> = { api: 'a backend', server: 'the server', device: 'a device' }

export function eventLine ({ type, source, payload: { roomId, deviceId, ...rest } }: Pick<RoomEvent, 'type' | 'source' | 'payload'>): string {
  return `${type} from ${deviceId ?? SENDERS[source]}${Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : ''}`
}

/** Describes a state by the parts that are worth a word: a first attempt, for example, is not. */
export function stateLine (state: PaymentState): string {
  const { status, step, attempt, outcome, lastError } = state
  const parts = [
    status,
    outcome && (outcome.verified ? 'verified' : 'not verified'),
    outcome?.late && 'late',
    outcome?.mismatch && 'mismatch',
    moneyLine(state),
    attempt > 1 && `attempt ${attempt}`,
    lastError && `last error ${reasonOf(lastError)}`,
    step && `last step ${step}`
  ]
  return parts.filter(Boolean).join(', ')
}

function moneyLine ({ paid, expected, refunded, currency, balance }: PaymentState): string | undefined {
  if (paid === undefined) return undefined
  const sum = [paid, ...(expected === undefined ? [] : ['of', expected]), ...(currency === undefined ? [] : [currency])].join(' ')
  return `paid ${sum}${balance === undefined ? '' : ` (${balance})`}${refunded === undefined ? '' : `, refunded ${refunded}`}`
}

const reasonOf = ({ error, code }: PaymentOutcome) => JSON.stringify(error ?? code ?? 'unknown')
