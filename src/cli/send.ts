// send: publishes one event as the payer's phone, and waits for the acknowledgement.
import { newId } from '../client/environment.js'
import type { PaymentEventType } from '../client/index.js'
import { entriesOf } from '../comma-list.js'
import { EVENTS, PAYMENT_EVENT_TYPES } from '../protocol/events.js'
import { command, type Options, type Values } from './command.js'
import { Device } from './device.js'
import { usageError } from './cli-error.js'
import { identityOf, serverOf, SHARED } from './options.js'
import { Printer } from './terminal.js'

const { url, timeout, json, 'device-id': deviceId, token } = SHARED

/** Options that set a key of the payload. */
const PAYLOAD = {
  'transaction-id': { type: 'string', value: '<id>', help: 'for PAYMENT_SUCCESS' },
  amount: { type: 'number', value: '<n>', help: 'for PAYMENT_SUCCESS, such as 99.90' },
  currency: { type: 'string', value: '<code>', help: 'for PAYMENT_SUCCESS, such as BRL' },
  error: { type: 'string', value: '<text>', help: 'for PAYMENT_ERROR' },
  code: { type: 'string', value: '<code>', help: 'for PAYMENT_ERROR' },
  method: { type: 'string', value: '<name>', help: 'for PAYMENT_METHOD_CHANGED' },
  fields: { type: 'string', value: '<a,b>', help: 'for DATA_FILLED: names of the fields' }
} as const satisfies Options

export const send = command({
  summary: 'sends one event as device 2 and waits until it is in the log',
  words: ['<room>', '<event>'],
  note: `Events: ${PAYMENT_EVENT_TYPES.join(', ')}`,
  example: 'payment_123 PAYMENT_SUCCESS --transaction-id tx_1 --amount 99.90',
  options: { ...PAYLOAD, id: { type: 'string', value: '<id>', help: 'id of the event; the same event with the same id is relayed once' }, url, 'device-id': deviceId, token, timeout, json },
  run: async ([roomId, type], { id = newId(), ...values }, terminal) => {
    if (!isEvent(type!)) throw usageError(`the event must be one of ${PAYMENT_EVENT_TYPES.join(', ')}`)
    const step = { type, payload: payloadOf(type, values), id }
    const device = new Device({ ...serverOf(values), ...identityOf(values, 'device2', terminal.env), roomId: roomId! }, terminal)
    try {
      await device.enter()
      const receipt = await device.publish(step)
      const where = receipt.duplicate ? 'was already in the log' : 'is in the log'
      new Printer(terminal, values.json).tell('receipt', { roomId, type, id, ...receipt }, `#${receipt.seq}`, `${type} ${where} (id ${id})`, 'cyan')
      return 0
    } finally {
      await device.leave()
    }
  }
})

const isEvent = (type: string): type is PaymentEventType => (PAYMENT_EVENT_TYPES as readonly string[]).includes(type)

/** Builds the payload. A key that the event type does not document is an error. */
function payloadOf (type: PaymentEventType, values: Values<typeof PAYLOAD>): Record<string, unknown> {
  const entries = Object.keys(PAYLOAD).flatMap((option) => {
    const value = values[option as keyof typeof PAYLOAD]
    return value === undefined ? [] : [{ option, key: option === 'transaction-id' ? 'transactionId' : option, value }]
  })
  return Object.fromEntries(entries.map(({ option, key, value }) => {
    if (!(key in EVENTS[type].schema.properties)) throw usageError(`--${option} does not apply to ${type}`)
    return [key, key === 'fields' ? entriesOf(String(value)) : value]
  }))
}
