// Rate limits of one socket: messages, and invalid frames.
import { Gcra, rateOf, type Rate } from './gcra.js'

/** A flood is this many times the allowed rate. */
const FLOOD = 5
/** Limit of invalid frames and of joins with a rejected token: ten at once, and ten a minute. */
const INVALID_FRAMES = rateOf(10 / 60, 10)

/** Message rates of a socket: above `allowed` messages are refused, above `flood` the socket is closed. */
export interface MessageRates { readonly allowed: Rate, readonly flood: Rate }

/** @returns undefined for no limit, which is what `perSecond` 0 means */
export function messageRates (perSecond: number, burst: number): MessageRates | undefined {
  return perSecond === 0 ? undefined : { allowed: rateOf(perSecond, burst), flood: rateOf(perSecond * FLOOD, burst * FLOOD) }
}

/** Each method counts one more of its kind. All times are ms by the monotonic clock. */
export class SocketRateLimits {
  readonly #messages: Gcra | undefined
  readonly #arrivals: Gcra | undefined
  #invalidFrames: Gcra | undefined

  constructor (rates: MessageRates | undefined) {
    if (!rates) return
    this.#messages = new Gcra(rates.allowed)
    this.#arrivals = new Gcra(rates.flood)
  }

  /** Counts an arrival other than a message: a ping or an unsolicited pong. @returns true if the socket should be closed */
  isFlood (time: number): boolean { return this.#arrivals?.take(time) === false }

  /** Counts a message. @returns `flood` if the socket should be closed, `over` if the message should be refused */
  check (time: number): 'flood' | 'over' | undefined {
    if (!this.#messages) return undefined
    if (this.isFlood(time)) return 'flood'
    return this.#messages.take(time) ? undefined : 'over'
  }

  /** Counts an invalid frame. @returns true if the limit is exceeded */
  isOverErrorLimit (time: number): boolean {
    this.#invalidFrames ??= new Gcra(INVALID_FRAMES)
    return !this.#invalidFrames.take(time)
  }
}
