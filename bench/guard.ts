// Measures the card-data guard: its cost per event, identifiers that it takes for cards, and cards that it finds: `npm run bench:guard [-- --ids 100000 --seed 1]`.
import { parseArgs } from 'node:util'
import { holdsCardNumber, isCardNumber } from '../src/protocol/card-numbers.js'
import { cardNameOf } from '../src/protocol/card-words.js'
import { decodeFrame } from '../src/protocol/decode.js'
import { seeded } from '../test/seeded.js'
import { ALONE, BARE, drawCard, EVIDENCE, GROUPED } from './guard/cards.js'
import { drawIdentifier, IDENTIFIERS } from './guard/identifiers.js'
import { outcomeOf, type Sample } from './guard/outcome.js'

const { values } = parseArgs({ options: { ids: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } } })
const [ids, seed] = [Number(values.ids), Number(values.seed)]
if (!Number.isSafeInteger(ids) || ids < 1 || !Number.isSafeInteger(seed)) {
  console.error('usage: npm run bench:guard -- --ids 100000 --seed 1')
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
        work.push(() => cardNameOf(key, child) !== undefined || holdsCardNumber(key))
        collect(child)
      }
    }
  }
  collect(frame)
  return () => work.some((step) => step())
}

function tally (count: number, draw: (i: number) => Sample): Record<'carried' | 'masked' | 'refused', number> {
  const outcomes = { carried: 0, masked: 0, refused: 0 }
  for (let i = 0; i < count; i++) outcomes[outcomeOf(draw(i))]++
  return outcomes
}
const percent = (part: number, all: number) => part === 0 ? '0' : `${(part / all * 100).toFixed(3)} %`

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

console.log(`\n${ids} identifiers of each kind, seed ${seed}\n`)
console.log('| Identifier | Refused | Masked |\n| --- | --- | --- |')
for (const [name, kind] of Object.entries(IDENTIFIERS)) {
  const random = seeded(seed)
  const { refused, masked } = tally(ids, (i) => drawIdentifier(kind, random, i))
  console.log(`| ${name} | ${percent(refused, ids)} | ${percent(masked, ids)} |`)
}

const cards = Math.ceil(ids / 100)
console.log(`\n${cards} card numbers of each writing and evidence, seed ${seed}: carried as they are, refused or masked\n`)
console.log('| Evidence | Cards | Carried | Refused or masked |\n| --- | --- | --- | --- |')
for (const evidence of [...Object.entries(EVIDENCE), ...Object.entries(ALONE)]) {
  const writings = evidence[0] in ALONE ? GROUPED : { ...BARE, ...GROUPED }
  const random = seeded(seed)
  const total = { carried: 0, masked: 0, refused: 0 }
  for (const write of Object.values(writings)) {
    const outcomes = tally(cards, () => evidence[1](write(drawCard(random)), random))
    for (const outcome of ['carried', 'masked', 'refused'] as const) total[outcome] += outcomes[outcome]
  }
  const all = cards * Object.keys(writings).length
  console.log(`| ${evidence[0]} | ${all} | ${total.carried} | ${((1 - total.carried / all) * 100).toFixed(3)} % |`)
}
