// Guard against card data: refused keys and numbers, accepted look-alikes, and refusals that repeat no card data.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { BRANDS, holdsCardNumber, isCardNumber, isCardDataKey } from '../../src/protocol/card-data.js'
import type { ClientFrame, RefusedFrame } from '../../src/protocol/decode.js'
import { seeded } from '../seeded.js'
import { decode } from './frames.js'
import { LENGTHS, numericIds, shareRefused } from './numeric-ids.js'

/** Test numbers published by the brands and the payment providers. */
const CARDS: Record<string, string[]> = {
  Visa: ['4111111111111111', '4012888888881881', '4242424242424242', '4222222222222', '4000000000000000006'],
  Mastercard: ['5555555555554444', '5105105105105100', '2223003122003222', '2720990000000007'],
  'American Express': ['378282246310005', '371449635398431', '341111111111111'],
  'Diners Club': ['30569309025904', '38520000023237', '36227206271667', '3056930009020004'],
  Discover: ['6011111111111117', '6011000990139424', '6445644564456445', '6510000000000000010'],
  JCB: ['3530111333300000', '3566002020360505'],
  UnionPay: ['6200000000000005', '6205500000000000004', '8171999900000000021'],
  Maestro: ['6759649826438453', '6799990100000000019', '5018000000000009', '6304000000000000', '5020620000000000'],
  Elo: ['6362970000457013', '5066991111111118', '6509123456789018', '4514160000000003'],
  Hipercard: ['6062825624254001', '6062826786276634']
}
const VISA = '4111111111111111'

const luhn = (digits: string) => [...digits].reverse().reduce((sum, digit, i) => sum + (i % 2 === 0 ? Number(digit) : [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][Number(digit)]!), 0) % 10
const withCheckDigit = (digits: string) => digits + String((10 - luhn(digits + '0')) % 10)

t.test('the well-known numbers of every brand are found in any notation', async (t) => {
  for (const [brand, numbers] of Object.entries(CARDS)) {
    for (const number of numbers) {
      t.equal(luhn(number), 0)
      const fours = number.replace(/\d{4}(?=\d)/g, '$& ')
      for (const text of [
        number, fours, fours.replaceAll(' ', '-'), [...number].join(' '), `${number.slice(0, 4)}-${number.slice(4, 10)} ${number.slice(10)}`, fours.replaceAll(' ', '\u00a0'),
        `my card is ${number}, thanks`, `(${fours})`, `card${number}x`, `número:${fours}.`, `\n${number}\n`, `${'x'.repeat(2000)}${fours}`, `${number}  12`, `1  ${number}`
      ]) t.ok(holdsCardNumber(text), `${brand}: ${text.slice(-60)}`)
      if (Number.isSafeInteger(Number(number))) t.ok(isCardNumber(Number(number)), `${brand}: ${number} as a number`)
    }
  }
})

t.test('among other numbers a card number is found in one piece, or in the groups that cards have', async (t) => {
  for (const text of [
    'order 12 4111 1111 1111 1111', '12\u00a04111\u00a01111\u00a01111\u00a01111', '4111 1111 1111 1111 123 12 30', '4111111111111111 123', '12-4111111111111111-30', '4111-1111-1111-1111 2028-12-01', '7 3782 822463 10005 1',
    '99 3056 930902 5904', '11 4222 222 222 222', '123456789012345678901234 4111 1111 1111 1111', '1705312200000 4111 1111 1111 1111', '4111111111111111-1705312200000',
    `1 ${withCheckDigit('62000000000000000')} 1`, `1 ${withCheckDigit('622126000000000000').replace(/^.{6}/, '$& ')} 1`, `1 ${withCheckDigit('400000000000000000').replace(/\d{4}(?=\d)/g, '$& ')} 1`,
    `${'1 '.repeat(900)}4111 1111 1111 1111`, '4111  1111 4111 1111 1111 1111', '550e8400-e29b-41d4-a716-446655440000 4111111111111111', '0.5 4111111111111111'
  ]) t.ok(holdsCardNumber(text), text.slice(-60))
  t.notOk(holdsCardNumber('12 41111 11111 111111'), 'other groups among other numbers are not')
})

