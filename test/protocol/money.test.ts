// Money: the digits and currencies that are accepted, and the conversion to minor units and back.
import fc from 'fast-check'
import t from 'tap'
import { decodeFrame } from '../../src/protocol/decode.js'
import { currencyDigits, fromMinorUnits, moneyFault, toMinorUnits } from '../../src/protocol/money.js'

t.test('currencies are those of Intl, in either case, with the decimals of ISO 4217', async (t) => {
  for (const [code, digits] of [['BRL', 2], ['brl', 2], ['JPY', 0], ['CLP', 0], ['KWD', 3], ['HUF', 2], ['IDR', 2], ['IQD', 3]] as const) t.equal(currencyDigits(code), digits, code)
  for (const code of ['ABC', 'QQQ', '', 'toString']) t.equal(currencyDigits(code), undefined, code)
})

t.test('an amount has no more decimals than its currency, and at most 15 significant digits', async (t) => {
  for (const [amount, currency, fault] of [
    [500, 'JPY', undefined], ['500.0', 'jpy', undefined], [500.5, 'JPY', 'amount'], ['500.5', 'JPY', 'amount'], [10.555, 'KWD', undefined], [10.5555, 'KWD', 'amount'],
    ['99.90', 'brl', undefined], [99.9, 'BRL', undefined], [0.1 + 0.2, 'BRL', 'amount'], [1e-7, 'BRL', 'amount'], [1e21, 'BRL', undefined],
    ['123456789012345', 'JPY', undefined], ['1234567890123.45', 'BRL', undefined], ['1234567890123456', undefined, 'amount'], ['12345678901234.567', 'KWD', 'amount'],
    ['000000000000099', 'BRL', undefined], [1, 'ABC', 'currency'], [undefined, 'XYZ', 'currency'], [undefined, undefined, undefined], [0.1 + 0.2, undefined, undefined]
  ] as const) {
    t.equal(moneyFault({ amount, currency })?.key, fault, `${amount} ${currency}`)
    const frame = Buffer.from(JSON.stringify({ type: 'PAYMENT_SUCCESS', payload: { roomId: 'r', amount, currency } }))
    t.equal('failure' in decodeFrame(frame), fault !== undefined, `${frame} over a socket`)
    t.equal('failure' in decodeFrame(Buffer.from(` ${frame}`)), fault !== undefined, `${frame} in the general decoder`)
  }
})

t.test('in an event without money, amount and currency are keys like any other', async (t) => {
  for (const space of ['', ' ']) {
    const frame = `${space}{"type":"CLICKED_PAY","payload":{"roomId":"r","amount":"1,5","currency":"points","total":0.30000000000000004}}`
    t.match(decodeFrame(Buffer.from(frame)), { type: 'CLICKED_PAY', payload: { amount: '1,5', currency: 'points' } }, frame)
  }
})

t.test('an amount and its minor units are the same money', async (t) => {
  for (const [amount, currency, minor] of [[99.9, 'BRL', 9990], ['99.90', 'BRL', 9990], [4.35, 'EUR', 435], ['8.41', undefined, 841], [1500, 'JPY', 1500], ['1.005', 'KWD', 1005], [1e-7, 'BRL', 0]] as const) {
    t.equal(toMinorUnits(amount, currency), minor, `${amount} ${currency}`)
  }
  fc.assert(fc.property(fc.nat({ max: 1e14 }), fc.constantFrom('BRL', 'JPY', 'KWD'), (minor, currency) => toMinorUnits(fromMinorUnits(minor, currency), currency) === minor))
})
