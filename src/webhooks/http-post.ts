// Sends a POST request to an address that was checked: the one that is dialled, since a name is resolved once.
import { lookup as lookupHost, type LookupAddress } from 'node:dns'
import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { promisify } from 'node:util'
import type { DeliveryError } from '../protocol/rest-deliveries.js'
import { isPublic, literalIn } from './addresses.js'
import { MAX_AT_ONCE } from './delivery-queue.js'

/** Time limit of a whole exchange, from the look-up of the name to the end of the answer, ms. */
export const TIMEOUT = 15_000
/** Longest body of an answer that is read, so that the connection can be used again, bytes. */
const MAX_ANSWER = 65_536
/** Connections that are kept open to one receiver without a request. */
const MAX_FREE_SOCKETS = 16

/** Answer of a receiver, or the reason for which there is none. */
export type Answer = { readonly status: number, readonly retryAfter: string | undefined } | { readonly error: Exclude<DeliveryError, 'status' | 'redirect' | 'no_url'> }

/** Finds all addresses of a name. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>

export interface HttpPostOptions {
  /** Sends to private addresses too. */
  readonly allowPrivate: boolean
  /** Default: the resolver of the system. */
  readonly resolve?: Resolve | undefined
  /** Time limit of a whole exchange, ms. Default: {@link TIMEOUT}. */
  readonly timeout?: number | undefined
  /** Certificates of the authorities that sign a receiver's, PEM. Default: those of Node.js. */
  readonly ca?: string | undefined
}

class PrivateAddressError extends Error {}
class TimeoutError extends Error {}

const systemResolve: Resolve = (hostname) => promisify(lookupHost)(hostname, { all: true, verbatim: true })

export class HttpPost {
  readonly #options: HttpPostOptions
  readonly #agents: Readonly<Record<string, http.Agent>>
  /** Requests whose exchange has not ended; bounded by the caller, which waits for their answers, and by the time limit. */
  readonly #inFlight = new Set<ClientRequest>()

  constructor (options: HttpPostOptions) {
    this.#options = options
    // As many connections as deliveries at once: a request that waited for a connection would lose a part of its time.
    const settings = { keepAlive: true, maxSockets: MAX_AT_ONCE, maxFreeSockets: MAX_FREE_SOCKETS }
    this.#agents = { 'http:': new http.Agent(settings), 'https:': new https.Agent({ ...settings, ca: options.ca }) }
  }

  /** Posts a body. Redirects are not followed, and the body of the answer is dropped. */
  async send (url: URL, headers: OutgoingHttpHeaders, body: string): Promise<Answer> {
    const address = literalIn(url)
    // Node.js looks no literal address up.
    if (address !== undefined && !this.#isAllowed(address)) return { error: 'private_address' }
    const answer = await this.#exchange(url, headers, body)
    // The receiver has closed an idle connection at the moment at which it was used again.
    const second = answer === 'stale' ? await this.#exchange(url, headers, body) : answer
    return second === 'stale' ? { error: 'connection' } : second
  }

  /** Ends the requests that are under way, and the open connections. */
  close (): void {
    for (const request of this.#inFlight) request.destroy()
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }

  #isAllowed (address: string): boolean { return this.#options.allowPrivate || isPublic(address) }

  #exchange (url: URL, headers: OutgoingHttpHeaders, body: string): Promise<Answer | 'stale'> {
    const { timeout = TIMEOUT } = this.#options
    const length = Buffer.byteLength(body)
    const { request: open } = url.protocol === 'http:' ? http : https
    // With `autoSelectFamily` the connection takes all addresses of the look-up, and dials one after the other.
    const connection = { agent: this.#agents[url.protocol]!, lookup: this.#lookup, autoSelectFamily: true }
    const request = open(url, { method: 'POST', ...connection, headers: { ...headers, 'content-length': length } })
    const timer = setTimeout(() => request.destroy(new TimeoutError()), timeout)
    this.#inFlight.add(request)
    request.once('close', () => {
      clearTimeout(timer)
      this.#inFlight.delete(request)
    })
    return new Promise((resolve) => {
      request.on('error', (error: NodeJS.ErrnoException) => resolve(request.reusedSocket && error.code === 'ECONNRESET' ? 'stale' : { error: wordFor(error) }))
      request.once('response', (response) => {
        drop(response)
        resolve({ status: response.statusCode!, retryAfter: response.headers['retry-after'] })
      })
      request.end(body)
    })
  }

  /** Resolves a name for the connection, and refuses it if one of its addresses is private. */
  readonly #lookup: LookupFunction = (hostname, _options, callback) => {
    const { resolve = systemResolve } = this.#options
    resolve(hostname).then((addresses) => {
      if (addresses.length > 0 && addresses.every(({ address }) => this.#isAllowed(address))) callback(null, addresses)
      else callback(new PrivateAddressError(), '')
    }, (error: NodeJS.ErrnoException) => callback(error, ''))
  }
}

/** Reads the body of an answer, and closes the connection of one that is too long. */
function drop (response: IncomingMessage): void {
  let left = MAX_ANSWER
  response.on('data', ({ length }: Buffer) => {
    left -= length
    if (left < 0) response.destroy()
  })
  // The status has been read, so an answer that breaks off is an answer.
  response.on('error', () => {})
}

function wordFor (error: NodeJS.ErrnoException): Exclude<DeliveryError, 'status' | 'redirect' | 'no_url'> {
  const { code = '', syscall } = error
  if (error instanceof PrivateAddressError) return 'private_address'
  if (error instanceof TimeoutError) return 'timeout'
  if (syscall === 'getaddrinfo' || /^(?:ENOTFOUND|EAI_)/.test(code)) return 'dns'
  return /^(?:ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO)/.test(code) ? 'tls' : 'connection'
}
