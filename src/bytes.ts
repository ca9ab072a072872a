// What is done to bytes at every event, by methods that are known beforehand: Node.js 20 looks the method of a Buffer up anew at each call, and `write` and
// `toString` then look for what belongs to the encoding. Together that was a twentieth of what an event of a burst costs.

const { set } = Uint8Array.prototype
const { write } = Buffer.prototype

/** What Buffer.prototype has for Latin-1 and `write` and `toString` call. It is not documented, so another version may do without. */
interface Latin1 {
  readonly latin1Write?: (this: Buffer, text: string, at: number) => number
  readonly latin1Slice?: (this: Buffer, start: number, end: number) => string
}

/** @returns the same by the documented methods, where there is none */
export function latin1Of ({ latin1Write, latin1Slice }: Latin1): Required<Latin1> {
  const { write, toString } = Buffer.prototype
  return {
    latin1Write: latin1Write ?? function (text, at) { return write.call(this, text, at, 'latin1') },
    latin1Slice: latin1Slice ?? function (start, end) { return toString.call(this, 'latin1', start, end) }
  }
}

const { latin1Write, latin1Slice } = latin1Of(Buffer.prototype)

/** @param text is ASCII @returns how many bytes were written */
export function writeAscii (memory: Buffer, text: string, at: number): number { return latin1Write.call(memory, text, at) }

/** @returns how many bytes were written */
export function writeUtf8 (memory: Buffer, text: string, at: number): number { return write.call(memory, text, at) }

/** The text of bytes that are ASCII. */
export function asciiText (memory: Buffer, start: number, end: number): string { return latin1Slice.call(memory, start, end) }

export function copyInto (memory: Buffer, bytes: Uint8Array, at: number): void { set.call(memory, bytes, at) }
