// Buffer operations of the event path, with their methods looked up once. Node.js 20 looks up a Buffer's method on every call, and `write` and `toString` then
// dispatch on the encoding: together 5 % of the cost of an event in a burst.

const { set } = Uint8Array.prototype
const { write } = Buffer.prototype

/** Undocumented Latin-1 methods of Buffer.prototype, which `write` and `toString` call. A version of Node.js may lack them. */
interface Latin1 {
  readonly latin1Write?: (this: Buffer, text: string, at: number) => number
  readonly latin1Slice?: (this: Buffer, start: number, end: number) => string
}

/** @returns the Latin-1 methods, with documented equivalents in place of missing ones */
export function latin1Of ({ latin1Write, latin1Slice }: Latin1): Required<Latin1> {
  const { write, toString } = Buffer.prototype
  return {
    latin1Write: latin1Write ?? function (text, at) { return write.call(this, text, at, 'latin1') },
    latin1Slice: latin1Slice ?? function (start, end) { return toString.call(this, 'latin1', start, end) }
  }
}

const { latin1Write, latin1Slice } = latin1Of(Buffer.prototype)

/** @param text must be ASCII @returns number of bytes written */
export function writeAscii (memory: Buffer, text: string, at: number): number { return latin1Write.call(memory, text, at) }

/** @returns number of bytes written */
export function writeUtf8 (memory: Buffer, text: string, at: number): number { return write.call(memory, text, at) }

/** Decodes ASCII bytes. */
export function asciiText (memory: Buffer, start: number, end: number): string { return latin1Slice.call(memory, start, end) }

export function copyInto (memory: Buffer, bytes: Uint8Array, at: number): void { set.call(memory, bytes, at) }
