// Short random ids for clients and requests.
import { randomBytes } from 'node:crypto'

/** @returns twelve hexadecimal digits, 48 random bits */
export function shortId (): string { return randomBytes(6).toString('hex') }
