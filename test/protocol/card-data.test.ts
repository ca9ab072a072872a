// Card data in messages: refused, masked or carried, by the sender, the place and the evidence beside a number.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { drawIdentifier, IDENTIFIERS } from '../../bench/guard/identifiers.js'
import { ALONE, BARE, drawCard, EVIDENCE, GROUPED } from '../../bench/guard/cards.js'
import { outcomeOf } from '../../bench/guard/outcome.js'
import { checkFrame, type ClientFrame, type RefusedFrame } from '../../src/protocol/decode.js'
import { cardNumbersIn, holdsCardNumber } from '../../src/protocol/card-numbers.js'
import { seeded } from '../seeded.js'
import { decode } from './frames.js'

const VISA = '4111111111111111'
const SPACED = '4111 1111 1111 1111'
const MASKED = '411111******1111'
const NUMBER = 'contains what looks like a card number, which is not accepted'
const NAME = 'names card data, which is not accepted'

const frame = (payload: object, top: object = {}) => JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: 'r', ...payload }, ...top })
const fromBackend = (payload: object) => checkFrame({ type: 'CLICKED_PAY', payload: { roomId: 'r', ...payload } }, { sender: 'backend' })

function refuses (t: Test, text: string, message: string, code = 'SENSITIVE_DATA'): void {
  const result = decode(text) as RefusedFrame
  t.match(result.failure, { code, message, retryable: false, status: 400 }, text.slice(0, 80))
  t.notMatch(JSON.stringify(result), /4111/, 'the refusal repeats no card data')
}
function masks (t: Test, payload: object, masked: object, result = decode(frame(payload))): void {
  t.strictSame(result, { type: 'CLICKED_PAY', payload: { roomId: 'r', ...masked }, id: undefined, redacted: true }, JSON.stringify(payload).slice(0, 80))
}
function carries (t: Test, payload: object, result = decode(frame(payload))): void {
  const { redacted, ...read } = result as ClientFrame
  t.match(read, { payload: { roomId: 'r', ...payload } }, JSON.stringify(payload).slice(0, 80))
  t.equal(redacted, undefined)
}

t.test('a key that is card data by itself is refused, and the error names its place', async (t) => {
  refuses(t, frame({ cvv: '123' }), `payload.cvv: ${NAME}`)
  for (const payload of [
    { ccv: '318' }, { verification_value: '123' }, { card_code: '123' }, { creditCardCvv: '123' }, { security_code: '123' }, { codigoSeguridad: '123' }, { codigo_seguranca: '123' }, { cvd: '123' }, { 'cc-csc': '123' }, { 'payment.card.cvv': '123' }
  ]) refuses(t, frame(payload), `payload.${Object.keys(payload)[0]!}: ${NAME}`)
  refuses(t, frame({ a: [{ card: { Card_Number: null } }] }), `payload.a.card.Card_Number: ${NAME}`)
  refuses(t, frame({}, { extra: { cvc: 1 } }), `extra.cvc: ${NAME}`)
  refuses(t, frame({ [VISA]: { cvv: 1 } }), `payload.[hidden].cvv: ${NAME}`)
  refuses(t, frame({ before: { deep: 1 }, cvv: 1, after: { pan: 1 }, note: VISA }), `payload.cvv: ${NAME}`)
  refuses(t, frame({ cvv: 1 }, { type: 'toString' }), `payload.cvv: ${NAME}`)
  t.strictSame((decode(frame({ cvv: 1 })) as RefusedFrame).failure.details, [{ key: 'payload.cvv', rule: NAME }])
  t.match(fromBackend({ cvv: '123' }), { failure: { code: 'SENSITIVE_DATA' } }, 'from a backend, too')
})

