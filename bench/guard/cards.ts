// Corpus of card numbers with corroboration: every brand, in every writing, with every kind of evidence that it is a card.
import { BRANDS } from '../../src/protocol/card-brands.js'
import { digits, pick } from './identifiers.js'
import type { Sample } from './outcome.js'

type Random = () => number

/** Draws a card number of any brand and length, with a valid check digit. */
export function drawCard (random: Random): string {
  const [, prefixes, lengths] = pick(random, BRANDS)
  const [first, last = first] = pick(random, prefixes.split(' ')).split('-') as [string, string?]
  const prefix = String(Number(first) + Math.floor(random() * (Number(last) - Number(first) + 1)))
  const body = prefix + digits(random, pick(random, lengths) - 1 - prefix.length)
  const sum = [...body].reverse().reduce((sum, digit, i) => sum + (i % 2 === 1 ? Number(digit) : [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][Number(digit)]!), 0)
  return body + String((10 - sum % 10) % 10)
}

/** Groups as printed, by the length of the number. */
const PRINTED: Record<number, readonly number[]> = {
  13: [4, 3, 3, 3], 14: [4, 6, 4], 15: [4, 6, 5], 16: [4, 4, 4, 4], 17: [4, 4, 4, 4, 1], 18: [4, 4, 4, 4, 2], 19: [4, 4, 4, 4, 3]
}
function printed (number: string, separator: string): string {
  const groups = PRINTED[number.length]!
  return groups.map((length, i) => number.slice(groups.slice(0, i).reduce((a, b) => a + b, 0)).slice(0, length)).join(separator)
}
const FULL_WIDTH = (number: string) => number.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)))

/** Ways to write a number that no card prints: evidence beside the number has to tell that it is one. */
export const BARE: Record<string, (number: string) => string> = {
  plain: (number) => number,
  'full-width digits': FULL_WIDTH,
  'zero width between digits': (number) => [...number].join('\u200b'),
  'a space between digits': (number) => [...number].join(' '),
  'a comma in the middle': (number) => `${number.slice(0, 8)},${number.slice(8)}`,
  thousands: (number) => number.replace(/\B(?=(\d{3})+$)/g, '.'),
  exponent: (number) => `${number[0]}.${number.slice(1)}e${number.length - 1}`
}
/** Ways that are a card's own. */
export const GROUPED: Record<string, (number: string) => string> = Object.fromEntries([
  ...Object.entries({ spaces: ' ', dashes: '-', dots: '.', slashes: '/', tabs: '\t', commas: ',', 'no-break spaces': '\u00a0', 'zero width and space': '\u200b \u200b', 'two spaces': '  ', 'dashes with spaces': ' - ' })
    .map(([name, separator]) => [name, (number: string) => printed(number, separator)]),
  ['full-width digits, spaces', (number: string) => FULL_WIDTH(printed(number, ' '))]
])

/** Evidence beside a number, in a device's event or a backend's. */
export const EVIDENCE: Record<string, (text: string, random: Random) => Sample> = {
  'whole text of a device': (text, random) => ({ sender: 'device', type: 'CLICKED_PAY', payload: { [pick(random, ['note', 'message', 'obs', 'campo', 'orderNote', 'customer_message'])]: text } }),
  'English word before': (text, random) => ({ sender: pick(random, ['device', 'backend']), type: 'PAYMENT_ERROR', payload: { error: `${pick(random, ['Card', 'My credit card is', 'Card number:', 'VISA', 'The card number', 'The card of my last order', 'Card payment'])} ${text} was declined.` } }),
  'Portuguese word before': (text, random) => ({ sender: pick(random, ['device', 'backend']), type: 'PAYMENT_ERROR', payload: { error: `${pick(random, ['Cartão', 'O cartão de crédito', 'Número do cartão:', 'CARTAO NR', 'cartão final', 'O cartão do cliente', 'Pagamento com o cartão'])} ${text}, recusado.` } }),
  'Spanish word before': (text, random) => ({ sender: pick(random, ['device', 'backend']), type: 'PAYMENT_ERROR', payload: { error: `${pick(random, ['Tarjeta', 'La tarjeta de débito', 'Número de tarjeta:'])} ${text} rechazada` } }),
  'word after': (text, random) => ({ sender: 'device', type: 'PAYMENT_ERROR', payload: { error: `Use ${text} ${pick(random, ['(cartão)', 'as my card', 'es mi tarjeta', 'Mastercard'])}` } }),
  'expiry in the text': (text, random) => ({ sender: 'device', type: 'PAYMENT_ERROR', payload: { error: `Tentei ${text} ${pick(random, ['12/30', 'val 01/2029', '03/27', 'exp 07-31'])} e nada` } }),
  'security code in the text': (text, random) => ({ sender: 'device', type: 'PAYMENT_ERROR', payload: { error: `Tentei ${text} ${pick(random, ['cvv 123', 'CVC: 4321', 'código de segurança 987', 'security code 123'])} e nada` } }),
  'expiry under another key': (text, random) => ({ sender: 'device', type: 'CLICKED_PAY', payload: { note: `Tentei ${text} e nada`, [pick(random, ['expiry', 'validade', 'expirationDate', 'exp'])]: '12/30' } }),
  'key of a card': (text, random) => ({ sender: pick(random, ['device', 'backend']), type: 'CLICKED_PAY', payload: { [pick(random, ['card', 'cartao', 'tarjeta', 'paymentCard', 'creditCardData', 'card_info'])]: text } }),
  'object of a card': (text, random) => ({ sender: pick(random, ['device', 'backend']), type: 'CLICKED_PAY', payload: { [pick(random, ['card', 'cartao', 'creditCard'])]: { number: text, expiry: '12/30' } } })
}
/** Evidence that a card's own grouping needs: none. */
export const ALONE: Record<string, (text: string, random: Random) => Sample> = {
  'grouping alone': (text, random) => ({ sender: pick(random, ['device', 'backend']), type: 'PAYMENT_ERROR', payload: { error: pick(random, [`Tentei ${text} e nada`, text, `order 12 ${text}`, `(${text}).`]) } }),
  'grouping alone, as a transaction': (text, random) => ({ sender: pick(random, ['device', 'backend']), type: 'PAYMENT_SUCCESS', payload: { transactionId: text } })
}
