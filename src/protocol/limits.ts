// Limits on all incoming JSON, including keys outside the contract: depth, number of keys and items, string length, and no card data.
import { Failure } from '../errors.js'
import { CardEvidence, isMaskable, mask, type Sender, type Suspect } from './card-data.js'
import { cardNumbersIn, isCardNumber, type CardNumber } from './card-numbers.js'
import { cardNameOf, isNumberOfCard } from './card-words.js'
import { MAX_STRING } from './fields.js'

/** Maximum nesting of objects and arrays; JSON nested thousands of levels deep parses, but breaks code that traverses it later. */
export const MAX_DEPTH = 8
/** Maximum keys in one message, over all its objects. */
export const MAX_KEYS = 64
/** Maximum array items in one message, over all its arrays. */
export const MAX_ITEMS = 256

const CARD_NAME = 'names card data, which is not accepted'
const CARD_NUMBER = 'contains what looks like a card number, which is not accepted'

export interface LimitOptions {
  /** Default: a device. */
  readonly sender?: Sender
  /** False if card numbers are refused where they would be masked, since nothing of the value is relayed. */
  readonly masks?: boolean
}

/**
 * Checks a parsed message or request against the limits and for card data. Keys outside the contract are checked too, since payloads are relayed unchanged.
 * @returns the first broken limit, otherwise `SENSITIVE_DATA` for the first card data that cannot be masked; neither failure repeats card data. A `Redaction` if the
 * value is to be masked; undefined if there is nothing to object to
 */
export function checkLimits (frame: unknown, options?: LimitOptions): Failure | Redaction | undefined {
  limitChecker.begin()
  return limitChecker.visit(frame, 1, NOWHERE, '') ?? limitChecker.verdict(frame, options)
}

/** Card numbers to mask in a parsed message. */
export class Redaction {
  readonly #places: readonly Place[]
  /** Refusal of a message that cannot be valid without the numbers. */
  readonly failure: Failure

  constructor (places: readonly Place[], failure: Failure) {
    this.#places = places
    this.failure = failure
  }

