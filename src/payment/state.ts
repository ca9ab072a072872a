// State of a payment, folded from its events: a device's events (device-events.ts), and verified facts of a backend or of this server.
// Between verified facts the order of arrival does not decide: they are collected in a ledger, and the status follows from all of them.
import { isDeepStrictEqual } from 'node:util'
import { fromMinorUnits, toMinorUnits, type Amount } from '../protocol/money.js'
import type { Outcome, PaymentState, PaymentStatus } from '../protocol/payment-state.js'
import { copyOf, foldDeviceEvent, outcomeOf, withMismatch, type PaymentFact } from './device-events.js'
import { milestoneOf, type Furthest } from './milestones.js'

export type { PaymentFact } from './device-events.js'

/** Transactions, and refunds, of one payment that are counted; further ones change nothing. */
export const MAX_TRANSACTIONS = 100

/** A payment as the server keeps it: the state that clients see, and the verified facts behind it. JSON. */
export interface Payment {
  readonly state: PaymentState
  /** Results of the current attempt. */
  readonly verdicts?: Verdicts
  /** Facts that hold for all attempts. */
  readonly ledger?: Ledger
  readonly link?: Link
  /** Undefined before the first milestone. */
  readonly furthest?: Furthest
}

/** Purpose of a payment link, in words of the shop. */
export interface Link { readonly reference?: string, readonly description?: string }

export interface Verdicts {
  /** The claim of a device that a verified fact has replaced. */
  readonly claim?: { readonly status: PaymentStatus, readonly outcome: Outcome }
  readonly failed?: Outcome
  readonly processing?: Outcome
}

export interface Ledger {
  readonly cancelled?: Outcome
  readonly expired?: boolean
  /** The first verified success. */
  readonly success?: Outcome
  readonly paid?: Sum
  readonly refund?: Outcome
  readonly refunded?: Sum
  readonly dispute?: { readonly rank: number, readonly outcome: Outcome }
}

/** Minor units by transaction; `all` if one of them had no amount. */
interface Sum { readonly amounts: Readonly<Record<string, number>>, readonly all: boolean }

/** Terms of a payment link, as a backend sets them. */
export interface Terms {
  readonly amount?: Amount | undefined
  readonly currency?: string | undefined
  readonly reference?: string | undefined
  readonly description?: string | undefined
}

/** A payment before its first event. */
export function newPayment (createdAt: number, terms: Terms = {}): Payment {
  const { amount, currency } = terms
  const link = linkOf(terms)
  return paymentOf({
    ...(link && { link }),
    state: {
      step: null,
      status: 'pending',
      attempt: 1,
      ...(amount !== undefined && { expected: Number(amount), balance: 'none', paid: 0 }),
      ...(currency !== undefined && { currency: currency.toUpperCase() }),
      updatedAt: createdAt
    }
  })
}

/** True while the next step is the payer's: the payer has begun, and no result is known. */
export function awaitsPayer ({ status, step }: PaymentState): boolean { return status === 'pending' && step !== null }

/** True for an event that is entered in the ledger or in the verdicts, false for one that is folded as a device's. */
export function isVerifiedFact ({ type, verified = false }: Pick<PaymentFact, 'type' | 'verified'>): boolean { return verified && Object.hasOwn(ENTRIES, type) }

function linkOf ({ reference, description }: Terms, before?: Link): Link | undefined {
  const link = { ...before, ...(reference !== undefined && { reference }), ...(description !== undefined && { description }) }
  return Object.keys(link).length > 0 ? link : undefined
}

/** Folds one event into a payment. An event that changes nothing returns the same object, and one that changes only the ledger keeps the state's. */
export function fold (payment: Payment, fact: PaymentFact): Payment {
  // A backend may also report the steps of a payer, in the payer's place.
  const next = isVerifiedFact(fact) ? foldVerified(payment, fact) : foldDevice(payment, fact)
  if (next.state === payment.state) return next
  const number = milestoneOf(next.state)
  return number > (payment.furthest?.number ?? 0) ? paymentOf({ ...next, furthest: { number, at: fact.timestamp } }) : next
}

