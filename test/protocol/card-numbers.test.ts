// Card numbers in texts and numbers: every brand in every writing is found, in its form, and look-alikes are not.
import fc from 'fast-check'
import t from 'tap'
import { BRANDS } from '../../src/protocol/card-brands.js'
import { cardNumbersIn, holdsCardNumber, isCardNumber, maskNumbers } from '../../src/protocol/card-numbers.js'
import { seeded } from '../seeded.js'

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
const SPACED = '4111 1111 1111 1111'
const holds = (text: string) => cardNumbersIn(text).length > 0

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
      ]) t.ok(holds(text), `${brand}: ${text.slice(-60)}`)
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
  ]) t.ok(holds(text), text.slice(-60))
  t.strictSame(cardNumbersIn('12 41111 11111 111111').map(({ form }) => form), ['part'], 'other groups among other numbers are a part of them')
})

t.test('near misses are accepted', async (t) => {
  for (const text of [
    '4111111111111112', '4111111111111101', '1411111111111111', '411111111111111', '41111111111111111', `${VISA}0`, `0${VISA}`, '4111, 1111, 1111, 1111', '4111 -- 1111 -- 1111 -- 1111', '4111    1111 1111 1111',
    '4111:1111:1111:1111', '4111a111111111111', '4111 1111 1111', '0000000000000000', withCheckDigit('999999999999999'), withCheckDigit('222099999999999'),
    withCheckDigit('272100000000000'), withCheckDigit('34111111111111').slice(1), `${VISA}${VISA}`, '', ' ', '-'.repeat(2048), '1'.repeat(2048)
  ]) t.notOk(holds(text), text.slice(0, 60))
  t.ok(holds(withCheckDigit('222100000000000')) && holds(withCheckDigit('272099999999999')), 'the bounds belong to the range')
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
  ]) t.notOk(holds(text), text)
})

t.test('a few look-alikes collide and are refused, as one in ten of their kind is', async (t) => {
  // A CNPJ without its dots that begins like Diners (30–39), a phone number with too many digits, an id of sixteen digits.
  for (const text of [withCheckDigit('3622233300018'), withCheckDigit('620119123456781'), withCheckDigit('400000000012345')]) t.ok(holds(text), text)
})

t.test('random ids with letters are never taken for a card number', async (t) => {
  const random = seeded(5)
  const draw = (alphabet: string, length: number) => Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
  const count = { uuid: 0, hex: 0, base64url: 0, fraction: 0 }
  for (let i = 0; i < 100_000; i++) {
    const hex = draw('0123456789abcdef', 32)
    if (holds(hex)) count.hex++
    if (holds(`${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`)) count.uuid++
    if (holds(draw('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', 22))) count.base64url++
    if (holds(`device ${Math.random()}`)) count.fraction++
  }
  t.strictSame(count, { uuid: 0, hex: 0, base64url: 0, fraction: 0 })
})

t.test('times are never taken for a card number, alone or with a counter', async (t) => {
  let refused = 0
  for (let i = 0; i < 100_000; i++) {
    const ms = 1_705_312_200_000 + i * 7919
    for (const id of [`${ms}`, `${ms}${i % 1000}`, `${ms}-${i}`, `${i}-${ms}`, `pay ${i} ${ms}`, `${ms}000000`]) if (holds(id) || isCardNumber(Number(id))) refused++
  }
  t.equal(refused, 0)
})

t.test('a number has the form of its writing', async (t) => {
  const forms = (text: string) => cardNumbersIn(text).map(({ form, start, end }) => `${form} ${text.slice(start, end)}`)
  for (const text of [
    SPACED, '4111-1111-1111-1111', '4111.1111.1111.1111', '4111/1111/1111/1111', '4111\t1111\t1111\t1111', '4111,1111,1111,1111', '4111_1111_1111_1111', '4111\u00a01111\u00a01111\u00a01111',
    '4111 - 1111 - 1111 - 1111', '4111  1111  1111  1111', '４１１１ １１１１ １１１１ １１１１', '٤١١١ ١١١١ ١١١١ ١١١١', '𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏', '4111\u200b 1111\u200b 1111\u200b 1111', '4111–1111–1111–1111', '4111·1111·1111·1111',
    '3782 822463 10005', '3056 930902 5904', '4222 222 222 222', '6799 9901 0000 0000 019'
  ]) t.strictSame(forms(text), [`grouped ${text}`], text)
  for (const text of [
    VISA, '４１１１１１１１１１１１１１１１', [...VISA].join('\u200b'), [...VISA].join('\u2060'), [...VISA].join('\u00ad'), [...VISA].map((digit) => `${digit}\ufe0f\u20e3`).join('').replace(/\ufe0f\u20e3$/, ''),
    '41111111,11111111', '4.111.111.111.111.111', [...VISA].join(' '), '41111 11111 111111', '4111-1111 1111 1111', '41111.111111111.11'
  ]) t.strictSame(forms(text), [`bare ${text}`], JSON.stringify(text))
  for (const text of ['4.111111111111111e15', '4.111111111111111E+15', '4,111111111111111e15', '4111111111111111e0', '6.304000000000000e15']) t.ok(forms(text).some((form) => form.startsWith('bare')), text)
  for (const text of ['4111111111111111e12', '4.1111111111111112e15', '1.2e15']) t.notOk(forms(text).includes(`bare ${text}`), text)
})

