// Rules of the settings of room tokens, apart from the tokens themselves: every start checks them, and few load the library that signs.
import { filledEntriesOf } from '../comma-list.js'

/** Minimum length of a secret, bytes: the output size of the hash (RFC 7518 §3.2). */
const MIN_SECRET_BYTES = 32

/** Default lifetime of a token, s. */
export const DEFAULT_TTL_SECONDS = 900

/** Checks the length of each secret. @returns the broken rule, as the predicate of a sentence about the list; undefined if there is none */
export function checkSecrets (secrets: string): string | undefined {
  const list = filledEntriesOf(secrets)
  const areLong = list.length > 0 && list.every((secret) => Buffer.byteLength(secret) >= MIN_SECRET_BYTES)
  return areLong ? undefined : `must contain secrets of at least ${MIN_SECRET_BYTES} bytes each`
}
