// Words of card data and of identifiers, in English, Portuguese and Spanish: as names of keys, and beside a number in a text.

// Whole names of keys, in letters and digits only; groups marked `(…)?` are optional.
const CARD = '(credit|debit|payment)?(card|cc|cartao|tarjeta)(credito|debito)?'
/** Names that are card data by themselves, with any value. */
const NAMES = [
  `(${CARD})?(cvv|cvc|cvn|ccv|cvd)(2)?(code|value|number|num|(do|de)?cartao|(de)?tarjeta)?`, `${CARD}(csc|cid|securitycode|code|pin)`, 'csc(code|value|number)', 'cav2',
  `(${CARD})?(security|verification)(value)`, `(${CARD})?securitycode`, `${CARD}(security|verification)(code|number)`,
  '(cod|codigo|cd)(de)?(seguranca|seguridad)((do|da|de|del|la)*(cartao|tarjeta))?', '(cod|codigo)(de)?(verificacao|verificacion)(do|da|de|la)*(cartao|tarjeta)',
  `(${CARD}|full)?pan`, 'primaryaccount(number|no)', `${CARD}(number|num|no|nr|numero)`, '(numero|num|nr)(do|da|de|la)*(cartao|tarjeta)((de)?(credito|debito))?',
  'track(1|2|3)(equivalent)?(data)?', 'trackdata', 'mag(netic)?stripe(data)?',
  'encryptedpin(block|data)?', `(${CARD})?pin(block|data)`, '(senha|clave)(do|da|de|la)*(cartao|tarjeta)'
]
/** Names that are card data with three or four digits as their value, and otherwise a postal code (PIN), a code of invoices (CSC) or a client. */
const NAMES_BY_VALUE = ['cid', 'csc', 'pin']

// Combining accents, which are characters of their own, match as separators. A path, as in `payment.card.cvv`, may stand in front of a name.
const ACCENTED: Record<string, string> = { a: '[aãáâà]', c: '[cç]', e: '[eéê]', i: '[ií]', o: '[oóôõ]', u: '[uú]' }
const SEPARATORS = '[^a-z0-9]*'
const spellingsOf = (names: readonly string[]) => names.join('|').replaceAll('(', '(?:').replace(/[a-z0-9]/g, (letter) => (ACCENTED[letter] ?? letter) + SEPARATORS)
const whole = (names: readonly string[]) => new RegExp(`^(?:.*[.\\[/])?${SEPARATORS}(?:${spellingsOf(names)})$`, 'i')
const CARD_NAME = whole(NAMES)
const NAME_BY_VALUE = whole(NAMES_BY_VALUE)
const NUMBER_KEY = whole(['number', 'num', 'no', 'nr', 'numero'])
/** Longest key that is matched against the names, characters. */
const MAX_NAME = 64
/** Keys that were checked and do not name card data: messages repeat the same few keys. */
const safeKeyCache = new Set<string>()
const MAX_SAFE_KEYS = 1000

/**
 * Checks if a key names a security code, a card number, a track or a PIN, in any spelling. Only a whole name matches: `pinned` does not.
 * @returns `always` if the name is enough, `perhaps` if the name has a second meaning and the value is that of a security code or PIN, `number` if the name is that of
 * the number in a card object
 */
export function cardNameOf (key: string, value: unknown): 'always' | 'perhaps' | 'number' | undefined {
  if (key.length < 2 || key.length > MAX_NAME || safeKeyCache.has(key)) return undefined
  if (CARD_NAME.test(key)) return 'always'
  if (NAME_BY_VALUE.test(key)) return (typeof value === 'string' || typeof value === 'number') && /^\s*\d{3,4}\s*$/.test(String(value)) ? 'perhaps' : undefined
  if (NUMBER_KEY.test(key)) return 'number'
  if (safeKeyCache.size < MAX_SAFE_KEYS) safeKeyCache.add(key)
  return undefined
}

