// Corpus of identifiers that are no cards: each kind is drawn as its issuer makes it, and sent at the places where shops send it.
import { hash } from 'node:crypto'
import type { Sample } from './outcome.js'

type Random = () => number
/** Draws one identifier. @param i number of the draw, for consecutive ids */
type Draw = (random: Random, i: number) => string

/** A kind of identifier: the key that shops send it under, the noun that stands before it in a text, and a generator. */
interface Kind { readonly key: string, readonly noun: string, readonly draw: Draw }

export function digits (random: Random, length: number): string {
  let text = ''
  while (text.length < length) text += String(Math.floor(random() * 10))
  return text
}
export const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!
const between = (random: Random, first: number, last: number, width = 2) => String(first + Math.floor(random() * (last - first + 1))).padStart(width, '0')
const fours = (text: string) => text.replace(/.{4}(?=.)/g, '$& ')
/** Consecutive ids of a fixed prefix that is some issuer's, too. */
const consecutive = (prefix: string, length: number): Draw => (_, i) => `${prefix}${String(10 ** (length - prefix.length - 1) + i)}`

/** Check digit of weights that repeat from the right, modulo 11 (CNPJ, CPF, NF-e, boletos); a remainder without a digit becomes `rest`. */
function modulo11 (text: string, weights: readonly number[], rest = '0'): string {
  const sum = [...text].reverse().reduce((sum, digit, i) => sum + Number(digit) * weights[i % weights.length]!, 0)
  const digit = 11 - sum % 11
  return digit > 9 ? rest : String(digit)
}
const UP_TO_9 = [2, 3, 4, 5, 6, 7, 8, 9]
const UP_TO_11 = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
const modulo10 = (text: string) => {
  const sum = [...text].reverse().reduce((sum, digit, i) => sum + [...String(Number(digit) * (i % 2 === 0 ? 2 : 1))].reduce((a, b) => a + Number(b), 0), 0)
  return String((10 - sum % 10) % 10)
}

function cnpj (random: Random): string {
  let text = digits(random, 8) + pick(random, ['0001', '0001', '0002', '0013'])
  text += modulo11(text, UP_TO_9)
  return text + modulo11(text, UP_TO_9)
}
function cpf (random: Random): string {
  let text = digits(random, 9)
  text += modulo11(text, UP_TO_11)
  return text + modulo11(text, UP_TO_11)
}
const cnpjWritten = (text: string) => text.replace(/(..)(...)(...)(....)(..)/, '$1.$2.$3/$4-$5')

/** Access key of an electronic invoice, 44 digits: state, month, CNPJ, model, series, number, type, code, check digit. */
function nfe (random: Random): string {
  const text = pick(random, ['35', '33', '31', '41', '43', '53', '29', '50', '51', '52']) + between(random, 20, 26) + between(random, 1, 12) + cnpj(random) + pick(random, ['55', '65']) +
    between(random, 1, 999, 3) + digits(random, 9) + '1' + digits(random, 8)
  return text + modulo11(text, UP_TO_9)
}

/** Lengths of the national part of an IBAN; letters stand for a bank's letters. */
const IBANS: Record<string, string> = {
  DE: '0'.repeat(18),
  AT: '0'.repeat(16),
  BE: '0'.repeat(12),
  ES: '0'.repeat(20),
  PT: '0'.repeat(21),
  FR: '0'.repeat(23),
  NL: `AAAA${'0'.repeat(10)}`,
  GB: `AAAA${'0'.repeat(14)}`,
  IT: `A${'0'.repeat(22)}`,
  CH: '0'.repeat(17),
  PL: '0'.repeat(24),
  SE: '0'.repeat(20),
  DK: '0'.repeat(14),
  FI: '0'.repeat(14),
  BR: `${'0'.repeat(23)}AA`,
  VG: `AAAA${'0'.repeat(16)}`
}
function iban (random: Random, country: string): string {
  const national = IBANS[country]!.replace(/./g, (part) => part === 'A' ? String.fromCharCode(65 + Math.floor(random() * 26)) : digits(random, 1))
  const number = `${national}${country}00`.replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))
  return `${country}${String(98n - BigInt(number) % 97n).padStart(2, '0')}${national}`
}