t.test('near misses are accepted', async (t) => {
  for (const text of [
    '4111111111111112', '4111111111111101', '1411111111111111', '411111111111111', '41111111111111111', `${VISA}0`, `0${VISA}`, '4111  1111  1111  1111', '4111 - 1111 - 1111 - 1111',
    '4111.1111.1111.1111', '4111_1111_1111_1111', '4111a111111111111', '4111 1111 1111', '0000000000000000', withCheckDigit('999999999999999'), withCheckDigit('222099999999999'),
    withCheckDigit('272100000000000'), withCheckDigit('34111111111111').slice(1), `${VISA}${VISA}`, VISA.replace('1', '１'), '', ' ', '-'.repeat(2048), '1'.repeat(2048)
  ]) t.notOk(holdsCardNumber(text), text.slice(0, 60))
  t.ok(holdsCardNumber(withCheckDigit('222100000000000')) && holdsCardNumber(withCheckDigit('272099999999999')), 'the bounds belong to the range')
  for (const value of [4111111111111112, 411111111111, 0, -1, 4111111111111.5, NaN, Infinity, 1e300, Number('6205500000000000004')]) t.notOk(isCardNumber(value), String(value))
  t.ok(isCardNumber(-4111111111111111))
})

t.test('other common texts with many digits are accepted', async (t) => {
  for (const text of [
    '3f2504e0-4f89-41d3-9a0c-0305e82c3301', '41111111-1111-4111-8111-111111111111', 'device-4ba41111-1111-1111-1111-1111aa82c330', `sha256:${'4111111111111111a'.repeat(3)}`,
    `0x${VISA}abcdef01`, '507f1f77bcf86cd799439011', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '2024-01-15T10:30:00.000Z', '2024-01-15 10:30:00', '20240115103000',
    '1705312200000', '1705312200000000', '1705312200000000000', '412-1705312200000', '1705312200000-412', '41-1705312200', '0.4111111111111111', 'dev_0.4111111111111111',
    '+55 11 91234-5678', '5511912345678', '(41) 91234-5678', '41 91234-5678 41 98765-4321', '0800 123 4567', '11.222.333/0001-81', '11222333000181', '123.456.789-09', '12345678909',
    // Boleto: the typed line with its dots, the same in one piece, and the bar code.
    '23793.38128 60007.827136 95000.063305 9 75520000370000', '34191.79001 01043.510047 91020.150008 5 84410026000', '23793381286000782713695000063305975520000370000',
    '23799755200003700003381260007827139500006330', '34191790010104351004791020150008684410026000',
    // Pix copy and paste: a random key, a phone, a tax number, an e-mail, a location of a dynamic code; the last with a txid of digits that passes for UnionPay.
    '00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D',
    '00020126360014br.gov.bcb.pix0114+5511912345678520400005303986540510.005802BR5913FULANO DE TAL6009SAO PAULO62070503***6304ABCD',
    '00020126360014BR.GOV.BCB.PIX01141122233300018152040000530398654041.005802BR5913FULANO DE TAL6008CURITIBA62130509PEDIDO1236304A13F',
    '00020126440014br.gov.bcb.pix0122fulano2019@example.com5204000053039865802BR5913FULANO DE TAL6008BRASILIA62070503***6304AD38',
    '00020101021226700014br.gov.bcb.pix2548pix.example.com/qr/v2/9d36b84fc70b478fb95c12729b90ca255204000053039865802BR5913FULANO DE TAL6008BRASILIA62070503***63040A1B',
    `00020126330014br.gov.bcb.pix0111123456789095204000053039865802BR5913Fulano de Tal6008BRASILIA${withCheckDigit('62070503123630')}A`,
    ...Array.from({ length: 1000 }, (_, i) => `00020126330014br.gov.bcb.pix0111123456789095204000053039865802BR5913Fulano de Tal6008BRASILIA62070503${100 + i % 900}6304${1000 + i}`)
  ]) t.notOk(holdsCardNumber(text), text)
})