t.test('the number of a card object is refused, unless it is masked already', async (t) => {
  for (const number of [VISA, SPACED, Number(VISA), '4111111111111112', '４１１１１１１１１１１１１１１１']) refuses(t, frame({ card: { number, expiry: '12/30' } }), `payload.card.number: ${NAME}`)
  for (const key of ['creditCard', 'cartao', 'card_details']) refuses(t, frame({ payment: { [key]: { number: VISA, exp_month: 12 } } }), `payload.payment.${key}.number: ${NAME}`)
  t.match(fromBackend({ card: { number: VISA, expiry: '12/30' } }), { failure: { code: 'SENSITIVE_DATA' } })
  carries(t, { card: { number: MASKED, expiry: '12/30', brand: 'visa' } })
  carries(t, { order: { number: '4111111111111112', expiry: '12/30' } })
})

t.test('a postal code under `pin` and an invoice code under `csc` are carried, a code of three or four digits is not', async (t) => {
  for (const payload of [{ pin: '560001' }, { csc: '000001' }, { pin: 560001 }, { address: { pin: '560001' } }, { csc: 'A1B2C3D4E5F6G7H8' }, { pin: null }, { pin: 'ok' }]) carries(t, payload)
  for (const key of ['pin', 'csc', 'cid']) {
    for (const value of ['123', '1234', 123]) refuses(t, frame({ [key]: value }), `payload.${key}: ${NAME}`)
    carries(t, { [key]: '1234', note: 'pickup' }, fromBackend({ [key]: '1234', note: 'pickup' }))
    t.match(fromBackend({ [key]: '123', card: { brand: 'visa' } }), { failure: { code: 'SENSITIVE_DATA' } }, 'beside a key of a card')
    t.match(fromBackend({ method: 'credit_card', [key]: '123' }), { failure: { code: 'SENSITIVE_DATA' } }, 'beside a card in a text')
  }
})

t.test('an identifier is carried from a device and from a backend', async (t) => {
  for (const payload of [
    { transactionId: VISA }, { orderId: VISA }, { order_number: VISA }, { paymentId: `pay_${VISA}` }, { roomId: VISA }, { deviceId: VISA }, { card_id: VISA }, { order: { id: Number(VISA) } }, { orderIds: [VISA] }, { note: `pay_${VISA}` },
    { error: `Cartão recusado. Pedido ${VISA}` }, { note: `I typed ${VISA}` }, { iban: 'DE89370400440532013000' }, { note: 'DE89 3704 0044 0532 0130 00' }
  ]) {
    carries(t, payload)
    carries(t, payload, fromBackend(payload))
  }
  t.match(decode(frame({}, { id: VISA })), { id: VISA, payload: { roomId: 'r' } })
  for (const payload of [{ note: VISA }, { note: Number(VISA) }, { [VISA]: 1 }, { transactionId: VISA, card: { brand: 'visa', last4: '1111', expiry: '12/30' } }, { note: `paid ${VISA}`, expiry: '12/30' }]) carries(t, payload, fromBackend(payload))
})

