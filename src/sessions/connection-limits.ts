// Limits on the connections of this node, in total and per address.
import { networkOf } from '../auth/address.js'
import { Failure } from '../errors.js'

export interface ConnectionLimitsOptions {
  /** 0: no limit. */
  readonly maxConnections: number
  /** 0: no limit. */
  readonly maxPerAddress: number
}

export class ConnectionLimits {
  readonly #options: ConnectionLimitsOptions
  readonly #perAddress = new Map<string, number>()
  #connections = 0

  constructor (options: ConnectionLimitsOptions) { this.#options = options }

  /** @returns the failure if a limit refuses one more connection from this address */
  check (address: string): Failure | undefined {
    const { maxConnections, maxPerAddress } = this.#options
    if (maxConnections > 0 && this.#connections >= maxConnections) return new Failure('UNAVAILABLE', 'The server has reached its connection limit; try again later.')
    if (maxPerAddress > 0 && this.#of(networkOf(address)) >= maxPerAddress) return new Failure('RATE_LIMITED', 'This address has reached its connection limit.')
    return undefined
  }

  acquire (address: string): void { this.#count(address, 1) }

  release (address: string): void { this.#count(address, -1) }

  #of (network: string): number { return this.#perAddress.get(network) ?? 0 }

  #count (address: string, difference: 1 | -1): void {
    this.#connections += difference
    if (this.#options.maxPerAddress === 0) return
    const network = networkOf(address)
    const count = this.#of(network) + difference
    if (count > 0) this.#perAddress.set(network, count)
    else this.#perAddress.delete(network)
  }
}
