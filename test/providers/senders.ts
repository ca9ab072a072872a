// Payment providers as senders: each signs as its documentation says, by its own library where that can sign. Mercado Pago has a fake of its API on loopback.
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import hmacModule from '@adyen/api-library/lib/src/utils/hmacValidator.js'
import { Webhook } from 'standardwebhooks'
import Stripe from 'stripe'
import type { Test } from 'tap'
import * as bodies from './bodies.js'

export interface SignOptions {
  readonly secret?: string
  /** Time of the signature, ms since the epoch. */
  readonly time?: number
  /** Bytes in place of the message, signed as they are. */
  readonly raw?: string
}
export interface Delivery {
  readonly method: 'POST'
  readonly url: string
  readonly headers: Record<string, string>
  readonly payload: string
  readonly remoteAddress?: string
}

export interface Sender {
  readonly name: string
  /** The setting that holds the secrets. */
  readonly setting: string
  readonly secrets: readonly [current: string, next: string]
  /** Further settings. */
  readonly env?: Record<string, string>
  /** @param message body of the webhook; of Mercado Pago, the payment that its API then has */
  readonly deliver: (message: object, options?: SignOptions) => Delivery
  /** Changes a signed delivery, as somebody who does not know the secret. undefined: the provider signs nothing, and sends a token. */
  readonly forge?: (delivery: Delivery) => Delivery
  /** True if the signature has a time. */
  readonly isTimed?: true
  /** A payment of 99.90 BRL that succeeded. */
  readonly paid: object
  /** A refund of 30.00, and of all. */
  readonly partlyRefunded: object
  readonly refunded: object
  /** The payment before its result, if there is a webhook for that. */
  readonly pending?: object
  /** A dispute. `isNamed`: the webhook names the room; without that the room is found by the payment. */
  readonly disputed?: { readonly message: object, readonly isNamed: boolean }
  /** A webhook that concerns no payment. */
  readonly other: object
}

const json = { 'content-type': 'application/json' }
const post = (url: string, payload: string, headers: Record<string, string> = {}): Delivery => ({ method: 'POST', url, payload, headers: { ...json, ...headers } })
const forgeBody = (delivery: Delivery): Delivery => ({ ...delivery, payload: delivery.payload.replace(/9990|99\.9/, '99') })
const secretsOf = (start: string): [string, string] => [`${start}-current-0123456789`, `${start}-next-0123456789`]

function stripe (): Sender {
  const { intent, charge, dispute } = bodies.stripe
  const secrets = secretsOf('whsec_stripe')
  return {
    name: 'stripe',
    setting: 'STRIPE_WEBHOOK_SECRET',
    secrets,
    isTimed: true,
    deliver: (message, { secret = secrets[0], time = Date.now(), raw = JSON.stringify(message, null, 2) } = {}) =>
      post('/webhooks/stripe', raw, { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: raw, secret, timestamp: Math.floor(time / 1000) }) }),
    forge: forgeBody,
    paid: intent('payment_intent.succeeded'),
    pending: intent('payment_intent.processing', { status: 'processing' }),
    partlyRefunded: charge(3000),
    refunded: charge(9990),
    disputed: { message: dispute('charge.dispute.created', 'needs_response'), isNamed: false },
    other: intent('payment_intent.created')
  }
}

function adyen (): Sender {
  const { item, modification, batch } = bodies.adyen
  const { default: HmacValidator } = hmacModule
  const validator = new HmacValidator()
  const secrets = [createHash('sha256').update('current').digest('hex'), createHash('sha256').update('next').digest('hex').toUpperCase()] as const
  const sign = (message: object, secret: string) => JSON.stringify(message, (key, value) =>
    key === 'NotificationRequestItem' ? { ...value, additionalData: { ...value.additionalData, hmacSignature: validator.calculateHmac(value, secret) } } : value as unknown)
  return {
    name: 'adyen',
    setting: 'ADYEN_HMAC_KEY',
    secrets,
    deliver: (message, { secret = secrets[0], raw = sign(message, secret) } = {}) => post('/webhooks/adyen', raw),
    forge: forgeBody,
    paid: batch(item('AUTHORISATION')),
    pending: batch(item('PENDING')),
    partlyRefunded: batch(modification('REFUND', { amount: { currency: 'BRL', value: 3000 } })),
    refunded: batch(modification('REFUND')),
    disputed: { message: batch(modification('CHARGEBACK', { merchantReference: '', reason: 'Other Fraud-Card Absent Environment' })), isNamed: false },
    other: batch(item('REPORT_AVAILABLE', { pspReference: 'settlement_report.csv', merchantReference: '' }))
  }
}

