// send: publishes one event as the payer's phone, or as a backend with an API key, and waits until it is in the log.
import { newId } from '../client/environment.js'
import type { PaymentEventType, Receipt } from '../client/index.js'
import { entriesOf } from '../comma-list.js'
import { EVENTS, isDeviceEvent, PUBLISHED_EVENT_TYPES } from '../protocol/events.js'
import { Api } from './api.js'
import { command, type Options, type Values } from './command.js'
import { Device } from './device.js'
import { usageError } from './cli-error.js'
import { identityOf, serverOf, SHARED } from './options.js'
import { didYouMean } from './suggestion.js'
import { Printer, type Terminal } from './terminal.js'

const { url, timeout, json, 'device-id': deviceId, token, 'api-key': apiKey } = SHARED

const payloadKeyOf = (option: string): string => option.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
const applies = (option: string, type: PaymentEventType): boolean => payloadKeyOf(option) in EVENTS[type].schema.properties
const usesOf = (option: string): string => `for ${PUBLISHED_EVENT_TYPES.filter((type) => applies(option, type)).join(', ')}`

/** Options that set a key of the payload. */
export const PAYLOAD = {
  'transaction-id': { type: 'string', value: '<id>', help: usesOf('transaction-id') },
  amount: { type: 'decimal', value: '<n>', help: `${usesOf('amount')}; such as 99.90` },
  currency: { type: 'string', value: '<code>', help: `${usesOf('currency')}; such as BRL` },
  error: { type: 'string', value: '<text>', help: usesOf('error') },
  code: { type: 'string', value: '<code>', help: usesOf('code') },
  method: { type: 'string', value: '<name>', help: usesOf('method') },
  fields: { type: 'string', value: '<a,b>', help: `${usesOf('fields')}: names of the fields` },
  reason: { type: 'string', value: '<text>', help: usesOf('reason') },
  'expires-at': { type: 'number', value: '<ms>', help: `${usesOf('expires-at')}: time until which the payer can pay, in ms since the Unix epoch`, integer: true },
  'refund-id': { type: 'string', value: '<id>', help: usesOf('refund-id') },
  outcome: { type: 'string', value: '<outcome>', help: `${usesOf('outcome')}: opened, won or lost`, oneOf: ['opened', 'won', 'lost'] }
} as const satisfies Options

const OPTIONS = {
  ...PAYLOAD,
  id: { type: 'string', value: '<id>', help: 'id of the event; the same event with the same id is relayed once' },
  url,
  'device-id': deviceId,
  token,
  'api-key': { ...apiKey, help: 'sends the event as a backend: results are verified; default, for events of a backend: API_KEY in the environment' },
  timeout,
  json
} as const satisfies Options

export const send = command({
  summary: 'sends one event as device 2, or as a backend with an API key, and waits until it is in the log',
  words: ['<room>', '<event>'],
  note: `Events: ${PUBLISHED_EVENT_TYPES.filter(isDeviceEvent).join(', ')}\nOnly with an API key: ${PUBLISHED_EVENT_TYPES.filter((type) => !isDeviceEvent(type)).join(', ')}`,
  example: 'payment_123 PAYMENT_SUCCESS --transaction-id tx_1 --amount 99.90',
  options: OPTIONS,
  run: async ([roomId, type], { id = newId(), ...values }, terminal) => {
    if (!isEvent(type!)) throw usageError(`the event must be one of ${PUBLISHED_EVENT_TYPES.join(', ')}${didYouMean(type!, PUBLISHED_EVENT_TYPES)}`)
    const receipt = await publish({ roomId: roomId!, type, payload: payloadOf(type, values), id }, values, terminal)
    const where = receipt.duplicate ? 'was already in the log' : 'is in the log'
    new Printer(terminal, values.json).tell('receipt', { roomId, type, id, ...receipt }, `#${receipt.seq}`, `${type} ${where} (id ${id})`, 'cyan')
    return 0
  }
})

interface Sending { readonly roomId: string, readonly type: PaymentEventType, readonly payload: Record<string, unknown>, readonly id: string }

/** Publishes the event over REST with an API key, otherwise as a device. @throws {CliError} */
async function publish ({ roomId, type, payload, id }: Sending, values: Values<typeof OPTIONS>, terminal: Terminal): Promise<Receipt> {
  // An API key in the environment does not turn the phone's events into those of a backend.
  const key = values['api-key'] ?? (isDeviceEvent(type) ? undefined : terminal.env.API_KEY || undefined)
  if (key !== undefined) {
    for (const option of ['device-id', 'token'] as const) if (values[option] !== undefined) throw usageError(`--${option} does not apply to an event of a backend`)
    return await new Api({ ...serverOf(values), roomId, apiKey: key }, terminal).publish({ type, payload, id })
  }
  if (!isDeviceEvent(type)) throw usageError(`only a backend sends ${type}: pass --api-key, or set API_KEY in the environment`)
  const device = new Device({ ...serverOf(values), ...identityOf(values, 'device2', terminal.env), roomId }, terminal)
  try {
    await device.enter()
    return await device.publish({ type, payload, id })
  } finally {
    await device.leave()
  }
}

const isEvent = (type: string): type is PaymentEventType => (PUBLISHED_EVENT_TYPES as readonly string[]).includes(type)

/** Builds the payload. A key that the event type does not document is an error. */
export function payloadOf (type: PaymentEventType, values: Values<typeof PAYLOAD>): Record<string, unknown> {
  const options = (Object.keys(PAYLOAD) as Array<keyof typeof PAYLOAD>).filter((option) => values[option] !== undefined)
  return Object.fromEntries(options.map((option) => {
    if (!applies(option, type)) throw usageError(`--${option} does not apply to ${type}`)
    const value = values[option]
    return [payloadKeyOf(option), option === 'fields' ? entriesOf(String(value)) : value]
  }))
}
