// Small faults in the frame parser of the server's own transport. Each must make a case fail; a fault that does not shows a missing case.

export interface Mutant {
  /** Description of the fault. */
  readonly fault: string
  /** Cases that cover it: the beginning of their ids. */
  readonly group: string
  /** Source text, found exactly once in the compiled files. */
  readonly find: RegExp
  readonly replace: string
}

/** Said of a run whose sockets bypassed the parser. */
export const FAST_PATH_OFF = 'the self-test has turned the fast path off'

export const MUTANTS: readonly Mutant[] = [
  { fault: 'the mask is off by one byte', group: '1.1', find: /bytes\[mask \+ \(i - start\) % MASK_BYTES\]/, replace: 'bytes[mask + (i - start + 1) % MASK_BYTES]' },
  { fault: 'the mask is not turned to where the words begin', group: '1.1', find: /\(\(first << 2\) - start \+ i\) % MASK_BYTES/, replace: 'i % MASK_BYTES' },
  { fault: 'the mask stays on the last word', group: '1.1', find: /i < last; i\+\+\)\s*wordBits/, replace: 'i < last - 1; i++) wordBits' },
  { fault: 'the bytes before the first word are not unmasked', group: '1.1', find: /applyByBytes\(bytes, mask, start, start, first << 2\)/, replace: '0' },
  { fault: 'the bytes behind the last word are not unmasked', group: '1.1', find: /applyByBytes\(bytes, mask, start, last << 2, end\)/, replace: '0' },
  { fault: 'the mask stays on what is in a control frame', group: '2', find: /unmasker\.apply\(bytes, start - MASK_BYTES, start, end\);\s*return Buffer/, replace: 'return Buffer' },
  { fault: 'a frame without a mask is accepted', group: '5.0', find: /bytes\[at \+ 1\] - MASKED;/, replace: 'bytes[at + 1] & 0x7f;' },
  { fault: 'UTF-8 is not checked', group: '6', find: /unmasker\.apply\(bytes, mask, start, end\) \|\| isUtf8\(bytes\.subarray\(start, end\)\)/, replace: 'unmasker.apply(bytes, mask, start, end) || true' },
  { fault: 'one byte of each word may be anything', group: '6.24', find: /0x80808080 \| 0/, replace: '0x00808080 | 0' },
  { fault: 'bytes outside of words may be anything', group: '6.24', find: /bits < 0x80 && \(wordBits/, replace: '(wordBits' },
  { fault: 'a length of 126 is one', group: '1.1', find: /const LENGTH_16 = 126;/, replace: 'const LENGTH_16 = 127;' },
  { fault: 'a length of 125 is none', group: '1.1', find: /const LENGTH_16 = 126;/, replace: 'const LENGTH_16 = 125;' },
  { fault: 'a length of 64 bits is read as one of 16', group: '1.1', find: /const LENGTH_64 = 127;/, replace: 'const LENGTH_64 = 128;' },
  { fault: 'the bytes of a length are swapped', group: '1.1', find: /bytes\[at \+ 2\] << 8 \| bytes\[at \+ 3\]/, replace: 'bytes[at + 3] << 8 | bytes[at + 2]' },
  { fault: 'the high byte of a length is ignored', group: '1.1', find: /bytes\[at \+ 2\] << 8 \| bytes\[at \+ 3\]/, replace: 'bytes[at + 3]' },
  { fault: 'a frame is one byte shorter', group: '1.1', find: /at \+ 4 \+ MASK_BYTES \+ medium/, replace: 'at + 3 + MASK_BYTES + medium' },
  { fault: 'a message may be larger than the limit', group: 'limit', find: /medium > maxBytes \? 0/, replace: 'medium > 65535 ? 0' },
  { fault: 'reserved bits are ignored', group: '3', find: /const kind = bytes\[at\];/, replace: 'const kind = bytes[at] &= 0x8f;' },
  { fault: 'a fragment is taken for a whole frame', group: '5', find: /const kind = bytes\[at\];/, replace: 'const kind = bytes[at] |= 0x80;' },
  { fault: 'reserved opcodes are accepted', group: '4', find: /if \(kind !== FIN_TEXT && !isControl\)\s*return 0;/, replace: '' },
  { fault: 'binary is taken for text', group: '1.2', find: /const kind = bytes\[at\];/, replace: 'if (bytes[at] === 0x82) bytes[at] = FIN_TEXT; const kind = bytes[at];' },
  { fault: 'a continuation is taken for text', group: '5', find: /const kind = bytes\[at\];/, replace: 'if (bytes[at] === 0x80) bytes[at] = FIN_TEXT; const kind = bytes[at];' },
  { fault: 'a control frame may be long', group: '2', find: /length === LENGTH_64 \|\| isControl \|\|/, replace: 'length === LENGTH_64 ||' },
  { fault: 'a pong is answered as a ping', group: '2', find: /bytes\[at\] === FIN_PING\)/, replace: 'bytes[at] !== FIN_TEXT)' },
  { fault: 'a ping is taken for a pong', group: '2', find: /bytes\[at\] === FIN_PING\)/, replace: 'false)' },
  { fault: 'a close may have half a code', group: '7.3', find: /return data\.length === 0;/, replace: 'return true;' },
  { fault: 'close code 999 is accepted', group: '7', find: /code >= 1000 &&/, replace: 'code >= 999 &&' },
  { fault: 'close codes without a meaning are accepted', group: '7', find: /code <= 1014 &&/, replace: 'code <= 2999 &&' },
  { fault: 'close codes 1004 to 1006 are accepted', group: '7', find: /new Set\(\[1004, NO_STATUS, ABNORMAL\]\)/, replace: 'new Set()' },
  { fault: 'close code 2999 is accepted', group: '7', find: /code >= 3000 &&/, replace: 'code >= 2999 &&' },
  { fault: 'close code 5000 is accepted', group: '7', find: /code <= 4999\)/, replace: 'code <= 5000)' },
  { fault: 'the reason of a close is not checked', group: '7', find: /return isCode && isUtf8\(data\.subarray\(2\)\)/, replace: 'return isCode' },
  { fault: 'the reason of a close is not repeated', group: '7', find: /writeAndClose\(encodeClose\(data\)\)/, replace: 'writeAndClose(encodeClose(data.subarray(0, 2)))' },
  { fault: 'the code of a close is not repeated', group: '7', find: /writeAndClose\(encodeClose\(data\)\)/, replace: 'writeAndClose(encodeClose(data.subarray(0, 0)))' },
  { fault: 'the rest of a frame is not waited for', group: '1.1', find: /end === 0 \|\| end > limit/, replace: 'end === 0' },
  { fault: 'the beginning of a frame is not copied', group: '1.1', find: /= Buffer\.from\(bytes\.subarray\(at, limit\)\)/, replace: '= bytes.subarray(at, limit)' },
  { fault: 'the beginning of a frame is lost', group: '1.1', find: /Buffer\.concat\(\[\w+, chunk\.subarray\(0, length\)\]\)/, replace: 'Buffer.from(chunk.subarray(0, length))' },
  { fault: 'the beginning of a frame stays for ever', group: '1.1', find: /source\.partialFrame = undefined;/, replace: '' },
  { fault: 'the close of ws overtakes the answers', group: '7.1', find: /this\.session\.onClosing\(\);\s*super\.close/, replace: 'super.close' },
  { fault: 'the answer to a close overtakes the others', group: '7.1', find: /this\.session\.onClosing\(\);\s*if \(!this\.connection/, replace: 'if (!this.connection' },
  { fault: 'the frame that ws begins with is lost', group: '5', find: /source\.onUnsupported\(Buffer\.from\(rest\)\)/, replace: 'source.onUnsupported(Buffer.alloc(0))' }
]