/** Words of a card. A number beside one of them, or under a key with one, is a card number. */
const CARD_WORDS = [
  '(?:credit|debit|payment)?cards?(?:holder|number|no|nr)?', 'cc', 'pan', 'cart(?:ao|oes)', 'tarjetas?',
  'visa', 'master ?card', 'amex', 'american express', 'maestro', 'hipercard', 'elo', 'diners', 'discover', 'jcb', 'unionpay'
]
/** Nouns of identifiers. A number beside one of them needs other evidence than a card's word further away, and a key with one is an identifier's. */
const IDENTIFIER_WORDS = [
  'ref(?:s|erences?|erencias?)?', 'pedidos?', 'orders?', 'encomendas?', 'compras?', 'purchases?', 'invoices?', 'faturas?', 'facturas?', 'nota fiscal', 'nf', 'nfc?e', 'ct ?e', 'nf ?c?e', 'chaves?', 'clave de acceso',
  'boletos?', 'linha digitavel', '(?:codigo (?:de )?)?barras', 'barcode', 'ean', 'gtin', 'upc', 'sku', 'isbn', 'produtos?', 'productos?', 'products?', 'iten?s?',
  'iban', 'bic', 'swift', 'contas?', 'cuentas?', 'accounts?', 'konto', 'cnpj', 'cpf', 'rg', 'cuit', 'cuil', 'rut', 'nit', 'nif', 'documentos?', 'tax',
  'nsu', 'tid', 'tx ?id', 'tx', 'trx', 'pix', 'end to end', 'e2e', 'protocolo?', 'transac(?:ao|oes|cion|ciones|tion|tions)', 'transactions?',
  'receipts?', 'recibos?', 'comprovantes?', 'tickets?', 'tracking', 'rastreio', 'serial', 'lotes?', 'batch', 'session', 'sessao', 'trace', 'requests?', 'correlation', 'idempotency',
  'autorizacao', 'autorizacion', 'authori[sz]ation', 'contratos?', 'contracts?', 'telefones?', 'telefonos?', 'phone', 'tel', 'celular', 'fone', 'whatsapp', 'mobile', 'nonce', 'timestamp'
]
/** Nouns that name an identifier beside a word of a number, as in `paymentNumber`, and in a text. */
const NUMBERED_WORDS = ['pagamentos?', 'pagos?', 'payments?', 'charges?', 'cobrancas?', 'cobros?', 'time', 'date', 'hora']
const NUMBER_WORDS = ['number', 'numero', 'num', 'no', 'nr', 'code', 'codigo', 'key']
/** Words of a text that people write, as in `orderNote`. */
const TEXT_WORDS = [
  'notes?', 'messages?', 'mensagem', 'mensaje', 'errors?', 'erro', 'description', 'descri(?:cao|pcion)', 'comments?', 'comentarios?', 'obs', 'observa(?:cao|coes|cion|ciones)', 'text', 'texto', 'reason', 'motivo',
  'details?', 'detalhes?', 'detalles?', 'info', 'content', 'body', 'input', 'value', 'valor', 'name', 'nome', 'nombre'
]
/** Words that make a key an identifier's beside any others, as in `card_id`. */
const ID_WORDS = ['ids?', 'uuid', 'guid', 'ulid', 'token', 'hash', 'fingerprint', 'reference', 'referencia']
const word = (words: readonly string[]) => new RegExp(`(?<![a-z])(?:${words.join('|')})(?![a-z])`, 'g')
const CARD_WORD = word(CARD_WORDS)
const NOUN = word(IDENTIFIER_WORDS)
const NUMBERED_WORD = word(NUMBERED_WORDS)
const NUMBER_WORD = word(NUMBER_WORDS)
const TEXT_WORD = word(TEXT_WORDS)
const ID_WORD = word(ID_WORDS)
const IDENTIFIER_WORD = word([...IDENTIFIER_WORDS, ...NUMBERED_WORDS, ...ID_WORDS])

/** Lower case without accents. */
const plainOf = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
/** Words of a key in any spelling: `numeroDoPedido`, `numero_do_pedido`. */
const wordsOf = (key: string) => plainOf(key.replace(/(?<=[a-z\d])(?=[A-Z])/g, ' ').replace(/[^\p{L}\p{M}\d]+/gu, ' '))
const has = (text: string, words: RegExp) => text.search(words) >= 0

/** Checks if a key or a text has a card's word. */
export function saysCard (keyOrText: string): boolean { return has(wordsOf(keyOrText), CARD_WORD) }

/** Checks if a key is that of an identifier: `transactionId`, `order_number`, `chaveNFe`. */
export function isIdentifierKey (key: string): boolean {
  const words = wordsOf(key)
  if (has(words, ID_WORD)) return true
  return !has(words, CARD_WORD) && !has(words, TEXT_WORD) && (has(words, NOUN) || (has(words, NUMBERED_WORD) && has(words, NUMBER_WORD)))
}

/** Characters before and after a number in which a word is beside it. */
const BEFORE = 48
const AFTER = 32

