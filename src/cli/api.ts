// REST calls of the commands: creates rooms, mints tokens and publishes events as a backend.
import { addresses } from '../client/options.js'
import type { PaymentEventType, Receipt, Role } from '../client/index.js'
import { EXIT, CliError, reasonOf } from './cli-error.js'
import { withTimeout } from './timeouts.js'
import type { Terminal } from './terminal.js'

export interface ApiOptions { readonly url: string, readonly roomId: string, readonly apiKey?: string | undefined, /** s */ readonly timeout: number }

export interface RoomToken { readonly token: string, /** ms since the epoch */ readonly expiresAt: number }

/** An event of a backend. */
export interface BackendEvent { readonly type: PaymentEventType, readonly payload: Record<string, unknown>, readonly id: string }

export class Api {
  readonly #options: ApiOptions
  readonly #signal: AbortSignal

  constructor (options: ApiOptions, { signal }: Terminal) {
    this.#options = options
    this.#signal = signal
  }

  /** Creates the room, unless it exists. */
  async openRoom (): Promise<void> {
    await this.#post('../../rooms', { roomId: this.#options.roomId }).catch((error: unknown) => {
      if (!(error instanceof CliError) || error.code !== 'ROOM_EXISTS') throw error
    })
  }

  async mintToken (request: { role: Role, deviceId?: string | undefined, ttlSeconds?: number | undefined }): Promise<RoomToken> {
    return await this.#post('tokens', request) as RoomToken
  }

  /** @returns position in the log @throws {CliError} */
  async publish (event: BackendEvent): Promise<Receipt> {
    const { epoch, seq, duplicate } = await this.#post('events', event, `: the event ${event.id} may or may not be in the log`) as Receipt
    return { epoch, seq, duplicate }
  }

  /** @param path relative to the URL of the room's events @param consequence of a timeout @throws {CliError} */
  async #post (path: string, body: object, consequence = ''): Promise<unknown> {
    const { timeout } = this.#options
    const address = new URL(path, addresses(this.#options).events)
    const abort = new AbortController()
    // Not `AbortSignal.any` with `AbortSignal.timeout`: Node.js 20 may collect the timeout as garbage, and it then never fires.
    try {
      return await withTimeout(this.#exchange(address, body, abort.signal), timeout, this.#signal,
        () => new CliError(EXIT.unavailable, `no response from ${address.origin} within ${timeout} s${consequence}`))
    } finally {
      abort.abort()
    }
  }

  async #exchange (address: URL, body: object, signal: AbortSignal): Promise<unknown> {
    const { apiKey } = this.#options
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) },
      body: JSON.stringify(body),
      signal
    }).catch((error: unknown) => { throw new CliError(EXIT.unavailable, `cannot connect to ${address.origin}: ${reasonOf(error)}`) })
    if (!response.ok) throw await refusalOf(response)
    return (await response.json() as { data: unknown }).data
  }
}

/** Returns the error of a response that reports a failure. */
export async function refusalOf (response: { status: number, json: () => Promise<any> }): Promise<CliError> {
  const { error, code } = await response.json().catch(() => ({})) as { error?: string, code?: string }
  return new CliError(EXIT.refused, error ?? `the server returned status ${response.status}: is it a ws-payment-server?`, code)
}