/** Copies key by key, for the reason that {@link copyOf} gives. */
function paymentOf ({ state, verdicts, ledger, link, furthest }: Payment): Payment {
  const copy: { -readonly [Key in keyof Payment]: Payment[Key] } = { state }
  if (furthest !== undefined) copy.furthest = furthest
  if (link !== undefined) copy.link = link
  if (verdicts !== undefined) copy.verdicts = verdicts
  if (ledger !== undefined) copy.ledger = ledger
  return copy
}

function foldDevice (payment: Payment, fact: PaymentFact): Payment {
  const state = foldDeviceEvent(payment.state, fact)
  if (state === payment.state) return payment
  // The verdicts belong to the attempt that they ended.
  return paymentOf(state.attempt === payment.state.attempt ? { ...payment, state } : { ...payment, state, verdicts: {} })
}

function foldVerified (payment: Payment, fact: PaymentFact): Payment {
  const { state } = payment
  const isClaim = state.outcome?.verified === false
  const verdicts = isClaim ? { ...payment.verdicts, claim: { status: state.status, outcome: state.outcome! } } : payment.verdicts ?? {}
  const terms = fact.type === 'LINK_UPDATED' ? withTerms(state, fact.payload) : state
  const entered = { verdicts, ledger: payment.ledger ?? {}, ...ENTRIES[fact.type]!({ verdicts, ledger: payment.ledger ?? {} }, fact, terms) }
  const next = settle(terms, entered, fact.timestamp)
  const link = fact.type === 'LINK_UPDATED' ? linkOf(fact.payload, payment.link) : payment.link
  const kept = { ...(link && { link }), ...(payment.furthest && { furthest: payment.furthest }) }
  return paymentOf({ ...entered, ...kept, state: isDeepStrictEqual({ ...next, updatedAt: state.updatedAt }, state) ? state : next })
}

type Books = Required<Pick<Payment, 'verdicts' | 'ledger'>>
type Entry = (books: Books, fact: PaymentFact, terms: PaymentState) => Partial<Books>

/** The place of each verified fact in the books. */
const ENTRIES: Readonly<Record<string, Entry>> = {
  PAYMENT_SUCCESS: ({ ledger }, fact, terms) => ({
    ledger: { ...ledger, success: ledger.success ?? successOf(ledger, fact, terms), paid: add(ledger.paid, fact.payload, 'transactionId', terms) }
  }),
  PAYMENT_REFUNDED: ({ ledger }, fact, terms) => ({
    ledger: { ...ledger, refund: ledger.refund ?? outcomeOf(fact), refunded: add(ledger.refunded, fact.payload, 'refundId', terms) }
  }),
  PAYMENT_DISPUTED: ({ ledger }, fact) => ({ ledger: { ...ledger, dispute: laterStage(ledger.dispute, fact) } }),
  PAYMENT_CANCELLED: ({ ledger }, fact) => ({ ledger: { ...ledger, cancelled: outcomeOf(fact) } }),
  PAYMENT_EXPIRED: ({ ledger }) => ({ ledger: { ...ledger, expired: true } }),
  LINK_UPDATED: ({ ledger }, { payload: { expiresAt } }) => ({ ledger: expiresAt === undefined ? ledger : { ...ledger, expired: false } }),
  PAYMENT_ERROR: ({ verdicts }, fact) => ({ verdicts: { ...verdicts, failed: outcomeOf(fact) } }),
  PAYMENT_PENDING: ({ verdicts }, fact) => ({ verdicts: { ...verdicts, processing: outcomeOf(fact) } })
}

/** Stages of a dispute: a later one replaces an earlier one, whichever arrives first. */
const STAGES: Readonly<Record<string, number>> = { opened: 1, won: 2, lost: 3 }

function laterStage (dispute: Ledger['dispute'], fact: PaymentFact): NonNullable<Ledger['dispute']> {
  const rank = STAGES[(fact.payload.outcome as string | undefined) ?? 'opened']!
  return dispute && dispute.rank > rank ? dispute : { rank, outcome: outcomeOf(fact) }
}

function successOf ({ expired = false, cancelled }: Ledger, fact: PaymentFact, { expected, currency }: PaymentState): Outcome {
  const { verified, ...outcome } = outcomeOf(fact)
  // The balance tells what another amount means; money of another currency is not counted at all.
  const isOtherMoney = expected !== undefined && (outcome.currency ?? currency) !== currency
  return { ...outcome, ...(isOtherMoney && { mismatch: true as const }), ...((expired || cancelled) && { late: true as const }), verified }
}

