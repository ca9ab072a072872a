// Checks the head of an HTTP request before routing.
import { MAX_HEADERS } from '../websocket/handshake.js'

export interface RequestHeadError { readonly status: number, readonly message: string }

/** @returns the first error in the request's head, or undefined. A request from Fastify's `inject()` may have no header lines. */
export function checkRequestHead ({ rawHeaders = [], httpVersion }: { rawHeaders?: string[], httpVersion: string }): RequestHeadError | undefined {
  if (rawHeaders.length > 2 * MAX_HEADERS) return { status: 431, message: `The request has more than ${MAX_HEADERS} headers.` }
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
  // RFC 9112 §3.2: without a Host header, or with two, the request could mean another host to this server than to a proxy in front of it.
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1' && rawHeaders.length > 0)) return { status: 400, message: 'The request must have one Host header.' }
  return undefined
}
