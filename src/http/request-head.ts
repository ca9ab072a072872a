// Checks of a request's head that come before routing.
import { MAX_HEADERS } from '../websocket/handshake.js'

export interface RequestHeadError { readonly status: number, readonly message: string }

/** What is wrong with a request before anyone has asked what it wants. An injected one may have no header lines. */
export function checkRequestHead ({ rawHeaders = [], httpVersion }: { rawHeaders?: string[], httpVersion: string }): RequestHeadError | undefined {
  if (rawHeaders.length > 2 * MAX_HEADERS) return { status: 431, message: `The request has more than ${MAX_HEADERS} headers.` }
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
  // RFC 9112 §3.2: without one, or with two, it could mean another server than the one that a proxy thought it did.
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1' && rawHeaders.length > 0)) return { status: 400, message: 'The request must have one Host header.' }
  return undefined
}
