// A backend beside the load of a fault test: it publishes over REST with keys and tokens that must not be logged. Its answers are not checked.
import { setTimeout as sleep } from 'node:timers/promises'
import { API_KEY, publishRequest, WRONG_TOKEN } from '../../log-marks.js'
import type { Node } from './cluster.js'

/** Pause between two calls, ms. */
const PAUSE = 100
/** Timeout of a call to a node that hangs, ms. */
const PATIENCE = 2_000

export class Backend {
  readonly #end = new AbortController()
  readonly #calls: Promise<unknown>

  /** @param room a room that only this backend publishes into */
  constructor (nodes: readonly Node[], room: string) {
    this.#calls = Promise.all(nodes.map(({ port }) => this.#call(`http://127.0.0.1:${port}/api/rooms/backend-${room}/events`)))
  }

  async stop (): Promise<void> {
    this.#end.abort()
    await this.#calls
  }

  async #call (url: string): Promise<void> {
    for (let n = 0; !this.#end.signal.aborted; n++) {
      const request = publishRequest(n % 4 === 0 ? WRONG_TOKEN : API_KEY)
      // Each call has a connection of its own: none may be left when descriptors are counted.
      const headers = { ...request.headers, connection: 'close' }
      await fetch(url, { ...request, headers, signal: AbortSignal.timeout(PATIENCE) }).then(async (response) => response.text()).catch(() => { /* it was broken */ })
      await sleep(PAUSE, undefined, { signal: this.#end.signal }).catch(() => { /* it is over */ })
    }
  }
}
