// Decodes typical messages straight from their bytes: flat JSON as JSON.stringify writes it, with unescaped ASCII strings, arrays of those, and short numbers.
import { Type, type TObject, type TString } from '@sinclair/typebox'
import { asciiText } from '../websocket/latin1.js'
import { holdsCardNumber, isCardNumber } from './card-numbers.js'
import { cardNameOf } from './card-words.js'
import { checkOf, type Check } from './compiled-checks.js'
import type { EventPayload } from './events.js'
import { hasMoney, moneyFault } from './money.js'
import { InternedStrings } from './string-cache.js'

/** Bytes compared at a time. Most of a typical message is known text; byte by byte, finding it took 10 % of the cost of an event in a burst. */
const WORD = 4

/** Text as little-endian 32-bit words; the last word ends with the text, so it may overlap the one before. */
export interface BytePattern { readonly length: number, readonly words: Int32Array }

/** A decoded message. Its payload is valid, within the limits and free of card data; its id is not yet validated. */
export interface FastFrame {
  readonly type: string
  readonly payload: EventPayload
  readonly id: string | undefined
  /** ASCII text of the message up to the end of the payload: byte for byte the output of JSON.stringify. */
  readonly jsonPrefix: string
}

/** Limits on the content of one message. */
export interface DecoderLimits { readonly keys: number, readonly items: number, readonly string: number }

/** A payload key of the contract, its byte pattern, and the string cache of its values if they are room or device ids. */
interface Key { readonly name: string, readonly pattern: BytePattern, readonly names: InternedStrings | undefined }
interface MessageTemplate {
  readonly type: string
  /** Bytes from the type to the opening brace of the payload. */
  readonly pattern: BytePattern
  /** Payload keys of the contract, in the order in which they are most often sent. */
  readonly keys: readonly Key[]
  /** Bitmask of the keys that hold an id and are required. */
  readonly required: number
  /** Validates the payload except for the ids, which InternedStrings validates. */
  readonly isValid: Check<TObject>
  readonly hasMoney: boolean
}
type Value = string | number | string[]

const TYPE = bytePattern('{"type":"')
const ID = bytePattern('"id":')
const [QUOTE, COLON, COMMA, POINT, ZERO, NINE, END, LIST, LIST_END] = Buffer.from('":,.09}[]') as unknown as [number, number, number, number, number, number, number, number, number]

/** ASCII characters that need no escape in a JSON string. */
const UNESCAPED = new Uint8Array(256).fill(1, 0x20, 0x7f)
UNESCAPED[QUOTE] = UNESCAPED['\\'.charCodeAt(0)] = 0

/** Maximum digits of a number that is serialised exactly as sent: a double keeps fifteen, and a value below 1e-6 is written with an exponent. */
const MAX_DIGITS = 15
const MAX_DECIMALS = 6
const POWERS = Array.from({ length: MAX_DECIMALS + 1 }, (_, n) => 10 ** n)

/** Extra keys allowed on the fast path: not array-index-like (V8 would reorder them), not special to an object (`__proto__`), and not type, payload or id. */
const OTHER_KEY = /^(?!type$|payload$|id$)[A-Za-z]/

/** One pass over the bytes. The methods share the position in them, so they cannot be in different places. */
export class FastFrameDecoder {
  readonly #templates: readonly MessageTemplate[]
  readonly #bounds: DecoderLimits
  // The current message: its bytes, its end in them, its text, the offset of the text in the bytes, and the number of keys and items read so far.
  #bytes: Buffer = Buffer.alloc(0)
  #view = new DataView(this.#bytes.buffer)
  #limit = 0
  #text = ''
  #start = 0
  #keys = 0
  #items = 0
  /** Value that {@link #readExtraKey} read last, and the end offset of the value that was read last. */
  #lastValue: Value | undefined
  #end = 0