/** Bar code of a bank's boleto, 44 digits, with the factor of its due date and its value. */
function boleto (random: Random): string {
  const [bank, rest] = [pick(random, ['001', '033', '104', '237', '341', '748']) + '9', between(random, 1000, 9999, 4) + digits(random, 10) + digits(random, 25)]
  return `${bank}${modulo11(bank + rest, UP_TO_9, '1')}${rest}`
}
/** The same as the line that people type: three fields with check digits, the general check digit, due date and value. */
function boletoLine (code: string): string {
  const field = (text: string) => { const whole = text + modulo10(text); return `${whole.slice(0, 5)}.${whole.slice(5)}` }
  return `${field(code.slice(0, 4) + code.slice(19, 24))} ${field(code.slice(24, 34))} ${field(code.slice(34))} ${code[4]} ${code.slice(5, 19)}`
}

function ean13 (random: Random): string {
  const text = pick(random, ['400', '401', '402', '403', '404', '405', '406', '407']) + digits(random, 9)
  const sum = [...text].reduce((sum, digit, i) => sum + Number(digit) * (i % 2 === 0 ? 1 : 3), 0)
  return text + String((10 - sum % 10) % 10)
}
const dateTime = (random: Random) => pick(random, ['30', '30', between(random, 1, 28)]) + between(random, 1, 12) + between(random, 2020, 2030, 4) + between(random, 0, 23) + between(random, 0, 59) + between(random, 0, 59)
const hex = (random: Random, length: number) => Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')
const uuid = (random: Random) => `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-${pick(random, ['8', '9', 'a', 'b'])}${hex(random, 3)}-${hex(random, 12)}`

