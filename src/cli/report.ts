// report: publishes the result of a payment as a backend.
import { newId } from '../client/environment.js'
import { Api } from './api.js'
import { command } from './command.js'
import { usageError } from './cli-error.js'
import { keyOf, serverOf, SHARED } from './options.js'
import { PAYLOAD, payloadOf } from './send.js'
import { didYouMean } from './suggestion.js'
import { Printer } from './terminal.js'

const { url, timeout, json, 'api-key': apiKey } = SHARED

/** Events by the words for them. */
const RESULTS = {
  success: 'PAYMENT_SUCCESS', error: 'PAYMENT_ERROR', pending: 'PAYMENT_PENDING', cancelled: 'PAYMENT_CANCELLED', refunded: 'PAYMENT_REFUNDED', disputed: 'PAYMENT_DISPUTED'
} as const

export const report = command({
  summary: 'reports the result of a payment as a backend; with an API key it is verified',
  words: ['<room>', '<result>'],
  note: `Results: ${Object.keys(RESULTS).join(', ')}. Without an API key only success and error, which are not verified.`,
  example: 'payment_123 success --transaction-id tx_1 --amount 99.90 --currency BRL',
  options: { ...PAYLOAD, id: { type: 'string', value: '<id>', help: 'id of the event; the same result with the same id is stored once' }, url, 'api-key': apiKey, timeout, json },
  run: async ([roomId, result], { id = newId(), ...values }, terminal) => {
    if (!Object.hasOwn(RESULTS, result!)) throw usageError(`the result must be one of ${Object.keys(RESULTS).join(', ')}${didYouMean(result!, Object.keys(RESULTS))}`)
    const type = RESULTS[result as keyof typeof RESULTS]
    const key = keyOf(values, terminal)
    const receipt = await new Api({ ...serverOf(values), roomId: roomId!, apiKey: key }, terminal).publish({ type, payload: payloadOf(type, values), id })
    const where = receipt.duplicate ? 'was already in the log' : `is in the log${key === undefined ? ', not verified' : ''}`
    new Printer(terminal, values.json).tell('receipt', { roomId, type, id, ...receipt }, `#${receipt.seq}`, `${type} ${where} (id ${id})`, 'cyan')
    return 0
  }
})