  /**
   * @param schemas payload schemas by type
   * @param names keys whose value is a room or device id, and the schema of that id
   */
  constructor (schemas: Iterable<readonly [string, TObject]>, names: Readonly<Record<string, TString>>, bounds: DecoderLimits) {
    const known = new Map(Object.entries(names).map(([key, schema]) => [key, new InternedStrings(checkOf(schema))]))
    this.#templates = Array.from(schemas, ([type, schema]): MessageTemplate => {
      const keys = Object.keys(schema.properties).map((name): Key => ({ name, pattern: bytePattern(`"${name}":`), names: known.get(name) }))
      const required = keys.reduce((bits, { name, names }, i) => names && schema.required?.includes(name) ? bits | 1 << i : bits, 0)
      return { type, pattern: bytePattern(`${type}","payload":{`), keys, required, isValid: checkOf(Type.Omit(schema, [...known.keys()])), hasMoney: hasMoney(schema) }
    })
    this.#bounds = bounds
  }

  /**
   * Decodes a whole message: `{"type":…,"payload":{…}}`, optionally followed by an `id` and other keys.
   * @param start offset of the message in the bytes
   * @param end end of the message in the bytes, exclusive
   * @returns undefined for anything else, including possible card data: the general decoder reads such a message, or rejects it
   */
  read (bytes: Buffer, start: number, end: number): FastFrame | undefined {
    const view = this.#viewOf(bytes)
    if (!matchesAt(view, start, end, TYPE)) return undefined
    const layout = this.#templateAt(view, start + TYPE.length, end)
    if (!layout) return undefined
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
        // Built from its own bytes: a log keeps the id, and a sliced string would retain the whole text.
        id = asciiText(bytes, idAt + 1, this.#end - 1)
      } else if (this.#readExtraKey(at + 1) === undefined) {
        return undefined
      }
      at = this.#end
    }
    if (bytes[at] !== END || at + 1 !== end || !layout.isValid(payload) || (layout.hasMoney && moneyFault(payload))) return undefined
    return { type: layout.type, payload: payload as EventPayload, id, jsonPrefix: this.#slice(start, payloadEnd) }
  }

  /** Returns a DataView of the bytes. Sockets share one read buffer, so that the last view nearly always serves again. */
  #viewOf (bytes: Buffer): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    return this.#view
  }

  /** Tries the templates in turn: the first few bytes tell them apart, so this costs less than a lookup by type. */
  #templateAt (view: DataView, at: number, end: number): MessageTemplate | undefined {
    for (const layout of this.#templates) if (matchesAt(view, at, end, layout.pattern)) return layout
    return undefined
  }

  /** Reads the payload after its opening brace. */
  #payload (start: number, { keys, required }: MessageTemplate): Record<string, unknown> | undefined {
    const bytes = this.#bytes
    const payload: Record<string, unknown> = {}
    let at = start
    let next = 0
    let seen = 0
    for (;;) {
      if (++this.#keys > this.#bounds.keys) return undefined
      const key = keyAt(this.#view, at, this.#limit, keys, next)
      // Leave repeated keys to the general decoder: the second value replaces the first, and JSON.stringify writes it in the first one's place.
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

  /** Reads a key outside the contract, and its value into {@link #lastValue}. @returns the name of the key */
  #readExtraKey (at: number): string | undefined {
    const name = this.#string(at)
    if (name === undefined || this.#bytes[this.#end] !== COLON || !OTHER_KEY.test(name)) return undefined
    const value = this.#lastValue = this.#value(this.#end + 1)
    return value === undefined || cardNameOf(name, value) !== undefined ? undefined : name
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
    // Both operands are exact, so the quotient is the double nearest to the sent decimal.
    const value = digits / POWERS[decimals]!
    return isCardNumber(value) ? undefined : value
  }

  #slice (from: number, to: number): string { return this.#text.slice(from - this.#start, to - this.#start) }
}

/** @returns the index of the key at this offset, or -1; the search begins with the most likely key, `next` */
function keyAt (view: DataView, at: number, end: number, keys: readonly Key[], next: number): number {
  for (let i = next; i < keys.length; i++) if (matchesAt(view, at, end, keys[i]!.pattern)) return i
  for (let i = 0; i < next; i++) if (matchesAt(view, at, end, keys[i]!.pattern)) return i
  return -1
}

/**
 * Sets a key. Each key of the contract has an assignment of its own, so that V8's inline cache holds its hidden classes; one shared assignment overflows it, and
 * an event of a burst then costs 7 % more CPU.
 */
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

/** @param text ASCII, at least four characters */
export function bytePattern (text: string): BytePattern {
  const bytes = Buffer.from(text)
  const last = bytes.length - WORD
  const words = Array.from({ length: Math.ceil(bytes.length / WORD) }, (_, i) => bytes.readInt32LE(Math.min(i * WORD, last)))
  return { length: bytes.length, words: Int32Array.from(words) }
}

/** Checks if the pattern stands at offset `at`. @param end end of the readable bytes, exclusive */
export function matchesAt (view: DataView, at: number, end: number, { length, words }: BytePattern): boolean {
  if (at + length > end) return false
  const last = words.length - 1
  for (let i = 0; i < last; i++) if (view.getInt32(at + i * WORD, true) !== words[i]) return false
  return view.getInt32(at + length - WORD, true) === words[last]
}
