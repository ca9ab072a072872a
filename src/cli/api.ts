// REST calls of the commands: creates rooms, mints tokens and publishes events as a backend.
import { addresses } from '../client/options.js'
import type { PaymentEventType, PaymentState, Receipt, Role, RoomMember, Source } from '../client/index.js'
import { EXIT, CliError, reasonOf } from './cli-error.js'
import { withTimeout } from './timeouts.js'
import type { Terminal } from './terminal.js'

export interface ApiOptions {
  readonly url: string
  /** Room of the requests; only `list` needs none. */
  readonly roomId?: string | undefined
  readonly apiKey?: string | undefined
  /** s */
  readonly timeout: number
}

export interface RoomToken { readonly token: string, /** ms since the epoch */ readonly expiresAt: number }

/** An event of a backend. */
export interface BackendEvent { readonly type: PaymentEventType, readonly payload: Record<string, unknown>, readonly id: string }

/** A room of the list. */
export interface RoomLine extends Pick<PaymentState, 'status' | 'step'> {
  readonly roomId: string
  readonly reference?: string
  readonly amount?: number
  readonly currency?: string
  readonly verified?: boolean
  readonly stalled: boolean
  readonly members: number
  /** ms since the epoch. */
  readonly updatedAt: number
}

/** A room in detail. */
export interface RoomDetails {
  readonly state: PaymentState
  readonly members: readonly RoomMember[]
  readonly reference?: string
  readonly description?: string
  /** ms since the epoch. */
  readonly expiresAt: number
}

/** An event in the log. */
export interface RoomEntry {
  readonly type: string
  readonly seq: number
  readonly source: Source
  readonly payload: Record<string, unknown> & { roomId: string, deviceId?: string }
}

interface Request { readonly method: 'GET' | 'POST' | 'DELETE', readonly body?: object | undefined }

export class Api {
  readonly #options: ApiOptions
  readonly #signal: AbortSignal

  constructor (options: ApiOptions, { signal }: Terminal) {
    this.#options = options
    this.#signal = signal
  }

  /** Creates the room, unless it exists. */
  async openRoom (): Promise<void> {
    await this.#send('POST', '../../rooms', { body: { roomId: this.#options.roomId } }).catch((error: unknown) => {
      if (!(error instanceof CliError) || error.code !== 'ROOM_EXISTS') throw error
    })
  }

  async mintToken (request: { role: Role, deviceId?: string | undefined, ttlSeconds?: number | undefined }): Promise<RoomToken> {
    return await this.#send('POST', 'tokens', { body: request }) as RoomToken
  }

  /** @returns position in the log @throws {CliError} */
  async publish (event: BackendEvent): Promise<Receipt> {
    const { epoch, seq, duplicate } = await this.#send('POST', 'events', { body: event, consequence: `: the event ${event.id} may or may not be in the log` }) as Receipt
    return { epoch, seq, duplicate }
  }

  /** Lists rooms, page by page up to the limit. @throws {CliError} */
  async list ({ limit, ...filters }: { readonly limit: number, readonly [filter: string]: string | number | boolean | undefined }): Promise<RoomLine[]> {
    const found: RoomLine[] = []
    let cursor: string | null = null
    do {
      const query = Object.entries({ ...filters, limit: limit - found.length, cursor: cursor ?? undefined }).filter(([, value]) => value !== undefined)
      const page = await this.#send('GET', `../../rooms?${new URLSearchParams(query.map(([name, value]): [string, string] => [name, String(value)]))}`) as { rooms: RoomLine[], cursor: string | null }
      found.push(...page.rooms)
      cursor = page.cursor
    } while (cursor !== null && found.length < limit)
    return found
  }

  /** @throws {CliError} */
  async details (): Promise<RoomDetails> { return await this.#send('GET', `../${encodeURIComponent(this.#options.roomId!)}`) as RoomDetails }

  /** Reads the whole log. @throws {CliError} */
  async events (): Promise<RoomEntry[]> {
    const events: RoomEntry[] = []
    let position = ''
    for (let more = true; more;) {
      const page = await this.#send('GET', `events?since=${events.at(-1)?.seq ?? 0}${position}`) as { events: RoomEntry[], epoch: string, more: boolean }
      events.push(...page.events)
      position = `&epoch=${encodeURIComponent(page.epoch)}`
      more = page.more
    }
    return events
  }

  /** Closes the room. @throws {CliError} */
  async close (): Promise<void> { await this.#send('DELETE', `../${encodeURIComponent(this.#options.roomId!)}`) }

  /** @param path relative to the URL of the room's events @param options.consequence of a timeout @throws {CliError} */
  async #send (method: Request['method'], path: string, { body, consequence = '' }: { body?: object, consequence?: string } = {}): Promise<unknown> {
    const { timeout, url, roomId = '-' } = this.#options
    const address = new URL(path, addresses({ url, roomId }).events)
    const abort = new AbortController()
    // Not `AbortSignal.any` with `AbortSignal.timeout`: Node.js 20 may collect the timeout as garbage, and it then never fires.
    try {
      return await withTimeout(this.#exchange(address, { method, body }, abort.signal), timeout, this.#signal,
        () => new CliError(EXIT.unavailable, `no response from ${address.origin} within ${timeout} s${consequence}`))
    } finally {
      abort.abort()
    }
  }

  async #exchange (address: URL, { method, body }: Request, signal: AbortSignal): Promise<unknown> {
    const { apiKey } = this.#options
    const response = await fetch(address, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) },
      ...(body && { body: JSON.stringify(body) }),
      signal
    }).catch((error: unknown) => { throw new CliError(EXIT.unavailable, `cannot connect to ${address.origin}: ${reasonOf(error)}; is the server running?`) })
    if (!response.ok) throw await refusalOf(response)
    return response.status === 204 ? undefined : (await response.json() as { data: unknown }).data
  }
}

/** Returns the error of a response that reports a failure. */
export async function refusalOf (response: { status: number, json: () => Promise<any> }): Promise<CliError> {
  const { error, code } = await response.json().catch(() => ({})) as { error?: string, code?: string }
  return new CliError(EXIT.refused, error ?? `the server returned status ${response.status}: is it a ws-payment-server?`, code)
}
