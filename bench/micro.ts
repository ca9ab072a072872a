// Microbenchmarks: each step of an event's path, and the whole path within the process: `npm run bench:micro [-- --only 'decode|guard']`.
import { parseArgs } from 'node:util'
import { bench, do_not_optimize as keep, group, run } from 'mitata'
import { EventLog } from '../src/broker/memory/event-log.js'
import { fold, newPayment } from '../src/payment/state.js'
import { draftEvent, eventText, type DraftOptions } from '../src/broker/event-draft.js'
import { decodeFrame } from '../src/protocol/decode.js'
import { checkLimits } from '../src/protocol/limits.js'
import { FrameWriter } from '../src/websocket/frame-writer.js'
import { hotPath, LOG_SIZE, PAID, ROOM, START, uuids } from './hot-path.js'

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } })

const FILLED = { type: 'DATA_FILLED', payload: { ...ROOM, deviceId: 'device_2', fields: ['name', 'email', 'cpf', 'phone', 'holder', 'expiry'] } }
const UPDATE = {
  eventType: 'PAYMENT_UPDATE', message: 'O pagamento foi recebido e está em análise; a confirmação chega em até dois dias úteis. '.repeat(6), idSeguro: 'seguro_123456'
}
/** Events as a device sends them. */
const SENT = [
  { name: 'PAYMENT_SUCCESS', frame: PAID, id: false },
  { name: 'PAYMENT_SUCCESS with id', frame: PAID, id: true },
  { name: 'DATA_FILLED with id', frame: FILLED, id: true }
]

/** Number of messages, more than a log remembers, so that none is a duplicate. */
const RING = 1_024

for (const { name, frame, id } of SENT) {
  const path = await hotPath({ id, event: frame })
  const messages = path.messages(RING)
  const [message] = messages as [Buffer]
  const decoded = decodeFrame(message)
  if ('failure' in decoded) throw new Error(`${name} is refused`)
  group(name, () => {
    bench('decode, with its guard', () => keep(decodeFrame(message)))
    parts(JSON.parse(message.toString()), decoded, { source: 'device', origin: 'client_1795504810175_d003bded8298', timestamp: START })
    let next = 0
    bench('whole', () => { path.send(messages[next++ % RING]!) })
  })
}

// A backend's message arrives over REST: there is no frame to decode, and the event is built from the request body.
const { rooms } = await hotPath({ id: false })
group('PAYMENT_UPDATE, 500 characters', () => {
  const { eventType: type, message, idSeguro } = UPDATE
  parts(UPDATE, { type, payload: { ...ROOM, message, idSeguro, timestamp: START, source: 'api' } }, { source: 'api', timestamp: START })
  bench('whole', async () => keep(await rooms.broadcast(ROOM.roomId, UPDATE)))
})

await run({ filter: new RegExp(values.only) })

/** @param received value that the guard checks @param said event that is published */
function parts (received: unknown, said: Parameters<typeof draftEvent>[0], options: DraftOptions): void {
  const before = newPayment(START)
  const newId = uuids()
  const drafts = Array.from({ length: RING }, () => draftEvent(said.id === undefined ? said : { ...said, id: newId() }, options))
  const [draft] = drafts as [typeof drafts[0]]
  const writer = new FrameWriter()
  const log = new EventLog('iA9N7hkgUN3b', LOG_SIZE, writer)
  for (let i = 0; i < LOG_SIZE; i++) log.append(drafts[RING - LOG_SIZE + i]!)
  let next = 0
  bench('guard', () => keep(checkLimits(received)))
  bench('draft', () => keep(draftEvent(said, options)))
  bench('fold', () => keep(fold(before, draft)))
  bench('encode', () => keep(writer.encodeText(eventText(draft, log.seq))))
  bench('append, with encode', () => keep(log.append(drafts[next++ % RING]!)))
}