  /** Masks the numbers in the message itself. */
  apply (): void { for (const [suspect, cards] of this.#places) mask(suspect, cards) }
}
/** A value, and the card numbers in it. */
type Place = readonly [Suspect, readonly CardNumber[]]

const NOWHERE: Record<string, unknown> = {}

/** Traverses one parsed text. */
class LimitChecker {
  /** Keys that name card data, or do so by the evidence in the message. */
  #names: Array<readonly [path: readonly string[], certainty: 'always' | 'perhaps' | 'number']> = []
  #suspects: Suspect[] = []
  #keys = 0
  #items = 0
  /** Keys from the root to the current value. */
  readonly #path: string[] = []

  begin (): void {
    if (this.#names.length > 0) this.#names = []
    if (this.#suspects.length > 0) this.#suspects = []
    this.#keys = this.#items = 0
    // Keys remain only after a traversal that ended early.
    if (this.#path.length > 0) this.#path.length = 0
  }

  /** Judges what the traversal found, by the evidence in the whole message. */
  verdict (frame: unknown, { sender = 'device', masks = true }: LimitOptions = {}): Failure | Redaction | undefined {
    if (this.#names.length === 0 && this.#suspects.length === 0) return undefined
    const evidence = new CardEvidence(frame, sender)
    const named = this.#names.find(([, certainty]) => certainty !== 'perhaps' || evidence.hasCode)
    if (named) return violation(named[0], CARD_NAME, 'SENSITIVE_DATA')
    const places = this.#suspects.map((suspect): Place => [suspect, evidence.cardsOf(suspect)]).filter(([, cards]) => cards.length > 0)
    const refused = places.find(([suspect]) => !masks || !isMaskable(suspect))
    const [first] = refused ?? places[0] ?? []
    if (!first) return undefined
    const failure = violation(first.holder ? first.path : [...first.path, first.key], CARD_NUMBER, 'SENSITIVE_DATA')
    return refused ? failure : new Redaction(places, failure)
  }

  visit (value: unknown, depth: number, holder: Record<string, unknown>, key: string): Failure | undefined {
    if (typeof value === 'string') {
      const rule = ruleFor(value)
      if (rule !== undefined) return violation(this.#path, rule)
      const numbers = cardNumbersIn(value)
      if (numbers.length > 0) this.#suspects.push({ path: [...this.#path], text: value, numbers, holder, key })
      return undefined
    }
    if (typeof value === 'number') {
      // JSON allows 1e400; it parses to Infinity, and would be relayed as null.
      if (!Number.isFinite(value)) return violation(this.#path, 'expected a finite number')
      if (isCardNumber(value)) {
        const text = String(Math.abs(value))
        this.#suspects.push({ path: [...this.#path], text, numbers: [{ start: 0, end: text.length, digits: text, form: 'bare' }], holder, key })
      }
      return undefined
    }
    if (typeof value !== 'object' || value === null) return undefined
    if (depth > MAX_DEPTH) return new Failure('TOO_DEEP', `The JSON is nested more than ${MAX_DEPTH} levels deep.`)
    return Array.isArray(value) ? this.#visitItems(value, depth) : this.#visitKeys(value as Record<string, unknown>, depth)
  }

  #visitItems (value: unknown[], depth: number): Failure | undefined {
    this.#items += value.length
    if (this.#items > MAX_ITEMS) return new Failure('INVALID_FRAME', `The JSON contains more than ${MAX_ITEMS} array items.`)
    for (let i = 0; i < value.length; i++) {
      const failure = this.visit(value[i], depth + 1, value as unknown as Record<string, unknown>, String(i))
      if (failure) return failure
    }
    return undefined
  }

  #visitKeys (value: Record<string, unknown>, depth: number): Failure | undefined {
    // JSON.parse makes every spelling of `__proto__` an own key, so comparing parsed keys also catches escaped spellings.
    for (const key in value) {
      if (++this.#keys > MAX_KEYS) return new Failure('INVALID_FRAME', `The JSON contains more than ${MAX_KEYS} keys.`)
      const child = value[key]
      if (key === '__proto__' || (key === 'constructor' && isObject(child) && Object.hasOwn(child, 'prototype'))) return new Failure('FORBIDDEN_KEY')
      if (ruleFor(key) !== undefined) return new Failure('INVALID_FRAME', `The JSON contains a key that is longer than ${MAX_STRING} characters or has a lone surrogate.`)
      const numbers = cardNumbersIn(key)
      if (numbers.length > 0) this.#suspects.push({ path: [...this.#path], text: key, numbers, holder: undefined, key })
      const name = cardNameOf(key, child)
      this.#path.push(key)
      if (name && (name !== 'number' || isNumberOfCard(child, value, this.#path))) this.#names.push([[...this.#path], name])
      const failure = this.visit(child, depth + 1, value, key)
      if (failure) return failure
      this.#path.pop()
    }
    return undefined
  }
}

/** Builds the failure of a value of the message. Keys that hold a card number are not repeated in it. @param path keys from the root to the value */
export function violation (path: readonly string[], rule: string, code: 'INVALID_FRAME' | 'SENSITIVE_DATA' = 'INVALID_FRAME'): Failure {
  const shown = path.map(hideNumber).join('.')
  // Keys that hold a group of digits each make a number when they are joined.
  return invalid(hideNumber(shown), rule, code)
}

function hideNumber (key: string): string { return cardNumbersIn(key).length > 0 ? '[hidden]' : key }

/** Shared by all checks: they are synchronous and never overlap, and a new instance per message would be garbage. */
const limitChecker = new LimitChecker()

function ruleFor (text: string): string | undefined {
  if (text.length > MAX_STRING) return `expected at most ${MAX_STRING} characters`
  if (!text.isWellFormed()) return 'expected valid Unicode, without lone surrogates'
  return undefined
}

/** Creates a failure that names the offending key and its rule. */
export function invalid (key: string, rule: string, code: 'INVALID_FRAME' | 'SENSITIVE_DATA' = 'INVALID_FRAME'): Failure {
  return new Failure(code, `${key}: ${rule}`, [{ key, rule }])
}

export function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
