// inspect: prints the journal of a room, or of all rooms.
import { inspect as inspectFolder, type Finding } from '../broker/journal/inspect.js'
import { command } from './command.js'
import { usageError } from './cli-error.js'
import { onFolder } from './journal-error.js'
import { SHARED } from './options.js'
import { Printer } from './terminal.js'

export const inspect = command({
  summary: 'prints the journal in DATA_DIR: every event of a room, when and by whom it was sent',
  words: [],
  note: 'Rooms that have ended are printed as long as their segments exist; without --room all rooms are.',
  example: '--room payment_123',
  options: {
    room: { type: 'string', value: '<room>', help: 'only this room' },
    data: { type: 'string', value: '<folder>', help: 'folder of the journal; default: DATA_DIR in the environment' },
    json: SHARED.json
  },
  run: async (_words, { room, data, json }, terminal) => {
    const dir = data ?? terminal.env.DATA_DIR
    if (!dir) throw usageError('inspect requires DATA_DIR in the environment, or --data')
    const printer = new Printer(terminal, json)
    onFolder(() => inspectFolder({ dir, roomId: room, onFinding: ({ what, ...facts }) => printer.tell(what, facts, what, textOf({ what, ...facts } as Finding)) }))
    return 0
  }
})

const timeOf = (ms: number) => new Date(ms).toISOString()

function textOf (finding: Finding): string {
  switch (finding.what) {
    case 'room': return `${finding.roomId} opened at ${timeOf(finding.createdAt)}, epoch ${finding.epoch}${finding.deadline === undefined ? '' : `, deadline ${timeOf(finding.deadline)}`} ${JSON.stringify(finding.terms ?? {})}`
    case 'event': return eventText(finding)
    case 'state': return `${finding.roomId} written anew, epoch ${finding.epoch}, state ${JSON.stringify(finding.state)}`
    case 'name': return `${finding.roomId} is also ${finding.name}`
    case 'stall': return `${finding.roomId}: the payer has paused`
    case 'end': return `${finding.roomId} ended${finding.rememberedUntil === 0 ? '' : `, remembered as closed until ${timeOf(finding.rememberedUntil)}`}`
    case 'epochs': return `all rooms so far have new epochs: ${finding.prefix}-…`
    case 'tail': return `${finding.segment} from byte ${finding.at}: ${finding.bytes} bytes of no whole record`
  }
}

function eventText ({ roomId, receivers, verified, idempotencyKey, event }: Extract<Finding, { what: 'event' }>): string {
  const { type, payload, seq, timestamp, source, id } = event as { type: string, payload: object, seq: number, timestamp: number, source: string, id?: string }
  const facts = [`from ${source}${verified ? ', verified' : ''}`, `to ${receivers}`, ...id === undefined ? [] : [`id ${id}`], ...idempotencyKey === undefined ? [] : [`key ${idempotencyKey}`]]
  return `${roomId} #${seq} ${timeOf(timestamp)} ${type} ${facts.join(', ')} ${JSON.stringify(payload)}`
}