function asaas (): Sender {
  const { event } = bodies.asaas
  const secrets = secretsOf('asaas')
  return {
    name: 'asaas',
    setting: 'ASAAS_WEBHOOK_TOKEN',
    secrets,
    deliver: (message, { secret = secrets[0], raw = JSON.stringify(message) } = {}) => post('/webhooks/asaas', raw, { 'asaas-access-token': secret }),
    paid: event('PAYMENT_RECEIVED'),
    pending: event('PAYMENT_AWAITING_RISK_ANALYSIS', { status: 'AWAITING_RISK_ANALYSIS', billingType: 'CREDIT_CARD' }),
    partlyRefunded: event('PAYMENT_PARTIALLY_REFUNDED', { refunds: [{ dateCreated: '2026-11-30 10:30:00', status: 'DONE', value: 30, description: null }] }),
    refunded: event('PAYMENT_REFUNDED', { status: 'REFUNDED' }),
    disputed: { message: event('PAYMENT_CHARGEBACK_REQUESTED', { chargeback: { status: 'REQUESTED', reason: 'PROCESS_ERROR' } }), isNamed: true },
    other: event('PAYMENT_CHECKOUT_VIEWED')
  }
}

function pagbank (): Sender {
  const { order, charge, summary } = bodies.pagbank
  const secrets = secretsOf('pagbank')
  return {
    name: 'pagbank',
    setting: 'PAGBANK_TOKEN',
    secrets,
    deliver: (message, { secret = secrets[0], raw = JSON.stringify(message) } = {}) =>
      post('/webhooks/pagbank', raw, { 'x-authenticity-token': createHash('sha256').update(`${secret}-${raw}`).digest('hex') }),
    forge: forgeBody,
    paid: order(charge('PAID', summary(9990, 0))),
    pending: order(charge('IN_ANALYSIS')),
    partlyRefunded: order(charge('PAID', summary(9990, 3000))),
    refunded: order(charge('CANCELED', summary(9990, 9990))),
    other: { ...order(), status: 'EXPIRED' }
  }
}

function pix (): Sender {
  const { paid, refund } = bodies.pix
  const secrets = secretsOf('pix')
  return {
    name: 'pix',
    setting: 'PIX_WEBHOOK_TOKEN',
    secrets,
    deliver: (message, { secret = secrets[0], raw = JSON.stringify(message) } = {}) => post(`/webhooks/pix?token=${secret}`, raw),
    paid: paid(),
    partlyRefunded: paid(refund('1', '30.00')),
    refunded: paid(refund('1', '30.00'), refund('2', '69.90')),
    other: { evento: 'teste_webhook', data_criacao: '2026-11-30T10:00:00.000Z' }
  }
}

function standard (): Sender {
  const { event } = bodies.standard
  const secrets = [`whsec_${Buffer.from('the current secret').toString('base64')}`, `whsec_${Buffer.from('the next secret').toString('base64')}`] as const
  const money = { transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }
  return {
    name: 'standard',
    setting: 'STANDARD_WEBHOOK_SECRET',
    secrets,
    isTimed: true,
    deliver: (message, { secret = secrets[0], time = Date.now(), raw = JSON.stringify(message) } = {}) => {
      // The sender chooses the id: the same for each delivery of one message.
      const id = `msg_${createHash('sha256').update(raw).digest('hex').slice(0, 24)}`
      return post('/webhooks/standard', raw, {
        'webhook-id': id, 'webhook-timestamp': String(Math.floor(time / 1000)), 'webhook-signature': new Webhook(secret).sign(id, new Date(time), raw)
      })
    },
    forge: forgeBody,
    paid: event('PAYMENT_SUCCESS', money),
    pending: event('PAYMENT_PENDING', { reason: 'in_analysis' }),
    partlyRefunded: event('PAYMENT_REFUNDED', { ...money, amount: '30.00', refundId: 're_1' }),
    refunded: event('PAYMENT_REFUNDED', { ...money, refundId: 're_2' }),
    disputed: { message: { type: 'PAYMENT_DISPUTED', data: { roomId: ROOM, reason: 'fraud' } }, isNamed: true },
    other: event('invoice.created')
  }
}

