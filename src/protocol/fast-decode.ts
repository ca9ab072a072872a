// The usual frame, read straight from its bytes: as JSON.stringify writes it, flat, with plain ASCII strings, lists of those, and short numbers.
import { Type, type TObject, type TString } from '@sinclair/typebox'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import { asciiText } from '../bytes.js'
import { holdsCardNumber, isCardNumber, isCardDataKey } from './card-data.js'
import type { EventPayload } from './events.js'
import { InternedStrings } from './string-cache.js'
import { matchesAt, viewOf, bytePattern, type BytePattern } from './byte-match.js'

/** A frame that was read. Its payload is valid, its bounds are kept and no card data is in it; its id is still to be checked. */
export interface FastFrame {
  readonly type: string
  readonly payload: EventPayload
  readonly id: string | undefined
  /** All up to the end of the payload as it came, ASCII: to the byte what JSON.stringify makes of it. */
  readonly jsonPrefix: string
}

/** Bounds on what one frame holds. */
export interface DecoderLimits { readonly keys: number, readonly items: number, readonly string: number }

/** A key that the contract names, how it is written, and where its values are names, those that are known. */
interface Key { readonly name: string, readonly pattern: BytePattern, readonly names: InternedStrings | undefined }
interface MessageTemplate {
  readonly type: string
  /** From the type to what is in the payload. */
  readonly pattern: BytePattern
  /** What the contract names in the payload, in the order in which it is most often written. */
  readonly keys: readonly Key[]
  /** A bit for each of those that are names and must be there. */
  readonly required: number
  /** Of the payload, but for the names. */
  readonly check: TypeCheck<TObject>
}
type Value = string | number | string[]

const TYPE = bytePattern('{"type":"')
const ID = bytePattern('"id":')
const [QUOTE, COLON, COMMA, POINT, ZERO, NINE, END, LIST, LIST_END] = Buffer.from('":,.09}[]') as unknown as [number, number, number, number, number, number, number, number, number]

/** What stands for itself in a JSON string. */
const UNESCAPED = new Uint8Array(256).fill(1, 0x20, 0x7f)
UNESCAPED[QUOTE] = UNESCAPED['\\'.charCodeAt(0)] = 0

/** Digits that a number may have so that it is written again as it came: a double keeps fifteen, and below 1e-6 it is written with an exponent. */
const MAX_DIGITS = 15
const MAX_DECIMALS = 6
const POWERS = Array.from({ length: MAX_DECIMALS + 1 }, (_, n) => 10 ** n)

/** Keys that the contract does not name, as long as they stay where they were written, as numbers would not, and mean nothing to an object or an envelope. */
const OTHER_KEY = /^(?!type$|payload$|id$)[A-Za-z]/

export class FastFrameDecoder {
  readonly #templates: readonly MessageTemplate[]
  readonly #bounds: DecoderLimits
  // Of the frame that is being read: its bytes, where it ends in them, the same as text, where that begins in them, and how many keys and items there were.
  #bytes: Buffer = Buffer.alloc(0)
  #view = viewOf(this.#bytes)
  #limit = 0
  #text = ''
  #start = 0
  #keys = 0
  #items = 0
  /** What {@link #other} read last, and where what was read last ends. */
  #lastValue: Value | undefined
  #end = 0