t.test('a few look-alikes collide and are refused, as one in ten of their kind is', async (t) => {
  // A CNPJ without its dots that begins like Diners (30–39), a phone number with too many digits, an id of sixteen digits.
  for (const text of [withCheckDigit('3622233300018'), withCheckDigit('620119123456781'), withCheckDigit('400000000012345')]) t.ok(holdsCardNumber(text), text)
})

t.test('random ids with letters are never taken for a card number', async (t) => {
  const random = seeded(5)
  const draw = (alphabet: string, length: number) => Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
  const count = { uuid: 0, hex: 0, base64url: 0, fraction: 0 }
  for (let i = 0; i < 100_000; i++) {
    const hex = draw('0123456789abcdef', 32)
    if (holdsCardNumber(hex)) count.hex++
    if (holdsCardNumber(`${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`)) count.uuid++
    if (holdsCardNumber(draw('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', 22))) count.base64url++
    if (holdsCardNumber(`device ${Math.random()}`)) count.fraction++
  }
  t.strictSame(count, { uuid: 0, hex: 0, base64url: 0, fraction: 0 })
})

t.test('times are never taken for a card number, alone or with a counter', async (t) => {
  let refused = 0
  for (let i = 0; i < 100_000; i++) {
    const ms = 1_705_312_200_000 + i * 7919
    for (const id of [`${ms}`, `${ms}${i % 1000}`, `${ms}-${i}`, `${i}-${ms}`, `pay ${i} ${ms}`, `${ms}000000`]) if (holdsCardNumber(id) || isCardNumber(Number(id))) refused++
  }
  t.equal(refused, 0)
})

t.test('random numeric ids are refused at most as often as the documentation states', async (t) => {
  // Percent, of a million with as many digits as most cards have, and of a hundred thousand of each other length; the bench takes a million
  // of each. The rest follows from the check digit (one in ten) and the share of the issuers' ranges.
  const bounds: Record<number, number> = { 13: 1.2, 14: 0.5, 15: 0.3, 16: 3.8, 17: 1, 18: 1.5, 19: 2.6 }
  for (const digits of LENGTHS) {
    const percent = shareRefused(digits, digits === 16 ? 1_000_000 : 100_000, digits) * 100
    t.comment(`${digits} digits: ${percent.toFixed(3)} % refused`)
    t.ok(percent <= (bounds[digits] ?? 0), `${digits} digits: at most ${bounds[digits] ?? 0} %`)
  }
  t.not(numericIds(16, 1)(), numericIds(16, 2)())
})

t.test('keys that name card data are refused in any spelling', async (t) => {
  for (const key of [
    'cvv', 'cvv2', 'CVV', 'cvc', 'CVC2', 'csc', 'cvn', 'cav2', 'c_v_v', ' cvv ', 'cardCvv', 'card_cvc', 'cvvCode', 'cvv-value', 'securityCode', 'SECURITY_CODE', 'card security code',
    'cardVerificationValue', 'codigoSeguranca', 'código de segurança', 'Código_Segurança_Cartão', 'codSeguranca', 'cvvCartao',
    'pan', 'PAN', 'cardPan', 'fullPan', 'primaryAccountNumber', 'cardNumber', 'card_number', 'card-number', 'CARDNUMBER', 'card number', 'cardNo', 'cardNum', 'ccNumber', 'creditCardNumber',
    'numeroCartao', 'numero_do_cartao', 'número do cartão', 'nu\u0301mero do carta\u0303o', 'NÚMERO DO CARTÃO', 'numCartao', 'nrCartao', 'numeroCartaoCredito', 'numero do cartão de débito',
    'track1', 'track2', 'Track_2', 'trackData', 'track2Data', 'track2EquivalentData', 'magStripe', 'magneticStripeData', 'pin', 'PIN', 'pinBlock', 'pin_block', 'cardPin', 'encryptedPinBlock', 'senhaCartao', 'senha do cartão'
  ]) t.ok(isCardDataKey(key, true), key)
  for (const key of [
    'pinned', 'company', 'spanish', 'shipping', 'opinion', 'spin', 'pins', 'pinCode', 'expand', 'span', 'panel', 'pandas', 'card', 'cards', 'cardBrand', 'cardHolder', 'cardLast4', 'number', 'numero',
    'accountNumber', 'orderNumber', 'code', 'codigo', 'verificationCode', 'security', 'track', 'trackId', 'tracking', 'trackingNumber', 'description', 'cvs', 'recover', 'cidade', 'acid', 'type', 'payload', 'roomId',
    'maskedPan', 'panToken', 'cvvValid', 'p', '', ' ', '_'.repeat(2048), `cvv${'_'.repeat(64)}`
  ]) t.notOk(isCardDataKey(key, true), key.slice(0, 60))
  for (const value of ['123', '1234']) t.ok(isCardDataKey('cid', value) && isCardDataKey('C_ID', value), `cid ${value}`)
  for (const value of ['12', '12345', 'abc', 123, null, {}, 'GA1.2.3']) t.notOk(isCardDataKey('cid', value), `cid ${JSON.stringify(value)}`)
  for (let i = 0; i < 2000; i++) isCardDataKey(`key ${i}`, i)
  t.ok(isCardDataKey('cvv', 1) && !isCardDataKey('another key', 1), 'after many other keys too')
})

