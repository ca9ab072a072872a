// API keys: several at once, so that they can be rotated; compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto'

/** Knows the accepted keys, as digests of one length, so that a comparison tells nothing of a key's length or beginning. */
export class ApiKeys {
  readonly #digests: Buffer[]

  /** @param list the keys, comma-separated; empty or left out: the API is open */
  constructor (list = '') {
    this.#digests = list.split(',').map((key) => key.trim()).filter((key) => key !== '').map(digest)
  }

  /** Whether a key is asked for at all. */
  get required (): boolean { return this.#digests.length > 0 }

  /** @param authorization the `Authorization` header; RFC 6750 §2.1, `Bearer <key>` */
  accepts (authorization: string | undefined): boolean {
    const key = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
    if (key === undefined) return false
    const candidate = digest(key)
    // All of them are compared, whichever fits: the time says nothing of the place in the list.
    return this.#digests.reduce((found, known) => timingSafeEqual(known, candidate) || found, false)
  }
}

function digest (key: string): Buffer { return createHash('sha256').update(key).digest() }