t.test('groups of four that go on are a part of them: an IBAN, the key of an invoice', async (t) => {
  for (const text of [`1234 ${SPACED}`, `${SPACED} 1234`, `DE89 ${SPACED} 00`, `${SPACED} 3M02 606`, `4111 ${SPACED} 1111 1111`]) {
    t.ok(cardNumbersIn(text).every(({ form }) => form === 'part'), text)
  }
  for (const text of [`order 12 ${SPACED}`, `${SPACED} 123 12 30`, `${SPACED} 2028-12-01`, `12/2030 ${SPACED}`, `card ${SPACED}`, `1705312200000 ${SPACED}`, `${SPACED}, 1234`]) {
    t.ok(cardNumbersIn(text).some(({ form }) => form === 'grouped'), text)
  }
  t.strictSame(cardNumbersIn('VG96 VPVG 4012 3456 7890 1234'), [])
})

t.test('a masked number shows its first six and last four digits', async (t) => {
  for (const [text, masked] of [
    [VISA, '411111******1111'], [`a ${SPACED}, b ${SPACED}.`, 'a 411111******1111, b 411111******1111.'], ['4222222222222', '422222***2222'], [[...VISA].join('\u200b'), '411111******1111'],
    ['x４１１１ １１１１ １１１１ １１１１y', 'x411111******1111y'], ['4.111111111111111e15', '411111******1111']
  ] as const) {
    t.equal(maskNumbers(text, cardNumbersIn(text)), masked)
    t.strictSame(cardNumbersIn(masked), [])
  }
  t.equal(maskNumbers('none', []), 'none')
})

t.test('numbers that overlap are masked as one', async (t) => {
  const text = `1 ${SPACED} ${[...Array(900).keys()].map((rest) => String(rest + 100)).find((rest) => luhn(VISA + rest) === 0)!}`
  t.ok(cardNumbersIn(text).length > 1)
  t.match(maskNumbers(text, cardNumbersIn(text)), /^1 411111\*{9}1\d{3}$/)
})

t.test('the check of ASCII texts finds the same numbers', async () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'0123456789411111111 -.,/\te'), maxLength: 60 }), (text) => holdsCardNumber(text) === holds(text)), { numRuns: 3000 })
})

const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`))
const between = (first: string, last: string) => fc.integer({ min: Number(first), max: Number(last) }).map(String)
/** Generates a number that some brand may have issued. */
const card = fc.oneof(...BRANDS.flatMap(([, prefixes, lengths]) => prefixes.split(' ').flatMap((range) => lengths.map((length) => {
  const [first, last = first] = range.split('-') as [string, string?]
  return fc.tuple(between(first, last), digits(length - 1 - first.length)).map(([prefix, rest]) => withCheckDigit(prefix + rest))
}))))
/** Cuts digits into groups. */
const grouped = (number: string) => fc.tuple(fc.array(fc.integer({ min: 1, max: 18 }), { maxLength: 18 }), fc.constantFrom(' ', '-', '\u00a0', '.', '/', '\t', ',')).map(([sizes, separator]) => {
  const groups: string[] = []
  let rest = number
  for (const size of sizes) {
    groups.push(rest.slice(0, size))
    rest = rest.slice(size)
  }
  return [...groups, rest].filter(Boolean).join(separator)
})
const hasTime = (text: string) => text.split(/\D/).some((group) => /^1[5-9]\d{8}(\d{3})?$|^[0-3]\d[01]\d(19|20)\d\d[0-2]\d[0-5]\d[0-5]\d(\d{3})?$/.test(group))
const prose = fc.string({ unit: fc.constantFrom(...'ghxyz .,:/\n  é€'), maxLength: 60 }).map((text) => `${text}x`)

t.test('every valid number of every brand is found, in any grouping and at any place in a text', async () => {
  fc.assert(fc.property(card.chain(grouped).filter((text) => !hasTime(text)), prose, prose, (number, before, after) =>
    holds(number) && holds(before + number + after.split('').reverse().join(''))), { numRuns: 5000 })
  fc.assert(fc.property(card.filter((number) => !hasTime(number)).map(Number).filter(Number.isSafeInteger), isCardNumber), { numRuns: 1000 })
})

t.test('a number that fails the check digit is not found', async () => {
  const anyWrong = fc.oneof(...[13, 14, 15, 16, 17, 18, 19].map(digits)).filter((number) => luhn(number) !== 0)
  const oneOff = fc.tuple(card, fc.integer({ min: 1, max: 9 })).map(([number, off]) => number.slice(0, -1) + String((Number(number.at(-1)) + off) % 10))
  fc.assert(fc.property(fc.oneof(anyWrong, oneOff), prose, (number, before) =>
    !holds(number) && !holds(before + number) && (!Number.isSafeInteger(Number(number)) || !isCardNumber(Number(number)))), { numRuns: 5000 })
})

t.test('any text is searched', async () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'0123456789 -\u00a0a.e\u200b４𝟏'), maxLength: 200 }), (text) => {
    const numbers = cardNumbersIn(text)
    return numbers.every(({ start, end, digits }) => start >= 0 && start < end && end <= text.length && /^\d{13,19}$/.test(digits)) && typeof maskNumbers(text, numbers) === 'string'
  }), { numRuns: 3000 })
})
