// Measures the card-data guard: its cost per event, and the share of plain numbers that it takes for cards: `npm run bench:guard [-- --ids 1000000 --seed 1]`.
import { parseArgs } from 'node:util'
import { holdsCardNumber, isCardNumber, isCardDataKey } from '../src/protocol/card-data.js'
import { decodeFrame } from '../src/protocol/decode.js'
import { LENGTHS, shareRefused } from '../test/protocol/numeric-ids.js'

const { values } = parseArgs({ options: { ids: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } } })
const [ids, seed] = [Number(values.ids), Number(values.seed)]
if (!Number.isSafeInteger(ids) || ids < 1 || !Number.isSafeInteger(seed)) {
  console.error('usage: npm run bench:guard -- --ids 1000000 --seed 1')
  process.exit(64)
}

const who = { roomId: 'payment_123', deviceId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301' }
const id = '9b2d7a4c-1f6e-4c39-8a57-2e04d1c6b830'
const FRAMES: Record<string, object> = {
  'CLICKED_PAY, no id': { type: 'CLICKED_PAY', payload: { roomId: 'payment_123', deviceId: 'device_2' } },
  'CLICKED_PAY, UUIDs': { type: 'CLICKED_PAY', payload: who, id },
  'JOIN_ROOM, recover': { type: 'JOIN_ROOM', payload: { ...who, role: 'device2', presence: true, recover: { epoch: 'iA9N7hkgUN3b', seq: 7 } } },
  'DATA_FILLED, 8 names': { type: 'DATA_FILLED', payload: { ...who, fields: ['name', 'email', 'cpf', 'phone', 'cardNumber', 'expiry', 'cvv', 'holder'] }, id },
  PAYMENT_SUCCESS: { type: 'PAYMENT_SUCCESS', payload: { ...who, transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }, id },
  '… with 16 digits': { type: 'PAYMENT_SUCCESS', payload: { ...who, transactionId: '4567890123456780', amount: 99.9, currency: 'BRL' }, id },
  'a text of 2,000': { type: 'PAYMENT_ERROR', payload: { ...who, error: 'O pagamento foi recusado em 2024-01-15 10:30. '.repeat(44).slice(0, 2000), code: '51' }, id }
}

/** Returns the guard's checks of a message, without the traversal that they are part of. */
function guardOf (frame: unknown): () => boolean {
  const work: Array<() => boolean> = []
  const collect = (value: unknown): void => {
    if (typeof value === 'string') work.push(() => holdsCardNumber(value))
    else if (typeof value === 'number') work.push(() => isCardNumber(value))
    else if (Array.isArray(value)) value.forEach(collect)
    else if (typeof value === 'object' && value !== null) {
      for (const [key, child] of Object.entries(value)) {
        work.push(() => isCardDataKey(key, child) || holdsCardNumber(key))
        collect(child)
      }
    }
  }
  collect(frame)
  return () => work.some((step) => step())
}

const ROUNDS = 15
const EVENTS = 20_000

/** Returns the CPU time of one call, ns; other processes on the machine do not count. */
function time (call: () => unknown): number {
  const before = process.cpuUsage()
  for (let i = 0; i < EVENTS; i++) call()
  const { user, system } = process.cpuUsage(before)
  return (user + system) * 1000 / EVENTS
}

console.log(`Node.js ${process.version}, CPU time, the best of ${ROUNDS} rounds of ${EVENTS} events, guard and decodeFrame in turn\n`)
console.log('| Message | Bytes | decodeFrame, ns | of that the guard, ns | Share |\n| --- | --- | --- | --- | --- |')
for (const [name, frame] of Object.entries(FRAMES)) {
  const data = Buffer.from(JSON.stringify(frame))
  const decoded = decodeFrame(data)
  if ('failure' in decoded) throw new Error(`${name} is refused`)
  // The keys of a message on the fast path never name card data, or the message would not be on the fast path.
  const guard = guardOf('json' in decoded ? [...Object.values(decoded.payload), decoded.id] : JSON.parse(data.toString()))
  if (guard()) throw new Error(`the guard alone refuses ${name}`)
  let [all, own] = [Infinity, Infinity]
  for (let round = 0; round < ROUNDS; round++) {
    all = Math.min(all, time(() => decodeFrame(data)))
    own = Math.min(own, time(guard))
  }
  console.log(`| ${name} | ${data.length} | ${all.toFixed(0)} | ${own.toFixed(0)} | ${(own / all * 100).toFixed(0)} % |`)
}

console.log(`\n${ids} random numeric ids of each length, seed ${seed}\n`)
console.log('| Digits | Refused |\n| --- | --- |')
for (const digits of LENGTHS) console.log(`| ${digits} | ${(shareRefused(digits, ids, seed) * 100).toFixed(2)} % |`)
