// API keys: several at once, so that they can be rotated; compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Claims } from './policy.js'

/** Begins a key that only reads. A bearer token has no colon (RFC 6750 §2.1), so no key begins with it by chance. */
const READ_ONLY = 'read:'

const BACKEND: Claims = { principal: 'backend' }
const READER: Claims = { principal: 'reader' }

/** Knows the accepted keys, as digests of one length, so that a comparison tells nothing of a key's length or beginning. */
export class ApiKeys {
  readonly #known: Array<{ readonly digest: Buffer, readonly claims: Claims }>

  /** @param list the keys, comma-separated, each with `read:` before it if it only reads; empty or left out: the API is open */
  constructor (list = '') {
    this.#known = keysOf(list).map((key) => key.startsWith(READ_ONLY)
      ? { digest: digestOf(key.slice(READ_ONLY.length)), claims: READER }
      : { digest: digestOf(key), claims: BACKEND })
  }

  /** Whether a key is asked for at all. */
  get required (): boolean { return this.#known.length > 0 }

  /** What a key allows; undefined for one that is not known. */
  claimsOf (key: string): Claims | undefined {
    const candidate = digestOf(key)
    // All of them are compared, whichever fits: the time says nothing of the place in the list.
    return this.#known.reduce<Claims | undefined>((found, { digest, claims }) => timingSafeEqual(digest, candidate) ? found ?? claims : found, undefined)
  }
}

/** The keys of a comma-separated list. */
export function keysOf (list: string): string[] { return list.split(',').map((key) => key.trim()).filter((key) => key !== '') }

/** What an `Authorization` header carries; RFC 6750 §2.1, `Bearer <key>`. */
export function bearerOf (authorization: string | undefined): string | undefined { return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] }

function digestOf (key: string): Buffer { return createHash('sha256').update(key).digest() }
