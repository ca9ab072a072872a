// Limits on all incoming JSON, including keys outside the contract: depth, number of keys and items, string length, and no card data.
import { Failure } from '../errors.js'
import { holdsCardNumber, isCardNumber, isCardDataKey } from './card-data.js'
import { MAX_STRING } from './fields.js'

/** Maximum nesting of objects and arrays; JSON nested thousands of levels deep parses, but breaks code that traverses it later. */
export const MAX_DEPTH = 8
/** Maximum keys in one message, over all its objects. */
export const MAX_KEYS = 64
/** Maximum array items in one message, over all its arrays. */
export const MAX_ITEMS = 256

const CARD_NAME = 'names card data, which is not accepted'
const CARD_NUMBER = 'contains what looks like a card number, which is not accepted'

/**
 * Checks a parsed message or request against the limits and for card data. Keys outside the contract are checked too, since payloads are relayed unchanged.
 * @returns the first broken limit, otherwise `SENSITIVE_DATA` for the first card data; neither failure repeats card data
 */
export function checkLimits (frame: unknown): Failure | undefined {
  limitChecker.begin()
  return limitChecker.visit(frame, 1) ?? limitChecker.sensitive
}

/** Traverses one parsed text. */
class LimitChecker {
  sensitive: Failure | undefined
  #keys = 0
  #items = 0
  /** Keys from the root to the current value. */
  readonly #path: string[] = []

  begin (): void {
    this.sensitive = undefined
    this.#keys = this.#items = 0
    // Keys remain only after a traversal that ended early.
    if (this.#path.length > 0) this.#path.length = 0
  }

  visit (value: unknown, depth: number): Failure | undefined {
    if (typeof value === 'string') {
      const rule = ruleFor(value)
      if (rule !== undefined) return this.#violation(rule)
      if (this.sensitive === undefined && holdsCardNumber(value)) this.sensitive = this.#violation(CARD_NUMBER, 'SENSITIVE_DATA')
      return undefined
    }
    if (typeof value === 'number') {
      // JSON allows 1e400; it parses to Infinity, and would be relayed as null.
      if (!Number.isFinite(value)) return this.#violation('expected a finite number')
      if (this.sensitive === undefined && isCardNumber(value)) this.sensitive = this.#violation(CARD_NUMBER, 'SENSITIVE_DATA')
      return undefined
    }
    if (typeof value !== 'object' || value === null) return undefined
    if (depth > MAX_DEPTH) return new Failure('TOO_DEEP', `The JSON is nested more than ${MAX_DEPTH} levels deep.`)
    return Array.isArray(value) ? this.#visitItems(value, depth) : this.#visitKeys(value as Record<string, unknown>, depth)
  }

  #visitItems (value: unknown[], depth: number): Failure | undefined {
    this.#items += value.length
    if (this.#items > MAX_ITEMS) return new Failure('INVALID_FRAME', `The JSON contains more than ${MAX_ITEMS} array items.`)
    for (const item of value) {
      const failure = this.visit(item, depth + 1)
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
      this.#path.push(key)
      if (this.sensitive === undefined) {
        if (isCardDataKey(key, child)) this.sensitive = this.#violation(CARD_NAME, 'SENSITIVE_DATA')
        else if (holdsCardNumber(key)) this.sensitive = this.#violation(CARD_NUMBER, 'SENSITIVE_DATA')
      }
      const failure = this.visit(child, depth + 1)
      if (failure) return failure
      this.#path.pop()
    }
    return undefined
  }

  #violation (rule: string, code: 'INVALID_FRAME' | 'SENSITIVE_DATA' = 'INVALID_FRAME'): Failure {
    return invalid(this.#path.map((key) => holdsCardNumber(key) ? '[hidden]' : key).join('.'), rule, code)
  }
}

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
