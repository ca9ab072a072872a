// Schema of a payment's state, as sent in ROOM_JOINED and over REST.
import { Type, type Static } from '@sinclair/typebox'
import { Nullable, StringEnum } from './schema.js'

/** Events that move a payment forward without deciding its result. */
export const PROGRESS = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY'] as const

export const PAYMENT_STATUSES = ['pending', 'succeeded', 'failed'] as const

const Outcome = Type.Object({
  transactionId: Type.Optional(Type.String()),
  amount: Type.Optional(Type.Number()),
  currency: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  code: Type.Optional(Type.String()),
  verified: Type.Boolean({ description: 'True if a backend reported the result with an API key; false if a device reported it.' })
}, { title: 'PaymentOutcome' })

/** Progress and result of a payment. */
export const PaymentState = Type.Object({
  step: Nullable(StringEnum(PROGRESS, { title: 'PaymentStep' }), { description: 'The last progress event; null before the first.' }),
  method: Type.Optional(Type.String()),
  fields: Type.Optional(Type.Array(Type.String())),
  status: StringEnum(PAYMENT_STATUSES, { title: 'PaymentStatus' }),
  outcome: Type.Optional(Outcome),
  updatedAt: Type.Integer({ description: 'Time of the last change in milliseconds since the Unix epoch; initially the creation of the room.' })
}, { $id: 'PaymentState' })
export type PaymentState = Readonly<Static<typeof PaymentState>>
