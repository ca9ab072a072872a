// show: prints one payment: its state, its devices and its events.
import { Api } from './api.js'
import { command } from './command.js'
import { eventLine, memberLine, stateLine } from './follow.js'
import { keyOf, serverOf, SHARED } from './options.js'
import { Printer } from './terminal.js'

const { url, timeout, json, 'api-key': apiKey } = SHARED

export const show = command({
  summary: 'prints a payment: its state, its devices and its events',
  words: ['<room>'],
  example: 'payment_123',
  options: { url, 'api-key': apiKey, timeout, json },
  run: async ([roomId], values, terminal) => {
    const api = new Api({ ...serverOf(values), roomId: roomId!, apiKey: keyOf(values, terminal) }, terminal)
    const { state, members, ...room } = await api.details()
    const events = await api.events()
    const printer = new Printer(terminal, values.json)
    const { reference, description, expiresAt } = room
    printer.tell('room', { state, members, ...room }, 'room', [roomId, reference, description, `ends ${new Date(expiresAt).toISOString()}`].filter(Boolean).join(', '), 'bold')
    if (printer.isJson) for (const event of events) printer.tell('event', event, '', '')
    else {
      printer.tell('', {}, 'state', stateLine(state), 'bold')
      printer.tell('', {}, 'here', members.map(memberLine).join(', ') || 'nobody')
      for (const event of events) printer.tell('', {}, `#${event.seq}`, eventLine(event), 'cyan')
    }
    return 0
  }
})