t.test('a text with a card number is masked, and the event is carried', async (t) => {
  for (const text of [
    SPACED, VISA, '4111.1111.1111.1111', '4111/1111/1111/1111', '4111\t1111\t1111\t1111', '4111,1111,1111,1111', '41111111,11111111', '４１１１１１１１１１１１１１１１', [...VISA].join('\u200b'), '4.111111111111111e15'
  ]) masks(t, { note: text }, { note: MASKED })
  masks(t, { note: `paid with ${SPACED}.` }, { note: `paid with ${MASKED}.` })
  masks(t, { error: `My card ${VISA} was declined` }, { error: `My card ${MASKED} was declined` })
  masks(t, { note: `${VISA} 123` }, { note: `${MASKED} ***` })
  masks(t, { note: `Cartão ${SPACED} 12/30, CVV: 123; código de segurança 1234.` }, { note: `Cartão ${MASKED} 12/30, CVV: ***; código de segurança ***.` })
  masks(t, { note: `cvc 987, cartão ${VISA}, 2028-12-01, pedido 12` }, { note: `cvc ***, cartão ${MASKED}, 2028-12-01, pedido 12` })
  masks(t, { note: `I typed ${VISA} 12/30` }, { note: `I typed ${MASKED} 12/30` })
  masks(t, { note: `I typed ${VISA}`, validade: '12/30' }, { note: `I typed ${MASKED}`, validade: '12/30' })
  masks(t, { card: VISA, cards: [{ a: VISA }] }, { card: MASKED, cards: [{ a: MASKED }] })
  masks(t, { a: { b: ['x', [Number(VISA), -Number(VISA)]] } }, { a: { b: ['x', [MASKED, MASKED]] } })
  masks(t, { transactionId: SPACED }, { transactionId: MASKED })
  masks(t, { note: `a card: ${SPACED}`, more: [`${SPACED}; ${SPACED}`, 'no'] }, { note: `a card: ${MASKED}`, more: [`${MASKED}; ${MASKED}`, 'no'] })
  for (const payload of [{ note: SPACED }, { note: `card ${VISA}` }, { card: VISA }, { cartao: { note: Number(VISA) } }]) t.match(fromBackend(payload), { redacted: true })
  t.match(decode(frame({ fields: ['name', VISA] }, { type: 'DATA_FILLED' })), { payload: { fields: ['name', MASKED] }, redacted: true })
})

t.test('a number at a place that cannot be masked is refused', async (t) => {
  refuses(t, frame({ roomId: '4111-1111-1111-1111' }), `payload.roomId: ${NUMBER}`)
  refuses(t, frame({ deviceId: `phone ${SPACED}` }), `payload.deviceId: ${NUMBER}`)
  refuses(t, frame({ [SPACED]: 1 }), `payload.[hidden]: ${NUMBER}`)
  refuses(t, frame({ [VISA]: 1 }), `payload.[hidden]: ${NUMBER}`)
  refuses(t, frame({}, { id: SPACED }), `id: ${NUMBER}`)
  refuses(t, frame({}, { type: VISA }), `type: ${NUMBER}`)
  refuses(t, frame({ amount: 4222222222222 }, { type: 'PAYMENT_SUCCESS' }), `payload.amount: ${NUMBER}`)
  refuses(t, frame({ recover: { epoch: 'e', seq: 4222222222222 } }, { type: 'JOIN_ROOM' }), `payload.recover.seq: ${NUMBER}`)
  refuses(t, frame({ note: SPACED, roomId: '4111.1111.1111.1111' }), `payload.roomId: ${NUMBER}`)
})

t.test('another error of a frame comes first, without card data', async (t) => {
  refuses(t, frame({ note: VISA, roomId: '/', deviceId: 5 }), 'payload.roomId: ', 'INVALID_FRAME')
  refuses(t, JSON.stringify({ payload: VISA }), 'type: must be a string', 'INVALID_FRAME')
  const deep = '['.repeat(9) + ']'.repeat(9)
  refuses(t, frame({ cvv: VISA, deep: 0 }).replace('"deep":0', `"deep":${deep}`), 'The JSON is nested more than 8 levels deep.', 'TOO_DEEP')
  refuses(t, frame({ [VISA]: 0 }).replace(':0', ':1e400'), 'payload.[hidden]: expected a finite number', 'INVALID_FRAME')
  refuses(t, frame({ note: VISA, [SPACED]: ['x'.repeat(2049)] }), 'payload.[hidden]: expected at most 2048 characters', 'INVALID_FRAME')
  refuses(t, frame({ note: VISA + 'x'.repeat(2048) }), 'payload.note: expected at most 2048 characters', 'INVALID_FRAME')
  refuses(t, frame({ note: VISA, keys: Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`k${i}`, i])) }), 'The JSON contains more than 64 keys.', 'INVALID_FRAME')
  refuses(t, frame({ note: VISA, items: Array(257).fill(0) }), 'The JSON contains more than 256 array items.', 'INVALID_FRAME')
  refuses(t, frame({ [VISA + 'x'.repeat(2048)]: 1 }), 'The JSON contains a key that is longer than 2048 characters or has a lone surrogate.', 'INVALID_FRAME')
  refuses(t, frame({ note: VISA, evil: 0 }).replace('"evil"', '"__proto__"'), 'The JSON contains a forbidden key.', 'FORBIDDEN_KEY')
  refuses(t, `["${VISA}"]`, 'The message must be a JSON object.', 'INVALID_FRAME')
  refuses(t, VISA, 'The message must be a JSON object.', 'INVALID_FRAME')
  refuses(t, '{"id":{"4111":{"1111":{"1111":{"1111":1e-400}}}}}', '[hidden]: this number cannot be carried exactly; send it as text', 'INVALID_FRAME')
  refuses(t, '{"id":{"6292674944142140376":9007199254740992}}', 'id.[hidden]: this number cannot be carried exactly; send it as text', 'INVALID_FRAME')
  refuses(t, `{"a":"${VISA}"`, 'The JSON could not be parsed.', 'INVALID_JSON')
})

