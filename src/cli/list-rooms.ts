// rooms: lists the payments of the server, the newest first.
import { PAYMENT_STATUSES, PROGRESS } from '../protocol/payment-state.js'
import { Api, type RoomLine } from './api.js'
import { command } from './command.js'
import { keyOf, serverOf, SHARED } from './options.js'
import { Printer } from './terminal.js'

const { url, timeout, json, 'api-key': apiKey } = SHARED
const LIMIT = 20

export const rooms = command({
  summary: 'lists the payments, the newest first',
  words: [],
  example: '--stalled --limit 50',
  options: {
    status: { type: 'string', value: '<status>', help: `only payments with this status: ${PAYMENT_STATUSES.join(', ')}`, oneOf: PAYMENT_STATUSES },
    step: { type: 'string', value: '<step>', help: `only payments whose last step is this one: ${PROGRESS.join(', ')}`, oneOf: PROGRESS },
    stalled: { type: 'boolean', help: 'only payments whose payer has paused' },
    text: { type: 'string', value: '<text>', help: 'only payments with this text in the room id or in the reference' },
    limit: { type: 'number', value: '<n>', help: `number of payments (default: ${LIMIT})`, min: 1, max: 1000, integer: true },
    url,
    'api-key': apiKey,
    timeout,
    json
  },
  run: async (_words, values, terminal) => {
    const { status, step, stalled, text, limit = LIMIT } = values
    const api = new Api({ ...serverOf(values), apiKey: keyOf(values, terminal) }, terminal)
    const found = await api.list({ sort: 'newest', limit, status, step, stalled, text })
    const printer = new Printer(terminal, values.json)
    for (const room of found) printer.tell('room', room, room.stalled ? 'stalled' : '', lineOf(room), room.stalled ? 'yellow' : 'dim')
    if (found.length === 0 && !printer.isJson) printer.tell('', {}, '', 'no payment matches')
    return 0
  }
})

/** Describes a room in one line. */
function lineOf ({ roomId, reference, status, verified, step, amount, currency, members, updatedAt }: RoomLine): string {
  const parts = [
    roomId,
    reference,
    amount !== undefined && `${amount} ${currency ?? ''}`.trim(),
    status,
    verified !== undefined && (verified ? 'verified' : 'not verified'),
    step && `last step ${step}`,
    `${members} ${members === 1 ? 'device' : 'devices'}`,
    `changed ${new Date(updatedAt).toISOString()}`
  ]
  return parts.filter(Boolean).join(', ')
}