const frame = (payload: object, top: object = {}) => JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: 'r', ...payload }, ...top })
const SPACED = '4111 1111 1111 1111'

function refuses (t: Test, text: string, message: string, code = 'SENSITIVE_DATA'): void {
  const result = decode(text) as RefusedFrame
  t.match(result.failure, { code, message, retryable: false, status: 400 }, text.slice(0, 80))
  t.notMatch(JSON.stringify(result), /4111/, 'the refusal repeats no card data')
}

t.test('a frame with card data is refused, and the error names its place', async (t) => {
  const number = 'contains what looks like a card number, which is not accepted'
  const name = 'names card data, which is not accepted'
  refuses(t, frame({ cvv: '123' }), `payload.cvv: ${name}`)
  refuses(t, frame({ a: [{ card: { Card_Number: null } }] }), `payload.a.card.Card_Number: ${name}`)
  refuses(t, frame({}, { extra: { pin: 1 } }), `extra.pin: ${name}`)
  refuses(t, frame({ transactionId: VISA, amount: 1 }, { type: 'PAYMENT_SUCCESS' }), `payload.transactionId: ${number}`)
  refuses(t, frame({ note: `paid with ${SPACED}` }), `payload.note: ${number}`)
  refuses(t, frame({ roomId: VISA }), `payload.roomId: ${number}`)
  refuses(t, frame({ deviceId: `phone ${VISA}` }), `payload.deviceId: ${number}`)
  refuses(t, frame({ a: { b: ['x', [Number(VISA)]] } }), `payload.a.b: ${number}`)
  refuses(t, frame({ fields: ['name', SPACED] }, { type: 'DATA_FILLED' }), `payload.fields: ${number}`)
  refuses(t, frame({ [SPACED]: 1 }), `payload.[hidden]: ${number}`)
  refuses(t, frame({ [VISA]: { cvv: 1 } }), `payload.[hidden]: ${number}`)
  refuses(t, frame({ before: { deep: 1 }, cvv: 1, after: { pan: 1 }, note: VISA }), `payload.cvv: ${name}`)
  refuses(t, frame({}, { id: VISA }), `id: ${number}`)
  refuses(t, frame({}, { type: VISA }), `type: ${number}`)
  refuses(t, frame({ cvv: 1 }, { type: 'toString' }), `payload.cvv: ${name}`)
  refuses(t, frame({ note: VISA, roomId: '/', deviceId: 5 }), `payload.note: ${number}`)
  refuses(t, JSON.stringify({ payload: VISA }), `payload: ${number}`)
  t.strictSame((decode(frame({ cvv: 1 })) as RefusedFrame).failure.details, [{ key: 'payload.cvv', rule: name }])
})

t.test('the names of documented fields are not card data', async (t) => {
  const fields = ['cvv', 'cardNumber', 'pin']
  t.strictSame((decode(frame({ fields }, { type: 'DATA_FILLED' })) as ClientFrame).payload.fields, fields)
  t.notOk('failure' in decode(frame({ method: 'pan', note: 'cvv' }, { type: 'PAYMENT_METHOD_CHANGED' })))
})

