// API keys: a list, so that keys can be rotated, compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto'
import { filledEntriesOf } from '../comma-list.js'
import type { Claims } from './policy.js'

/** Prefix of a read-only key. A bearer token contains no colon (RFC 6750 §2.1), so no key begins with the prefix by chance. */
export const READ_ONLY = 'read:'

const BACKEND: Claims = { principal: 'backend' }
const READER: Claims = { principal: 'reader' }

/** Holds the accepted keys as digests of one length, so that a comparison reveals neither the length nor the beginning of a key. */
export class ApiKeys {
  readonly #accepted: Array<{ readonly digest: Buffer, readonly claims: Claims }>

  /** @param list comma-separated keys, read-only ones with the prefix `read:`; empty or omitted: the API is open */
  constructor (list = '') {
    this.#accepted = filledEntriesOf(list).map((key) => key.startsWith(READ_ONLY)
      ? { digest: digestOf(key.slice(READ_ONLY.length)), claims: READER }
      : { digest: digestOf(key), claims: BACKEND })
  }

  /** True if the API requires a key. */
  get required (): boolean { return this.#accepted.length > 0 }

  /** @returns the claims of a key, or undefined for an unknown key */
  claimsOf (key: string): Claims | undefined {
    const candidate = digestOf(key)
    // Compare all keys, even after a match: the duration must not reveal the position in the list.
    return this.#accepted.reduce<Claims | undefined>((match, { digest, claims }) => timingSafeEqual(digest, candidate) ? match ?? claims : match, undefined)
  }
}

/** Extracts the API key or room token from an `Authorization: Bearer <token>` header (RFC 6750 §2.1). */
export function bearerOf (authorization: string | undefined): string | undefined { return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] }

function digestOf (key: string): Buffer { return createHash('sha256').update(key).digest() }