/** Adds an amount once for each id: of two amounts under one id the larger counts. Money of another currency than the expected one is not counted. */
function add (sum: Sum = { amounts: {}, all: false }, payload: PaymentFact['payload'], key: string, { expected, currency }: PaymentState): Sum {
  const amount = payload.amount as Amount | undefined
  if (amount === undefined) return { ...sum, all: true }
  const code = (payload.currency as string | undefined)?.toUpperCase() ?? currency
  if (expected !== undefined && code !== currency) return sum
  const id = `${payload[key] as string | number | undefined ?? ''}`
  const isNew = !Object.hasOwn(sum.amounts, id)
  if (isNew && Object.keys(sum.amounts).length >= MAX_TRANSACTIONS) return sum
  const minor = toMinorUnits(amount, code)
  return { ...sum, amounts: { ...sum.amounts, [id]: isNew ? minor : Math.max(minor, sum.amounts[id]!) } }
}

function withTerms (state: PaymentState, { amount, currency }: PaymentFact['payload']): PaymentState {
  return {
    ...state,
    ...(amount !== undefined && { expected: Number(amount) }),
    ...(currency !== undefined && { currency: (currency as string).toUpperCase() })
  }
}

/** Computes the state from all that is known. */
function settle (before: PaymentState, books: Books, timestamp: number): PaymentState {
  const { ledger } = books
  const currency = before.currency ?? ledger.success?.currency ?? ledger.refund?.currency
  const expected = before.expected === undefined ? undefined : toMinorUnits(before.expected, currency)
  const known = total(ledger.paid)
  // A success without an amount says that all of it was paid.
  const paid = ledger.paid?.all ? Math.max(known, expected ?? 0) : known
  const refunded = ledger.refunded?.all ? Math.max(paid, total(ledger.refunded)) : total(ledger.refunded)
  const { status, outcome } = verdict(books, { enough: paid >= (expected ?? 0), isAll: refunded >= paid })
  const next = copyOf(before, timestamp)
  next.status = status
  if (outcome) next.outcome = outcome.verified ? outcome : withMismatch(outcome, before)
  else delete next.outcome
  if (currency !== undefined) next.currency = currency
  if (expected !== undefined || known > 0) next.paid = fromMinorUnits(paid, currency)
  if (refunded > 0) next.refunded = fromMinorUnits(refunded, currency)
  if (expected !== undefined) next.balance = paid === 0 ? 'none' : paid < expected ? 'under' : paid > expected ? 'over' : 'exact'
  return next
}

interface Verdict { readonly status: PaymentStatus, readonly outcome?: Outcome | undefined }

/**
 * The strongest of all facts. A verified fact outranks a claim, except that the end of the link says nothing about the money: it replaces neither a claimed success nor a
 * payment that its provider is examining.
 */
function verdict ({ ledger, verdicts }: Books, { enough, isAll }: { enough: boolean, isAll: boolean }): Verdict {
  const { success, refund, refunded, dispute, cancelled, expired } = ledger
  const { claim, failed, processing } = verdicts
  const outcome = success ?? refund
  if (dispute && dispute.rank !== STAGES.won) return { status: 'disputed', outcome: { ...outcome, ...dispute.outcome } }
  if (refunded) return { status: isAll ? 'refunded' : 'partially_refunded', outcome }
  if (success) return { status: enough ? 'succeeded' : 'processing', outcome }
  if (cancelled) return { status: 'cancelled', outcome: cancelled }
  const isExamined = processing !== undefined && processing.reason !== 'awaiting_payment'
  const isClaimed = claim?.status === 'succeeded' && !processing
  if (expired && (failed !== undefined || !(isExamined || isClaimed))) return { status: 'expired' }
  if (failed) return { status: 'failed', outcome: failed }
  if (processing) return { status: 'processing', outcome: processing }
  return claim ?? { status: 'pending' }
}

function total (sum: Sum | undefined): number { return Object.values(sum?.amounts ?? {}).reduce((all, minor) => all + minor, 0) }