t.test('a frame that exceeds a bound is refused with that bound, without card data', async (t) => {
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
  refuses(t, `{"a":"${VISA}"`, 'The JSON could not be parsed.', 'INVALID_JSON')
})

t.test('the refusal names the id of its frame, unless the id contains a card number', async (t) => {
  t.equal((decode(frame({ cvv: 1 }, { id: 'a' })) as RefusedFrame).id, 'a')
  for (const payload of [{}, { cvv: 1 }, { roomId: '/' }]) t.notOk('id' in decode(frame(payload, { id: SPACED })))
})

const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`))
const between = (first: string, last: string) => fc.integer({ min: Number(first), max: Number(last) }).map(String)
/** Generates a number that some brand may have issued. */
const card = fc.oneof(...BRANDS.flatMap(([, prefixes, lengths]) => prefixes.split(' ').flatMap((range) => lengths.map((length) => {
  const [first, last = first] = range.split('-') as [string, string?]
  return fc.tuple(between(first, last), digits(length - 1 - first.length)).map(([prefix, rest]) => withCheckDigit(prefix + rest))
}))))
/** Cuts digits into groups. */
const grouped = (number: string) => fc.tuple(fc.array(fc.integer({ min: 1, max: 18 }), { maxLength: 18 }), fc.constantFrom(' ', '-', '\u00a0')).map(([sizes, separator]) => {
  const groups: string[] = []
  let rest = number
  for (const size of sizes) {
    groups.push(rest.slice(0, size))
    rest = rest.slice(size)
  }
  return [...groups, rest].filter(Boolean).join(separator)
})
const hasTime = (text: string) => text.split(/\D/).some((group) => /^1[5-9]\d{8}(\d{3})?$/.test(group))
const prose = fc.string({ unit: fc.constantFrom(...'ghxyz .,:/\n  é€'), maxLength: 60 }).map((text) => `${text}x`)

t.test('every valid number of every brand is found, in any grouping and at any place in a text', async () => {
  fc.assert(fc.property(card.chain(grouped).filter((text) => !hasTime(text)), prose, prose, (number, before, after) =>
    holdsCardNumber(number) && holdsCardNumber(before + number + after.split('').reverse().join(''))), { numRuns: 5000 })
  fc.assert(fc.property(card.map(Number).filter(Number.isSafeInteger), isCardNumber), { numRuns: 1000 })
})

t.test('a number that fails the check digit is not found', async () => {
  const anyWrong = fc.oneof(...LENGTHS.map(digits)).filter((number) => luhn(number) !== 0)
  const oneOff = fc.tuple(card, fc.integer({ min: 1, max: 9 })).map(([number, off]) => number.slice(0, -1) + String((Number(number.at(-1)) + off) % 10))
  fc.assert(fc.property(fc.oneof(anyWrong, oneOff), prose, (number, before) =>
    !holdsCardNumber(number) && !holdsCardNumber(before + number) && (!Number.isSafeInteger(Number(number)) || !isCardNumber(Number(number)))), { numRuns: 5000 })
})

t.test('any text is either card data or not, and a refusal of any JSON repeats no card number', async () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'0123456789 -\u00a0a.'), maxLength: 200 }), fc.anything(), (text, value) =>
    typeof holdsCardNumber(text) === 'boolean' && typeof isCardDataKey(text, value) === 'boolean'), { numRuns: 3000 })
  const part = fc.oneof(fc.string(), card.chain(grouped), fc.constantFrom('cvv', 'type', 'payload', 'id', 'roomId', 'CLICKED_PAY'))
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, part, card.map(Number), fc.double(), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(part, tie('value'), { maxKeys: 4 }))
  }))
  fc.assert(fc.property(fc.record({ type: value, payload: value, id: value, [SPACED]: value }, { requiredKeys: [] }), (value) => {
    const result = decode(JSON.stringify(value))
    return !('failure' in result) || !holdsCardNumber(JSON.stringify([result.failure, result.failure.message, result.id]))
  }), { numRuns: 3000 })
})