export const IDENTIFIERS: Record<string, Kind> = {
  '16 digits, consecutive': { key: 'orderId', noun: 'Pedido', draw: consecutive('4539', 16) },
  '17 digits, consecutive': { key: 'order_number', noun: 'Order', draw: consecutive('6220', 17) },
  '18 digits, consecutive': { key: 'numeroPedido', noun: 'Pedido', draw: consecutive('5038', 18) },
  '`pay_` and 16 digits': { key: 'paymentId', noun: 'Pagamento', draw: (random, i) => `pay_${consecutive('4539', 16)(random, i)}` },
  '`pay_` and 16 random digits': { key: 'paymentId', noun: 'Pagamento', draw: (random) => `pay_${pick(random, ['4', '51', '55', '36', '6011', '62'])}${digits(random, 16)}`.slice(0, 20) },
  'EAN-13, 400–407': { key: 'ean', noun: 'Produto', draw: ean13 },
  ddmmyyyyhhmmss: { key: 'reference', noun: 'Referência', draw: dateTime },
  'NF-e key': { key: 'chaveNFe', noun: 'NF-e', draw: nfe },
  'NF-e key in fours': { key: 'chave_nfe', noun: 'Chave', draw: (random) => fours(nfe(random)) },
  'IBAN, German': { key: 'iban', noun: 'IBAN', draw: (random) => iban(random, 'DE') },
  'IBAN, German, in fours': { key: 'iban', noun: 'IBAN', draw: (random) => fours(iban(random, 'DE')) },
  'IBAN of 16 countries': { key: 'bankAccount', noun: 'Konto', draw: (random) => iban(random, pick(random, Object.keys(IBANS))) },
  'IBAN of 16 countries, in fours': { key: 'account', noun: 'conta', draw: (random) => fours(iban(random, pick(random, Object.keys(IBANS)))) },
  CNPJ: { key: 'cnpj', noun: 'CNPJ', draw: cnpj },
  'CNPJ, 36, 38, 39': { key: 'cnpj', noun: 'CNPJ', draw: (random) => { const text = pick(random, ['36', '38', '39']) + cnpj(random).slice(2, 12); const first = text + modulo11(text, UP_TO_9); return first + modulo11(first, UP_TO_9) } },
  'CNPJ, formatted': { key: 'documento', noun: 'CNPJ', draw: (random) => cnpjWritten(cnpj(random)) },
  CPF: { key: 'cpf', noun: 'CPF', draw: cpf },
  'CPF, formatted': { key: 'taxId', noun: 'CPF', draw: (random) => cpf(random).replace(/(...)(...)(...)(..)/, '$1.$2.$3-$4') },
  'boleto, typed line': { key: 'linhaDigitavel', noun: 'boleto', draw: (random) => boletoLine(boleto(random)) },
  'boleto, bar code': { key: 'codigoBarras', noun: 'boleto', draw: boleto },
  'Mercado Pago id': { key: 'payment_id', noun: 'pagamento', draw: (random) => pick(random, ['1', '4', '5', '6']) + digits(random, pick(random, [9, 10, 11, 12])) },
  'Pix endToEndId': { key: 'endToEndId', noun: 'Pix', draw: (random) => `E${digits(random, 8)}${between(random, 2020, 2030, 4)}${between(random, 1, 12)}${between(random, 1, 28)}${between(random, 0, 23)}${between(random, 0, 59)}${hex(random, 11)}` },
  UUID: { key: 'correlationId', noun: 'pedido', draw: uuid },
  'SHA-256': { key: 'fingerprint', noun: 'hash', draw: (random) => hash('sha256', digits(random, 12)) },
  'time in ms and a counter': { key: 'requestId', noun: 'pedido', draw: (_, i) => `${1_705_312_200_000 + i * 7919}-${i}` },
  'phone number': { key: 'phone', noun: 'telefone', draw: (random) => `+55 ${between(random, 11, 99)} 9${digits(random, 4)}-${digits(random, 4)}` },
  'NSU, 15 digits': { key: 'nsu', noun: 'NSU', draw: (random) => pick(random, ['34', '37']) + digits(random, 13) }
}

/** Sends an identifier as a backend and as a device do: as the transaction, under its key, in a text with its noun, beside the card's brand and expiry. */
const PLACES: Array<(id: string, kind: Kind) => Sample> = [
  (id) => ({ sender: 'backend', type: 'PAYMENT_SUCCESS', payload: { transactionId: id, amount: 99.9, currency: 'BRL' } }),
  (id) => ({ sender: 'backend', type: 'PAYMENT_SUCCESS', payload: { transactionId: id, card: { brand: 'visa', last4: '1111', expiry: '12/30' } } }),
  (id) => ({ sender: 'backend', type: 'PAYMENT_ERROR', payload: { error: `Recusado: ${id}`, code: '51' } }),
  (id) => ({ sender: 'backend', type: 'PAYMENT_SUCCESS', payload: { note: id, description: `Pagamento ${id} confirmado.` } }),
  (id) => ({ sender: 'device', type: 'PAYMENT_SUCCESS', payload: { transactionId: id } }),
  (id, { key }) => ({ sender: 'device', type: 'CLICKED_PAY', payload: { [key]: id, cardBrand: 'visa' } }),
  (id, { key }) => ({ sender: 'backend', type: 'PAYMENT_SUCCESS', payload: { order: { [key]: id, items: [id] } } }),
  (id, { noun }) => ({ sender: 'device', type: 'PAYMENT_ERROR', payload: { error: `${noun} ${id}: tente de novo com outro cartão.` } }),
  (id, { noun }) => ({ sender: 'backend', type: 'PAYMENT_ERROR', payload: { error: `Cartão recusado. ${noun}: ${id}` } })
]

/** Draws one identifier of a kind at one of its places. */
export function drawIdentifier (kind: Kind, random: Random, i: number): Sample { return pick(random, PLACES)(kind.draw(random, i), kind) }