/**
 * Returns the meaning that the words beside a number give it: the last one before it, otherwise one in the same sentence after it. A noun of an identifier counts
 * behind a card's word only if punctuation parts the two: `card of order 1` may be the card's number, `card declined, order 1` is not.
 * @returns `glued` if letters that name no card are part of the number's own word, as in `pay_4111111111111111`
 */
export function labelOf (text: string, start: number, end: number): 'card' | 'identifier' | 'glued' | undefined {
  const [before, after] = [text.slice(Math.max(0, start - BEFORE), start), text.slice(end, end + AFTER)].map((part) => /\p{L}/u.test(part) ? plainOf(part) : '') as [string, string]
  const [card, identifier] = [lastOf(before, CARD_WORD), lastOf(before, IDENTIFIER_WORD)]
  if (card > identifier || (card >= 0 && !/[^\w\s/_-]/.test(before.slice(card, identifier)))) return 'card'
  if (/[a-z][_-]?$/.test(before) || /^[_-]?[a-z]/.test(after)) return 'glued'
  if (identifier >= 0) return 'identifier'
  return has(after.split(/[.;!?]\s|\n/, 1)[0]!, CARD_WORD) ? 'card' : undefined
}
function lastOf (text: string, words: RegExp): number { return [...text.matchAll(words)].at(-1)?.index ?? -1 }

const EXPIRY_KEY = word(['exp(?:iry|ires|iration)?', 'validade', 'vencimento', 'vencimiento', 'caducidad', 'valid thru'])
const EXPIRY_VALUE = /^\s*(?:0?[1-9]|1[0-2])\s?[-/.]?\s?(?:20)?[2-4]\d\s*$|^\s*20[2-4]\d-?(?:0[1-9]|1[0-2])\s*$/
const MONTH_KEY = word(['(?:exp(?:iry|iration)?|card|validade|vencimento|vencimiento) ?(?:month|mes|year|ano)', '(?:mes|ano) (?:de )?(?:validade|vencimento|vencimiento)'])
const EXPIRY_TEXT = /(?<![\d/.-])(?:0[1-9]|1[0-2])\s?\/\s?(?:20)?[2-4]\d(?![/-]?\d)|(?<![a-z])(?:exp(?:iry|ires|iration|ira)?|val(?:id|idade)?|venc(?:e|imento|imiento)?|vto|cad(?:ucidad)?)\.?:?\s*(?:0[1-9]|1[0-2])\s?[-/]?\s?(?:20)?[2-4]\d(?!\d)/i
const CODE_TEXT = /(?<![a-z])((?:cvv2?|cvc2?|ccv|cvd|csc|c[oó]d(?:igo)? (?:de )?segur(?:an[cç]a|idad)|security code|verification (?:code|value))\W{0,3})\d{3,4}(?!\d)/gi
/** Three or four digits behind a masked number: the security code, or a year, which is no loss. */
const CODE_BEHIND = /(\*\d{4}[^\p{L}\p{N}]{1,3})\d{3,4}(?![-/.]?\d)/gu

/** Checks if a key and its value, or a text, are a card's expiry or security code. */
export function isCardEvidence (key: string, value: unknown): boolean {
  if (typeof value !== 'string' && typeof value !== 'number') return false
  const text = plainOf(String(value))
  const words = wordsOf(key)
  return (EXPIRY_VALUE.test(text) && has(words, EXPIRY_KEY)) || has(words, MONTH_KEY) || EXPIRY_TEXT.test(text) || has(text, CODE_TEXT)
}

/** Masks the security codes of a text with masked card numbers. */
export function maskCodes (text: string): string { return text.replace(CODE_TEXT, '$1***').replace(CODE_BEHIND, '$1***') }

/** Companions of the number in a card object. */
const COMPANION = word(['exp(?:iry|ires|iration)?', 'validade', 'vencimento', 'vencimiento', 'caducidad', 'cvv2?', 'cvc2?', 'csc', 'ccv', 'cvd', 'security', 'holder', 'titular', 'portador', 'month', 'mes'])
/** Digits from which on a number is more than the part of a card number that may be shown (PCI DSS 3.4: first six, last four). */
const MORE_THAN_SHOWN = 11

/** Checks if the value of a number key is that of a card object: `{ number, expiry … }` under a key that says card. */
export function isNumberOfCard (value: unknown, object: object, path: readonly string[]): boolean {
  if ((typeof value !== 'string' && typeof value !== 'number') || (plainOf(String(value)).normalize('NFKC').match(/\d/g)?.length ?? 0) < MORE_THAN_SHOWN) return false
  return path.some(saysCard) && Object.keys(object).some((other) => has(wordsOf(other), COMPANION))
}