const { ROOM } = bodies

/** Fake of Mercado Pago's API. */
export interface FakeApi {
  readonly url: string
  readonly payments: Map<string, object>
  /** Paths and credentials of the requests. */
  readonly requests: string[]
  /** Answers in place of the fake, if set. */
  answer: RequestListener | undefined
}

export async function fakeApi (t: Test): Promise<FakeApi> {
  const api: FakeApi & { url: string } = { url: '', payments: new Map(), requests: [], answer: undefined }
  const server = createServer((request, response) => {
    api.requests.push(`${request.url} ${request.headers.authorization}`)
    if (api.answer) return api.answer(request, response)
    const payment = api.payments.get(/^\/v1\/payments\/(\w+)$/.exec(request.url!)?.[1] ?? '')
    response.writeHead(payment ? 200 : 404, json).end(JSON.stringify(payment ?? { message: 'Payment not found', error: 'not_found', status: 404 }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  api.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return api
}

export function mercadopago (api: FakeApi): Sender {
  const { payment } = bodies.mercadopago
  const secrets = secretsOf('mercadopago')
  const deliver = (message: object, { secret = secrets[0], time = Date.now(), raw }: SignOptions = {}): Delivery => {
    const { id, topic = 'payment' } = message as { id: number, topic?: string }
    api.payments.set(String(id), message)
    const [requestId, ts] = ['bb56a2f1-6aae-46ac-982e-9dcd3581d08e', Math.floor(time / 1000)]
    const v1 = createHmac('sha256', secret).update(`id:${id};request-id:${requestId};ts:${ts};`).digest('hex')
    const body = { action: 'payment.updated', api_version: 'v1', data: { id: String(id) }, date_created: '2026-11-30T10:00:00Z', id: 111770811442, live_mode: true, type: topic, user_id: '448870796' }
    return post(`/webhooks/mercadopago?data.id=${id}&type=${topic}`, raw ?? JSON.stringify(body), { 'x-signature': `ts=${ts},v1=${v1}`, 'x-request-id': requestId })
  }
  return {
    name: 'mercadopago',
    setting: 'MERCADOPAGO_WEBHOOK_SECRET',
    secrets,
    env: { MERCADOPAGO_ACCESS_TOKEN: 'APP_USR-1234', MERCADOPAGO_API_URL: api.url },
    isTimed: true,
    deliver,
    forge: (delivery) => ({ ...delivery, url: delivery.url.replace('data.id=2', 'data.id=3') }),
    paid: payment('approved'),
    pending: payment('in_process', { status_detail: 'pending_review_manual' }),
    partlyRefunded: payment('approved', { status_detail: 'partially_refunded', transaction_amount_refunded: 30 }),
    refunded: payment('refunded', { status_detail: 'refunded', transaction_amount_refunded: 99.9 }),
    disputed: { message: payment('charged_back', { status_detail: 'in_process' }), isNamed: true },
    other: { ...payment('approved'), topic: 'topic_claims_integration_wh' }
  }
}

/** All providers. */
export async function senders (t: Test): Promise<Sender[]> { return [stripe(), mercadopago(await fakeApi(t)), adyen(), asaas(), pagbank(), pix(), standard()] }

/** Settings that switch a provider on. */
export function settingsOf ({ setting, secrets, env }: Sender): Record<string, string> { return { [setting]: secrets[0], ...env } }
