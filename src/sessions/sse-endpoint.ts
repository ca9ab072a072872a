// Opens and closes the event streams of a server: a session for each.
import type { PassThrough } from 'node:stream'
import type { Failure } from '../errors.js'
import { newEventBody } from './event-output.js'
import type { SessionRegistry } from './session-registry.js'
import { SseSession, type SseSessionOptions, type StreamRequest, type StreamSource } from './sse-session.js'

export class SseEndpoint {
  readonly #sessions: SessionRegistry
  readonly #options: SseSessionOptions

  /** @param options of each session */
  constructor (sessions: SessionRegistry, options: SseSessionOptions) {
    this.#sessions = sessions
    this.#options = options
  }

  /**
   * Opens a stream and joins its room.
   * @param start starts the response with this body; called once the join has succeeded, so that a refusal can still be a plain HTTP response
   * @returns the reason why there is no stream
   */
  async open (source: Omit<StreamSource, 'output'>, request: StreamRequest, start: (output: PassThrough) => void): Promise<Failure | undefined> {
    const refusal = this.#sessions.refusalOf(source.address)
    if (refusal) return refusal
    const output = newEventBody(this.#options.maxBytes)
    const stream = new SseSession({ ...source, output }, this.#options)
    this.#sessions.open(stream)
    output.once('close', () => {
      this.#sessions.closed(stream)
      this.#options.rooms.drop(stream)
    })
    const failure = await stream.join(request, () => start(output))
    if (failure) output.destroy()
    return failure
  }
}
