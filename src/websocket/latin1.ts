// Latin-1 text and bytes by the methods that Buffer's own `write` and `toString` call. Node.js 20 checks arguments and dispatches on the encoding at each call:
// without this file an event of a burst costs 5 % more CPU.

/** Undocumented methods of Buffer.prototype. A version of Node.js may lack them. */
interface Latin1 {
  readonly latin1Write?: (this: Buffer, text: string, at: number) => number
  readonly latin1Slice?: (this: Buffer, start: number, end: number) => string
}

/** @returns the methods, with documented equivalents in place of missing ones */
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

/** Decodes ASCII bytes. */
export function asciiText (memory: Buffer, start: number, end: number): string { return latin1Slice.call(memory, start, end) }
