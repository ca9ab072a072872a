// How one socket behaves: how many messages it sends, and how many that are none.
import { Gcra, rateOf, type Rate } from './gcra.js'

/** How many times the allowed rate is taken for a flood. */
const FLOOD = 5
/** Frames that are no frames at all, or joins that prove nothing: ten at once, and ten a minute. */
const INVALID_FRAMES = rateOf(10 / 60, 10)

/** How many messages a socket may send: past the first rate they are refused, past the second the socket is closed. */
export interface MessageRates { readonly allowed: Rate, readonly flood: Rate }

/** @returns undefined for no limit, which is what 0 a second means */
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

  /** Something arrived. @returns whether there is so much of it that the socket should be closed */
  isFlood (time: number): boolean { return this.#arrivals?.take(time) === false }

  /** A message is to be worked off. @returns whether it should be refused */
  isOverLimit (time: number): boolean { return this.#messages?.take(time) === false }

  /** A frame was invalid. @returns whether it was one too many */
  isOverErrorLimit (time: number): boolean {
    this.#invalidFrames ??= new Gcra(INVALID_FRAMES)
    return !this.#invalidFrames.take(time)
  }
}
