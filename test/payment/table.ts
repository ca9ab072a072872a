// Table of the payment's states: the status after each kind of event in each kind of state. The server's fold, the script of Redis and the client are held to it.
import type { PaymentFact } from '../../src/payment/state.js'
import type { PaymentStatus } from '../../src/protocol/payment-state.js'

/** An event of a device, or of a backend or the server (`verified`). */
export type TableEvent = Omit<PaymentFact, 'timestamp'>

const claim = (type: string, payload: object = {}): TableEvent => ({ type, payload: { ...payload }, verified: false })
const fact = (type: string, payload: object = {}): TableEvent => ({ type, payload: { ...payload }, verified: true })

/** Columns of the table. */
export const EVENTS = {
  summary: claim('ENTERED_SUMMARY'),
  pay: claim('CLICKED_PAY'),
  claimedSuccess: claim('PAYMENT_SUCCESS', { transactionId: 'tx', amount: 100, currency: 'BRL' }),
  claimedError: claim('PAYMENT_ERROR', { error: 'declined' }),
  success: fact('PAYMENT_SUCCESS', { transactionId: 'tx', amount: 100, currency: 'BRL' }),
  error: fact('PAYMENT_ERROR', { error: 'declined', code: '51' }),
  pending: fact('PAYMENT_PENDING', { reason: 'in_analysis' }),
  cancelled: fact('PAYMENT_CANCELLED', { reason: 'by the shop' }),
  refund: fact('PAYMENT_REFUNDED'),
  partRefund: fact('PAYMENT_REFUNDED', { refundId: 'r1', amount: 10, currency: 'BRL' }),
  disputed: fact('PAYMENT_DISPUTED', { outcome: 'opened', reason: 'fraud' }),
  won: fact('PAYMENT_DISPUTED', { outcome: 'won' }),
  lost: fact('PAYMENT_DISPUTED', { outcome: 'lost' }),
  expired: fact('PAYMENT_EXPIRED'),
  updated: fact('LINK_UPDATED', { description: 'a book' })
} as const satisfies Record<string, TableEvent>

const AWAITING = fact('PAYMENT_PENDING', { reason: 'awaiting_payment' })

interface Row {
  /** Expected amount of the link in BRL. */
  readonly expected?: number
  /** Events that lead to the state. */
  readonly given: readonly TableEvent[]
  /** One letter of STATUSES for each column. */
  readonly then: string
}

/** Letters of the rows. */
export const STATUSES: Readonly<Record<string, PaymentStatus>> = {
  P: 'pending', X: 'processing', S: 'succeeded', F: 'failed', C: 'cancelled', E: 'expired', r: 'partially_refunded', R: 'refunded', D: 'disputed'
}

const { pay, claimedSuccess, claimedError, success, error, pending, cancelled, refund, partRefund, disputed, won, expired } = EVENTS

/** Rows: in the order of the columns summary, pay | claimed success, error | success, error, pending, cancelled | refund, part refund | disputed, won, lost | expired, updated. */
export const TABLE: Readonly<Record<string, Row>> = {
  new: { given: [], then: 'PP SF SFXC RR DPD EP' },
  'in progress': { given: [EVENTS.summary, pay], then: 'PP SF SFXC RR DPD EP' },
  'claimed success': { given: [pay, claimedSuccess], then: 'SS SS SFXC RR DSD SS' },
  'claimed error': { given: [pay, claimedError], then: 'FP SF SFXC RR DFD EF' },
  'verified success': { given: [pay, success], then: 'SS SS SSSS Rr DSD SS' },
  'verified error': { given: [pay, error], then: 'FP FF SFFC RR DFD EF' },
  'second attempt after a claimed error': { given: [pay, claimedError, pay], then: 'PP SF SFXC RR DPD EP' },
  'second attempt after a verified error': { given: [pay, error, pay], then: 'PP SF SFXC RR DPD EP' },
  'being examined': { given: [pay, pending], then: 'XX XX SFXC RR DXD XX' },
  'awaiting the money': { given: [pay, AWAITING], then: 'XX XX SFXC RR DXD EX' },
  cancelled: { given: [cancelled], then: 'CC CC SCCC RR DCD CC' },
  expired: { given: [expired], then: 'EE EE SEXC RR DED EE' },
  refunded: { given: [success, refund], then: 'RR RR RRRR RR DRD RR' },
  'refunded before the success': { given: [refund], then: 'RR RR RRRR RR DRD RR' },
  'partially refunded': { given: [success, partRefund], then: 'rr rr rrrr Rr DrD rr' },
  disputed: { given: [success, disputed], then: 'DD DD DDDD DD DSD DD' },
  'dispute won': { given: [success, disputed, won], then: 'SS SS SSSS Rr SSD SS' },
  'claimed success, dispute won': { given: [claimedSuccess, disputed, won], then: 'SS SS SFXC RR SSD SS' },
  'part of the amount paid': { expected: 200, given: [success], then: 'XX XX XXXX Rr DXD XX' },
  'the amount paid': { expected: 100, given: [success], then: 'SS SS SSSS Rr DSD SS' },
  'expected, not paid': { expected: 100, given: [pay], then: 'PP SF SFXC RR DPD EP' }
}

interface Cell {
  readonly row: string
  readonly column: keyof typeof EVENTS
  readonly expected: number | undefined
  readonly given: readonly TableEvent[]
  readonly event: TableEvent
  readonly status: PaymentStatus
}

/** All cells of the table. */
export function cells (): Cell[] {
  const columns = Object.keys(EVENTS) as Array<keyof typeof EVENTS>
  return Object.entries(TABLE).flatMap(([row, { expected, given, then }]) => {
    const letters = then.replaceAll(' ', '')
    if (letters.length !== columns.length) throw new Error(`${row} has ${letters.length} cells`)
    return columns.map((column, i) => ({ row, column, expected, given, event: EVENTS[column], status: STATUSES[letters[i]!]! }))
  })
}
