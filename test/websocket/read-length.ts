// Length that Node.js reports for a read, set by a test: some errors do not occur on the loopback interface.

interface StreamWrap { readonly streamBaseState: Int32Array, readonly kReadBytesOrError: number }

/** @param length bytes, 0, or an error of libuv's below 0 */
export function setReadLength (length: number): void {
  // eslint-disable-next-line n/no-deprecated-api -- the only way to set the length that Node.js reports; no shipped code uses it
  const { streamBaseState, kReadBytesOrError } = (process as unknown as { binding: (name: string) => StreamWrap }).binding('stream_wrap')
  streamBaseState[kReadBytesOrError] = length
}
