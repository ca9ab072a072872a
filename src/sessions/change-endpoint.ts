// Opens and closes the streams of the changes of all rooms.
import type { PassThrough } from 'node:stream'
import type { Failure } from '../errors.js'
import { ChangeStream, type ChangeStreamOptions } from './change-stream.js'
import { newEventBody } from './event-output.js'
import type { SessionRegistry } from './session-registry.js'

export class ChangeEndpoint {
  readonly #sessions: SessionRegistry
  readonly #options: ChangeStreamOptions

  /** @param options of each stream */
  constructor (sessions: SessionRegistry, options: ChangeStreamOptions) {
    this.#sessions = sessions
    this.#options = options
  }

  /**
   * Opens a stream.
   * @param after position to resume from; undefined: now
   * @param start starts the response with this body, once nothing refuses the stream any more
   * @returns the reason why there is no stream
   */
  async open (address: string, after: string | undefined, start: (output: PassThrough) => void): Promise<Failure | undefined> {
    const refusal = this.#sessions.refusalOf(address)
    if (refusal) return refusal
    const output = newEventBody(this.#options.maxBytes)
    const stream = new ChangeStream(address, output, this.#options)
    this.#sessions.open(stream)
    output.once('close', () => this.#sessions.closed(stream))
    const failure = await stream.open(after, () => start(output))
    if (failure) output.destroy()
    return failure
  }
}