  /**
   * @param schemas of the payload, by type
   * @param names keys that have a name as their value, and the rule for it
   */
  constructor (schemas: Iterable<readonly [string, TObject]>, names: Readonly<Record<string, TString>>, bounds: DecoderLimits) {
    const known = new Map(Object.entries(names).map(([key, schema]) => [key, new InternedStrings(TypeCompiler.Compile(schema))]))
    this.#templates = Array.from(schemas, ([type, schema]): MessageTemplate => {
      const keys = Object.keys(schema.properties).map((name): Key => ({ name, pattern: bytePattern(`"${name}":`), names: known.get(name) }))
      const required = keys.reduce((bits, { name, names }, i) => names && schema.required?.includes(name) ? bits | 1 << i : bits, 0)
      return { type, pattern: bytePattern(`${type}","payload":{`), keys, required, check: TypeCompiler.Compile(Type.Omit(schema, [...known.keys()])) }
    })
    this.#bounds = bounds
  }

  /**
   * Reads a whole frame: `{"type":…,"payload":{…}}`, perhaps with an `id` and other keys behind.
   * @param end in the bytes, from `start`
   * @returns undefined for anything else, also for what may be card data: it is to be read, and refused, in the general way
   */
  read (bytes: Buffer, start: number, end: number): FastFrame | undefined {
    const view = viewOf(bytes)
    if (!matchesAt(view, start, end, TYPE)) return undefined
    const layout = this.#templateAt(view, start + TYPE.length, end)
    if (!layout) return undefined
    this.#bytes = bytes
    this.#view = view
    this.#limit = end
    this.#text = asciiText(bytes, start, end)
    this.#start = start
    this.#keys = 2
    this.#items = 0
    const payload = this.#payload(start + TYPE.length + layout.pattern.length, layout)
    if (!payload) return undefined
    const payloadEnd = this.#end
    let id: string | undefined
    let at = payloadEnd
    while (bytes[at] === COMMA) {
      if (++this.#keys > this.#bounds.keys) return undefined
      if (id === undefined && matchesAt(view, at + 1, end, ID)) {
        const idAt = at + 1 + ID.length
        if (this.#string(idAt) === undefined) return undefined
        // A log keeps it, and a slice would keep all of the text.
        id = asciiText(bytes, idAt + 1, this.#end - 1)
      } else if (this.#readExtraKey(at + 1) === undefined) {
        return undefined
      }
      at = this.#end
    }
    if (bytes[at] !== END || at + 1 !== end || !layout.check.Check(payload)) return undefined
    return { type: layout.type, payload: payload as EventPayload, id, jsonPrefix: this.#slice(start, payloadEnd) }
  }

  /** A few bytes tell which it is, so trying them one after the other costs less than looking up a name. */
  #templateAt (view: DataView, at: number, end: number): MessageTemplate | undefined {
    for (const layout of this.#templates) if (matchesAt(view, at, end, layout.pattern)) return layout
    return undefined
  }

  /** What is behind the opening bracket of the payload. */
  #payload (start: number, { keys, required }: MessageTemplate): Record<string, unknown> | undefined {
    const bytes = this.#bytes
    const payload: Record<string, unknown> = {}
    let at = start
    let next = 0
    let seen = 0
    for (;;) {
      if (++this.#keys > this.#bounds.keys) return undefined
      const key = keyAt(this.#view, at, this.#limit, keys, next)
      // A second one of a name takes the place of the first, and JSON.stringify writes it there.
      if (key >= 0) {
        if ((seen & 1 << key) !== 0) return undefined
        seen |= 1 << key
        next = key + 1
        const { name, pattern: { length }, names } = keys[key]!
        const value = names ? this.#name(at + length, names) : this.#value(at + length)
        if (value === undefined) return undefined
        set(payload, name, value)
      } else {
        const name = this.#readExtraKey(at)
        if (name === undefined || Object.hasOwn(payload, name)) return undefined
        set(payload, name, this.#lastValue!)
      }
      at = this.#end + 1
      if (bytes[at - 1] === COMMA) continue
      this.#end = at
      return bytes[at - 1] === END && (seen & required) === required ? payload : undefined
    }
  }

  /** A key that the contract does not name, and its value, which is {@link #lastValue} then. @returns its name */
  #readExtraKey (at: number): string | undefined {
    const name = this.#string(at)
    if (name === undefined || this.#bytes[this.#end] !== COLON || !OTHER_KEY.test(name)) return undefined
    const value = this.#lastValue = this.#value(this.#end + 1)
    return value === undefined || isCardDataKey(name, value) ? undefined : name
  }

  #value (at: number): Value | undefined {
    const first = this.#bytes[at]
    return first === QUOTE ? this.#string(at) : first === LIST ? this.#strings(at) : this.#number(at)
  }

  #string (at: number): string | undefined {
    const bytes = this.#bytes
    if (bytes[at] !== QUOTE) return undefined
    let end = at + 1
    while (UNESCAPED[bytes[end]!] === 1) end++
    if (bytes[end] !== QUOTE || end - at - 1 > this.#bounds.string) return undefined
    const value = this.#slice(at + 1, end)
    this.#end = end + 1
    return holdsCardNumber(value) ? undefined : value
  }

  #name (at: number, names: InternedStrings): string | undefined {
    const bytes = this.#bytes
    if (bytes[at] !== QUOTE) return undefined
    let end = at + 1
    while (UNESCAPED[bytes[end]!] === 1) end++
    this.#end = end + 1
    return bytes[end] === QUOTE ? names.read(bytes, this.#view, at + 1, end) : undefined
  }

  #strings (start: number): string[] | undefined {
    const items: string[] = []
    let at = start
    do {
      const item = this.#string(at + 1)
      if (item === undefined || ++this.#items > this.#bounds.items) return undefined
      items.push(item)
      at = this.#end
    } while (this.#bytes[at] === COMMA)
    this.#end = at + 1
    return this.#bytes[at] === LIST_END ? items : undefined
  }

  #number (start: number): number | undefined {
    const bytes = this.#bytes
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

  #slice (from: number, to: number): string { return this.#text.slice(from - this.#start, to - this.#start) }
}

/** Which of the keys it is, -1 for none of them. Most often it is the next one. */
function keyAt (view: DataView, at: number, end: number, keys: readonly Key[], next: number): number {
  for (let i = next; i < keys.length; i++) if (matchesAt(view, at, end, keys[i]!.pattern)) return i
  for (let i = 0; i < next; i++) if (matchesAt(view, at, end, keys[i]!.pattern)) return i
  return -1
}

/** Sets a key. Each of the contract's names has a place of its own in the code, where V8 remembers the objects that get it; at one place for all it could not. */
function set (payload: Record<string, unknown>, name: string, value: Value): void {
  switch (name) {
    case 'roomId': payload.roomId = value; break
    case 'deviceId': payload.deviceId = value; break
    case 'method': payload.method = value; break
    case 'fields': payload.fields = value; break
    case 'transactionId': payload.transactionId = value; break
    case 'amount': payload.amount = value; break
    case 'currency': payload.currency = value; break
    case 'error': payload.error = value; break
    case 'code': payload.code = value; break
    default: payload[name] = value
  }
}

function isDigit (byte: number | undefined): boolean { return byte !== undefined && byte >= ZERO && byte <= NINE }
