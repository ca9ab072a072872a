// simulate: phones that pay, in any number of rooms, with optional faults.
import type { Receipt } from '../client/index.js'
import { Api } from './api.js'
import { command } from './command.js'
import { Device, type Step } from './device.js'
import { EXIT, CliError } from './cli-error.js'
import { stepsOf, runSteps } from './flow.js'
import { identityOf, serverOf, SHARED } from './options.js'
import { Printer } from './terminal.js'

const { url, timeout, json, 'device-id': deviceId, token, 'api-key': apiKey } = SHARED
const PAUSE = 500
const MAX_PAYMENTS = 1000

export const simulate = command({
  summary: 'simulates the phone of the payer: a whole payment, step by step',
  words: ['<room>'],
  example: 'payment_123 --fail once --drop --duplicate',
  options: {
    fail: { type: 'string', value: '<when>', help: 'once: an error, then a success; always: an error and no success', oneOf: ['once', 'always'] },
    drop: { type: 'boolean', help: 'drops the connection between two steps and reconnects' },
    duplicate: { type: 'boolean', help: 'sends each event twice, with the same id' },
    reorder: { type: 'boolean', help: 'swaps the events in pairs' },
    pause: { type: 'number', value: '<ms>', help: `time between two steps, in milliseconds (default: ${PAUSE})`, min: 0, max: 3_600_000 },
    payments: { type: 'number', value: '<n>', help: 'number of payments at once, in rooms <room>-1, <room>-2 …', min: 1, max: MAX_PAYMENTS, integer: true },
    url,
    'device-id': deviceId,
    token,
    'api-key': { ...apiKey, help: 'creates the rooms and their tokens, if the server requires tokens; default: API_KEY in the environment' },
    timeout,
    json
  },
  run: async ([name], values, terminal) => {
    const { payments = 1 } = values
    const server = serverOf(values)
    const weather = { ...values, pause: values.pause ?? PAUSE }
    const printer = new Printer(terminal, values.json)
    const key = values['api-key'] ?? (terminal.env.API_KEY || undefined)
    const total = payments * stepsOf(weather).length
    const begin = performance.now()
    let [events, duplicates, done] = [0, 0, 0]

    const tell = (roomId: string, { type, id }: Step, receipt: Receipt, again: boolean) => {
      if (!again) events++
      if (receipt.duplicate) duplicates++
      if (printer.isJson) printer.tell('receipt', { roomId, type, id, ...receipt }, '', '')
      printer.progress(`${done}/${payments} payments, ${events}/${total} events: ${type}`)
    }
    const pay = async (roomId: string) => {
      const identity = identityOf(values, 'device2', terminal.env)
      const minted = key === undefined ? undefined : await tokenFor(new Api({ ...server, roomId, apiKey: key }, terminal), identity.deviceId)
      // Always the shortest reconnect delay: no other clients reconnect together with this one.
      const device = new Device({ ...server, ...identity, roomId, token: minted ?? identity.token }, { ...terminal, platform: { random: () => 0, ...terminal.platform } })
      try {
        await device.enter()
        await runSteps(device, stepsOf(weather), weather, terminal.signal, (...news) => tell(roomId, ...news))
        done++
      } finally {
        await device.leave()
      }
    }

    const fates = await Promise.allSettled(payments === 1 ? [pay(name!)] : Array.from({ length: payments }, (_, n) => pay(`${name}-${n + 1}`)))
    const faults = fates.flatMap((fate) => fate.status === 'rejected' ? [fate.reason as unknown] : [])
    const ms = Math.round(performance.now() - begin)
    const sentence = `${done}/${payments} payments, ${events}/${total} events${duplicates > 0 ? `, ${duplicates} duplicates` : ''}, in ${(ms / 1000).toFixed(1)} s`
    printer.tell('done', { payments, done, events, duplicates, ms }, 'done', sentence, done === payments ? 'green' : 'red')
    if (faults.length > 0) throw faults[0]
    return 0
  }
})

/** Creates the room, and mints a token for its payer; returns undefined if the server does not use tokens. */
async function tokenFor (api: Api, deviceId: string): Promise<string | undefined> {
  await api.openRoom()
  try {
    return (await api.mintToken({ role: 'device2', deviceId })).token
  } catch (error) {
    if (error instanceof CliError && error.exit === EXIT.refused && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}
