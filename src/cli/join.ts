// join: joins a room as a device and prints its events.
import { ROLES } from '../protocol/events.js'
import { command } from './command.js'
import { Device } from './device.js'
import { follow } from './follow.js'
import { identityOf, serverOf, SHARED } from './options.js'

const { url, timeout, json, 'device-id': deviceId, token } = SHARED

export const join = command({
  summary: 'joins a room and prints each event, until Ctrl-C',
  words: ['<room>'],
  example: 'payment_123 --presence',
  options: {
    url,
    'device-id': deviceId,
    role: { type: 'string', value: '<role>', help: 'device1 (watches) or device2 (pays); default: the role of the token, otherwise device1', oneOf: ROLES },
    token,
    presence: { type: 'boolean', help: 'also prints the members of the room' },
    timeout,
    json
  },
  run: async ([roomId], values, terminal) => {
    const device = new Device({ ...serverOf(values), ...identityOf(values, 'device1', terminal.env), roomId: roomId!, presence: values.presence }, terminal)
    return await follow(device, values.json, terminal)
  }
})
