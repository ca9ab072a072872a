// The usual frame, read straight from its bytes: as JSON.stringify writes it, with documented keys that hold plain ASCII strings and short numbers.
import type { TObject } from '@sinclair/typebox'
import type { TypeCheck } from '@sinclair/typebox/compiler'
import { holdsCardNumber, isCardNumber } from './card-data.js'
import type { EventPayload } from './events.js'

/** A frame that was read. Its payload is valid, its bounds are kept and no card data is in it; its id is still to be checked. */
export interface PlainFrame {
  readonly type: string
  readonly payload: EventPayload
  readonly id: string | undefined
  /** The payload as it came, ASCII: to the byte what JSON.stringify makes of it. */
  readonly json: string
}

/** A key that the contract names, and the bytes that it is written as. */
interface Key { readonly name: string, readonly isString: boolean, readonly bytes: Uint8Array }
/** A type, the bytes from its name to the payload, and what may be in that, in the order in which it is most often written. */
interface Layout { readonly type: string, readonly bytes: Uint8Array, readonly keys: readonly Key[], readonly check: TypeCheck<TObject> }

const ascii = (text: string) => new Uint8Array(Buffer.from(text))
const TYPE = ascii('{"type":"')
const ID = ascii(',"id":')
const [QUOTE, COMMA, POINT, ZERO, NINE, END] = ascii('",.09}') as unknown as [number, number, number, number, number, number]

/** What stands for itself in a JSON string. */
const PLAIN = new Uint8Array(256).fill(1, 0x20, 0x7f)
PLAIN[QUOTE] = PLAIN['\\'.charCodeAt(0)] = 0

/** Digits that a number may have so that it is written again as it came: a double keeps fifteen, and below 1e-6 it is written with an exponent. */
const MAX_DIGITS = 15
const MAX_DECIMALS = 6
const POWERS = Array.from({ length: MAX_DECIMALS + 1 }, (_, n) => 10 ** n)

export class PlainFrames {
  readonly #layouts: readonly Layout[]
  readonly #maxString: number
  /** Where the value ends that was read last. */
  #end = 0

  /**
   * @param checks of the payload, by type; keys whose schema is neither of a string nor of a number are no part of a plain frame
   * @param maxString characters in a string
   */
  constructor (checks: Iterable<readonly [string, TypeCheck<TObject>]>, maxString: number) {
    this.#layouts = Array.from(checks, ([type, check]) => ({ type, bytes: ascii(`${type}","payload":{`), keys: keysOf(check.Schema()), check }))
    this.#maxString = maxString
  }

  /**
   * Reads a whole frame: `{"type":…,"payload":{…}}`, perhaps with an `id` behind.
   * @param end in the bytes, from `start`
   * @returns undefined for anything else, also for what may be card data: it is to be read, and refused, in the general way
   */
  read (bytes: Uint8Array & Pick<Buffer, 'toString'>, start: number, end: number): PlainFrame | undefined {
    if (!isAt(bytes, start, TYPE)) return undefined
    const layout = this.#layoutAt(bytes, start + TYPE.length)
    if (!layout) return undefined
    const text = bytes.toString('latin1', start, end)
    const payloadAt = start + TYPE.length + layout.bytes.length - 1
    const payload = this.#payload(bytes, payloadAt + 1, text, start, layout.keys)
    if (!payload) return undefined
    const payloadEnd = this.#end
    let at = payloadEnd
    let id: string | undefined
    if (isAt(bytes, at, ID)) {
      id = this.#string(bytes, at + ID.length, text, start)
      if (id === undefined) return undefined
      at = this.#end
    }
    if (bytes[at] !== END || at + 1 !== end || !layout.check.Check(payload)) return undefined
    return { type: layout.type, payload: payload as EventPayload, id, json: text.slice(payloadAt - start, payloadEnd - start) }
  }

