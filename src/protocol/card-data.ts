// Decides by the evidence in a message which of its numbers are card data, which must not pass through this server (PCI DSS 3.3–3.5).
import { maskNumbers, type CardNumber } from './card-numbers.js'
import { isCardEvidence, isIdentifierKey, labelOf, maskCodes, saysCard } from './card-words.js'

/** Origin of a message. A backend proved itself with an API key; its numbers are identifiers unless they are grouped or named as a card's. */
export type Sender = 'device' | 'backend'

/** A text or number with card numbers in it. */
export interface Suspect {
  /** Keys from the root to the value. A name of a key is a suspect under its own parents. */
  readonly path: readonly string[]
  readonly text: string
  readonly numbers: readonly CardNumber[]
  /** Object or array with the value, and its key there; undefined for the name of a key, which cannot be masked. */
  readonly holder: Record<string, unknown> | undefined
  readonly key: string
}

/** Places whose values route or identify a message, so that a masked value would be another one, or are a number. A card number there is refused. */
const FIXED_PLACES: ReadonlySet<string> = new Set(['id', 'type', 'eventType', 'roomId', 'deviceId', 'payload.roomId', 'payload.deviceId', 'payload.amount'])

/** Evidence of one message. */
export class CardEvidence {
  readonly #message: unknown
  readonly #sender: Sender
  #hasExpiryOrCode: boolean | undefined
  #saysCard: boolean | undefined

  constructor (message: unknown, sender: Sender) {
    this.#message = message
    this.#sender = sender
  }

  /** Returns the numbers of a text that are card numbers. */
  cardsOf ({ path, text, numbers }: Suspect): readonly CardNumber[] {
    const grouped = numbers.filter(({ form }) => form === 'grouped')
    const key = path.at(-1)
    if (grouped.length === numbers.length || (key !== undefined && isIdentifierKey(key))) return grouped
    const isUnderCard = path.some(saysCard)
    return numbers.filter((number) => number.form === 'grouped' || this.#isCard(number, text, isUnderCard))
  }

  /** True if three or four digits under a key such as `pin` are a person's code: always from a device, from a backend only beside words of a card. */
  get hasCode (): boolean {
    return this.#sender === 'device' || (this.#saysCard ??= some(this.#message, (key, value) => saysCard(key) || (typeof value === 'string' && saysCard(value))))
  }

  /** Checks if a number that is not grouped as a card's is one, outside the keys of identifiers. */
  #isCard ({ start, end, form }: CardNumber, text: string, isUnderCard: boolean): boolean {
    const label = labelOf(text, start, end)
    if (label === 'glued') return false
    if (label === 'card' || isUnderCard) return true
    if (form === 'part' || this.#sender === 'backend') return false
    return isWhole(text, start, end) || (this.#hasExpiryOrCode ??= some(this.#message, isCardEvidence))
  }
}

/** Checks if a number may be masked in its place. */
export function isMaskable ({ holder, path }: Suspect): boolean { return holder !== undefined && !FIXED_PLACES.has(path.join('.')) }

/** Masks the card numbers of a text in its place, and the security codes beside them. */
export function mask ({ holder, key, text }: Suspect, cards: readonly CardNumber[]): void { holder![key] = maskCodes(maskNumbers(text, cards)) }

/** Checks if a text is a number and nothing else, except for a security code behind it. */
function isWhole (text: string, start: number, end: number): boolean {
  return /^[^\p{L}\p{N}]*$/u.test(text.slice(0, start)) && /^[^\p{L}\p{N}]*(?:\d{3,4}[^\p{L}\p{N}]*)?$/u.test(text.slice(end))
}

/** Checks if any key and value of a message pass a check. */
function some (message: unknown, check: (key: string, value: unknown) => boolean): boolean {
  if (typeof message !== 'object' || message === null) return false
  return Object.entries(message).some(([key, value]) => check(key, value) || some(value, check))
}
