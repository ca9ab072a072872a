// Schemas of the funnel over REST.
import { Type, type Static } from '@sinclair/typebox'
import { Timestamp } from './fields.js'
import { PROGRESS } from './payment-state.js'
import { successEnvelope } from './rest.js'
import { Nullable, Ref, StringEnum, WithDefault } from './schema.js'

export const FUNNEL_WINDOWS = ['hour', 'day', 'week'] as const
export type FunnelWindow = typeof FUNNEL_WINDOWS[number]

const Seconds = (description: string, example: number) => Nullable(Type.Number(), { description, examples: [example] })

export const FunnelStep = Type.Object({
  step: StringEnum(['created', ...PROGRESS, 'paid', 'verified'], {
    description: '`created`: the room began; `paid`: the first success, also if only a device reported it; `verified`: the first success that a backend reported.', examples: ['CLICKED_PAY']
  }),
  payments: Type.Integer({ description: 'Payments that reached this step in the window for the first time. One that skips a step counts as having reached it.', examples: [80] }),
  lost: Type.Integer({ description: 'Payments of the step before that did not reach this one.', examples: [10] }),
  medianSeconds: Seconds('Median time since the step before that the payment has reached; null if it is not known.', 12.5),
  p95Seconds: Seconds('Time that 95 % of the payments stayed below.', 48)
}, { $id: 'FunnelStep' })

export const FunnelMethod = Type.Object({
  method: Type.String({ description: '`unknown` without a method, `other` for names that are not short and plain.', examples: ['pix'] }),
  payments: Type.Integer({ description: 'Payments whose payer clicked pay with this method.', examples: [60] }),
  paid: Type.Integer({ description: 'Payments that succeeded with this method.', examples: [57] })
}, { $id: 'FunnelMethod' })

export const FunnelReport = Type.Object({
  window: StringEnum(FUNNEL_WINDOWS, { examples: ['day'] }),
  from: Timestamp,
  to: Timestamp,
  steps: Type.Array(Ref(FunnelStep)),
  paidShare: Nullable(Type.Number(), { description: 'Paid payments as a share of those whose payer opened the summary, 0–1; null if there are none.', examples: [0.77] }),
  methods: Type.Array(Ref(FunnelMethod))
}, { $id: 'FunnelReport' })
export type FunnelReport = Static<typeof FunnelReport>
export const FunnelReportResponse = successEnvelope(FunnelReport)

export const FunnelQuery = Type.Object({
  window: WithDefault(StringEnum(FUNNEL_WINDOWS, { default: 'day', description: 'The last hour, day or week.', examples: ['day'] }))
})

/** Named OpenAPI components of this file. */
export const FUNNEL_COMPONENTS = [FunnelStep, FunnelMethod, FunnelReport, FunnelReportResponse]