  /** A few bytes tell which it is, so trying them one after the other costs less than looking up a name. */
  #layoutAt (bytes: Uint8Array, at: number): Layout | undefined {
    for (const layout of this.#layouts) if (isAt(bytes, at, layout.bytes)) return layout
    return undefined
  }

  /** What is behind the opening bracket of the payload. */
  #payload (bytes: Uint8Array, start: number, text: string, textAt: number, keys: readonly Key[]): Record<string, unknown> | undefined {
    const payload: Record<string, unknown> = {}
    let at = start
    let next = 0
    let seen = 0
    for (;;) {
      // Most often it is the next one. A second one of a name takes the place of the first, and JSON.stringify writes it there.
      for (let tries = 0; !isAt(bytes, at, keys[next]!.bytes); next = (next + 1) % keys.length) if (++tries === keys.length) return undefined
      const { name, isString, bytes: { length } } = keys[next]!
      if ((seen & 1 << next) !== 0) return undefined
      seen |= 1 << next
      const value = isString ? this.#string(bytes, at + length, text, textAt) : this.#number(bytes, at + length)
      if (value === undefined) return undefined
      set(payload, name, value)
      at = this.#end + 1
      if (bytes[at - 1] === COMMA) {
        next = (next + 1) % keys.length
        continue
      }
      this.#end = at
      return bytes[at - 1] === END ? payload : undefined
    }
  }

  /** @param textAt where the text begins in the bytes */
  #string (bytes: Uint8Array, at: number, text: string, textAt: number): string | undefined {
    if (bytes[at] !== QUOTE) return undefined
    const end = endOfPlain(bytes, at + 1)
    if (bytes[end] !== QUOTE || end - at - 1 > this.#maxString) return undefined
    const value = text.slice(at + 1 - textAt, end - textAt)
    this.#end = end + 1
    return holdsCardNumber(value) ? undefined : value
  }

  #number (bytes: Uint8Array, start: number): number | undefined {
    let at = start
    let digits = 0
    for (; isDigit(bytes[at]); at++) digits = digits * 10 + bytes[at]! - ZERO
    const whole = at - start
    if (whole === 0 || (whole > 1 && bytes[start] === ZERO)) return undefined
    let decimals = 0
    if (bytes[at] === POINT) {
      for (at++; isDigit(bytes[at]); at++, decimals++) digits = digits * 10 + bytes[at]! - ZERO
      if (decimals === 0 || decimals > MAX_DECIMALS || bytes[at - 1] === ZERO) return undefined
    }
    if (whole + decimals > MAX_DIGITS) return undefined
    this.#end = at
    // Both are exact, so the quotient is the double that is next to what was written.
    const value = digits / POWERS[decimals]!
    return isCardNumber(value) ? undefined : value
  }
}

function keysOf ({ properties }: TObject): Key[] {
  return Object.entries(properties).filter(([, { type }]) => type === 'string' || type === 'number')
    .map(([name, { type }]) => ({ name, isString: type === 'string', bytes: ascii(`"${name}":`) }))
}

/** Sets a key. Each of the contract's names has a place of its own in the code, where V8 remembers the objects that get it: a fifth of what one place for all names costs. */
function set (payload: Record<string, unknown>, name: string, value: string | number): void {
  switch (name) {
    case 'roomId': payload.roomId = value; break
    case 'deviceId': payload.deviceId = value; break
    case 'method': payload.method = value; break
    case 'transactionId': payload.transactionId = value; break
    case 'amount': payload.amount = value; break
    case 'currency': payload.currency = value; break
    case 'error': payload.error = value; break
    case 'code': payload.code = value; break
    default: payload[name] = value
  }
}

function isAt (bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false
  return true
}

/** Where the first byte is that does not stand for itself. */
function endOfPlain (bytes: Uint8Array, at: number): number {
  while (PLAIN[bytes[at]!] === 1) at++
  return at
}

function isDigit (byte: number | undefined): boolean { return byte !== undefined && byte >= ZERO && byte <= NINE }
