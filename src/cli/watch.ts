// watch: follows a room as a backend does, over server-sent events.
import { command } from './command.js'
import { Device } from './device.js'
import { follow } from './follow.js'
import { serverOf, SHARED } from './options.js'

const { url, timeout, json, 'api-key': apiKey } = SHARED

export const watch = command({
  summary: 'follows a room as a backend, over the API, until Ctrl-C',
  words: ['<room>'],
  example: 'payment_123 --json',
  options: { url, 'api-key': apiKey, timeout, json },
  run: async ([roomId], values, terminal) => {
    // The API accepts an API key in place of a room token.
    const token = values['api-key'] ?? (terminal.env.API_KEY || undefined)
    const device = new Device({ ...serverOf(values), roomId: roomId!, role: 'device1', deviceId: 'backend', token, stream: true }, terminal)
    return await follow(device, values.json, terminal)
  }
})
