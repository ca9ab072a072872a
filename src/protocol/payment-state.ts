// Schema of a payment's state, as sent in ROOM_JOINED and over REST.
import { Type, type Static } from '@sinclair/typebox'
import { Nullable, StringEnum } from './schema.js'

/** Events that move a payment forward without deciding its result. */
export const PROGRESS = ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'PAYMENT_METHOD_CHANGED', 'DATA_FILLED', 'CLICKED_PAY'] as const

export const PAYMENT_STATUSES = ['pending', 'processing', 'succeeded', 'failed', 'cancelled', 'expired', 'partially_refunded', 'refunded', 'disputed'] as const
export type PaymentStatus = typeof PAYMENT_STATUSES[number]

export const BALANCES = ['none', 'under', 'exact', 'over'] as const

const money = (description: string) => Type.Optional(Type.Number({ description: `${description} In units of the currency, such as 99.9.`, examples: [99.9] }))

const Outcome = Type.Object({
  transactionId: Type.Optional(Type.String()),
  amount: Type.Optional(Type.Number()),
  currency: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  code: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String({ description: 'Reason of a payment that is processing, cancelled or disputed.' })),
  method: Type.Optional(Type.String()),
  expiresAt: Type.Optional(Type.Integer({ description: 'Time until which the payer can pay, for example a Pix code, in milliseconds since the Unix epoch.' })),
  mismatch: Type.Optional(Type.Literal(true, { description: 'The amount of a claim, or the currency, is not the expected one.' })),
  late: Type.Optional(Type.Literal(true, { description: 'The money came after the payment had expired or was cancelled.' })),
  verified: Type.Boolean({ description: 'True if a backend reported the result with an API key; false if a device reported it.' })
}, { title: 'PaymentOutcome' })
export type Outcome = Readonly<Static<typeof Outcome>>

/** Progress and result of a payment. */
export const PaymentState = Type.Object({
  step: Nullable(StringEnum(PROGRESS, { title: 'PaymentStep' }), { description: 'The last progress event; null before the first.' }),
  method: Type.Optional(Type.String()),
  fields: Type.Optional(Type.Array(Type.String())),
  status: StringEnum(PAYMENT_STATUSES, { title: 'PaymentStatus' }),
  attempt: Type.Integer({ minimum: 1, description: 'Number of the attempt: after a failure the payer\'s next step begins the next one.' }),
  lastError: Type.Optional(Outcome),
  outcome: Type.Optional(Outcome),
  expected: money('Amount of the payment link.'),
  currency: Type.Optional(Type.String({ description: 'Currency of `expected`, `paid` and `refunded`.', examples: ['BRL'] })),
  paid: money('Sum of the verified successes, one for each transaction.'),
  refunded: money('Sum of the verified refunds.'),
  balance: Type.Optional(StringEnum(BALANCES, { title: 'PaymentBalance', description: '`paid` beside `expected`, if an amount is expected.' })),
  updatedAt: Type.Integer({ description: 'Time of the last change in milliseconds since the Unix epoch; initially the creation of the room.' })
}, { $id: 'PaymentState' })
export type PaymentState = Readonly<Static<typeof PaymentState>>
