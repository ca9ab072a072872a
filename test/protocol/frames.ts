// Frames for tests of decoding: a valid frame except for the given change, and assertions on the outcome of decoding it.
import type { Test } from 'tap'
import type { ErrorCode } from '../../src/errors.js'
import { decodeFrame, type ClientFrame, type RefusedFrame } from '../../src/protocol/decode.js'

export const decode = (data: Buffer | string): ClientFrame | RefusedFrame => decodeFrame(typeof data === 'string' ? Buffer.from(data) : data)
/** Returns a valid frame as text, with the given changes. */
export const frame = (payload: object = {}, top: object = {}): string => JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: 'r', ...payload }, ...top })
/** Returns a frame with one extra payload key whose value is JSON text that no object could produce. */
export const raw = (json: string): string => `{"type":"CLICKED_PAY","payload":{"roomId":"r","extra":${json}}}`
export const named = (text: string): string => text.length > 60 ? `${text.slice(0, 50)} … (${text.length} characters)` : text || 'nothing at all'

export function takes (t: Test, data: Buffer | string, name = named(data.toString())): void {
  const result = decode(data)
  t.notOk('failure' in result && result.failure, `accepted: ${name}`)
}

export function refuses (t: Test, data: Buffer | string, code: ErrorCode, message: RegExp = /./, name = named(data.toString())): void {
  const result = decode(data)
  t.match('failure' in result ? result.failure : 'taken', { code, message }, `${code}: ${name}`)
}
