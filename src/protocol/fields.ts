// Fields that messages and responses share.
import { Type } from '@sinclair/typebox'

export const Timestamp = Type.Integer({ description: 'Milliseconds since the Unix epoch.', examples: [1705312200000] })

/** Name of a room's log; a log that was lost and started again has another one. */
export const Epoch = Type.String({ description: 'ID of the log of the room; `seq` is counted within one epoch, and a new log has a new epoch.', examples: ['aex8oNlQGo8f'] })

/** Mark of an event that is carried with masked card numbers. */
export const Redacted = Type.Optional(Type.Literal(true, { description: 'True if the server has masked card numbers in the payload, as `411111******1111`. Missing otherwise.' }))

/** Maximum characters (UTF-16 units) in one string of a message or request, keys included. */
export const MAX_STRING = 2048

/** Longest reference and description of a payment link, characters. */
export const MAX_REFERENCE = 255

/** Longest URL of a webhook, characters. */
export const MAX_WEBHOOK_URL = 2048

/** Longest lifetime of a room with a deadline, and of a token: 30 days, s. */
export const MAX_TTL_SECONDS = 2_592_000
