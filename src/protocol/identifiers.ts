// Schemas of the identifiers that clients choose: room, device and message ids.
import { Type, type Static } from '@sinclair/typebox'

/** 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`. */
export const RoomId = Type.String({
  minLength: 1,
  maxLength: 128,
  // `.` and `..` are relative path segments in a URL, and are removed when it is normalised.
  pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._:~-]+$',
  description: 'Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.',
  examples: ['payment_123']
})
export type RoomId = Static<typeof RoomId>

/** 1–128 characters (UTF-16 units over the socket, as JavaScript counts them), no control characters. */
export const DeviceId = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$',
  description: 'Device id, chosen by the device: 1–128 characters, no control characters.',
  examples: ['device_1']
})

/** 1–64 printable ASCII characters, chosen by the client; the same `id` in the same room is the same event. */
export const FrameId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[\\x20-\\x7e]+$' })
