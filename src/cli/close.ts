// close: ends a payment for all its devices.
import { Api } from './api.js'
import { command } from './command.js'
import { keyOf, serverOf, SHARED } from './options.js'
import { Printer } from './terminal.js'

const { url, timeout, json, 'api-key': apiKey } = SHARED

export const close = command({
  summary: 'closes a payment: its devices are disconnected from it, and nothing can be published any more',
  words: ['<room>'],
  example: 'payment_123',
  options: { url, 'api-key': apiKey, timeout, json },
  run: async ([roomId], values, terminal) => {
    await new Api({ ...serverOf(values), roomId: roomId!, apiKey: keyOf(values, terminal) }, terminal).close()
    new Printer(terminal, values.json).tell('closed', { roomId }, 'closed', roomId!)
    return 0
  }
})