t.test('the names of documented fields are not card data', async (t) => {
  const fields = ['cvv', 'cardNumber', 'pin']
  t.strictSame((decode(frame({ fields }, { type: 'DATA_FILLED' })) as ClientFrame).payload.fields, fields)
  t.notOk('failure' in decode(frame({ method: 'pan', note: 'cvv' }, { type: 'PAYMENT_METHOD_CHANGED' })))
})

t.test('the refusal names the id of its frame, unless the id contains a card number', async (t) => {
  t.equal((decode(frame({ cvv: 1 }, { id: 'a' })) as RefusedFrame).id, 'a')
  for (const payload of [{}, { cvv: 1 }, { roomId: '/' }]) t.notOk('id' in decode(frame(payload, { id: SPACED })))
})

t.test('no identifier is refused or masked, of whichever kind and at whichever place', async (t) => {
  for (const [name, kind] of Object.entries(IDENTIFIERS)) {
    const random = seeded(7)
    const outcomes = { carried: 0, masked: 0, refused: 0 }
    for (let i = 0; i < 3000; i++) outcomes[outcomeOf(drawIdentifier(kind, random, i))]++
    t.strictSame(outcomes, { carried: 3000, masked: 0, refused: 0 }, name)
  }
})

t.test('no card number with evidence is carried as it is', async (t) => {
  for (const [evidence, sample] of Object.entries({ ...EVIDENCE, ...ALONE })) {
    const writings = evidence in ALONE ? GROUPED : { ...BARE, ...GROUPED }
    const random = seeded(7)
    let carried = 0
    for (const write of Object.values(writings)) {
      for (let i = 0; i < 100; i++) if (outcomeOf(sample(write(drawCard(random)), random)) === 'carried') carried++
    }
    t.equal(carried, 0, evidence)
  }
})

t.test('a refusal of any JSON repeats no card number, and a masked frame holds none', async () => {
  const part = fc.oneof(fc.string(), fc.integer({ min: 1 }).map((seed) => drawCard(seeded(seed))), fc.constantFrom('cvv', 'type', 'payload', 'id', 'roomId', 'CLICKED_PAY', SPACED, `my card is ${VISA}`))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, part, fc.double(), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(part, tie('value'), { maxKeys: 4 }))
  }))
  fc.assert(fc.property(fc.record({ type: value, payload: value, id: value, [SPACED]: value }, { requiredKeys: [] }), (value) => {
    const result = decode(JSON.stringify(value))
    return !('failure' in result) || !holdsCardNumber(JSON.stringify([result.failure, result.failure.message, result.id]))
  }), { numRuns: 2000 })
  fc.assert(fc.property(fc.record({ note: part, more: fc.array(part) }), (payload) => {
    const result = decode(frame(payload)) as ClientFrame
    return !('redacted' in result) || [result.payload.note, ...result.payload.more as string[]].every((text) => cardNumbersIn(text as string).every(({ form }) => form !== 'grouped'))
  }), { numRuns: 2000 })
})
