// Words of the payment providers: each becomes the documented event, with its money and its status.
import t from 'tap'
import { adyen, asaas, mercadopago, pagbank, pix, ROOM, standard, stripe } from './bodies.js'
import { senders } from './senders.js'
import { receiver } from './server.js'

type Event = readonly [type: string, payload: object]
type Word = readonly [name: string, message: object, events: readonly Event[], status: string]

const INTENT = 'pi_3MtwBwLkdIwHu7ix28a3tqPa'
const CHARGE = 'ch_3MtwBwLkdIwHu7ix0SNM0QOu'
const PSP = 'QFQTPCQ8HXSKGK82'
const REFUND = 'KHQC5N7G84BLNK43'
const CHAR = 'CHAR_F1F10115-09F4-4560-85F5-A828D9F96300'
const E2E = 'E12345678202611301000s0123456789'
const money = { amount: '99.90', currency: 'BRL' }
const brl = { amount: '99.90', currency: 'brl' }
const declined = { code: 'card_declined', decline_code: 'insufficient_funds', message: 'Your card has insufficient funds.', type: 'card_error' }

const paidAt = (transactionId: string): Event => ['PAYMENT_SUCCESS', { transactionId, ...money }]

const WORDS: Readonly<Record<string, readonly Word[]>> = {
  stripe: [
    ['checkout.session.completed', stripe.session('checkout.session.completed'), [['PAYMENT_SUCCESS', { transactionId: INTENT, ...brl }]], 'succeeded'],
    ['a payment link with client_reference_id', stripe.session('checkout.session.completed', { metadata: {}, client_reference_id: ROOM }), [['PAYMENT_SUCCESS', brl]], 'succeeded'],
    ['checkout.session.completed, unpaid', stripe.session('checkout.session.completed', { payment_status: 'unpaid' }), [['PAYMENT_PENDING', { reason: 'awaiting_payment' }]], 'processing'],
    ['checkout.session.async_payment_succeeded', stripe.session('checkout.session.async_payment_succeeded'), [['PAYMENT_SUCCESS', brl]], 'succeeded'],
    ['checkout.session.async_payment_failed', stripe.session('checkout.session.async_payment_failed'), [['PAYMENT_ERROR', { error: 'The payment failed.' }]], 'failed'],
    ['checkout.session.expired', stripe.session('checkout.session.expired', { payment_intent: null }), [['PAYMENT_CANCELLED', { reason: 'expired' }]], 'cancelled'],
    ['payment_intent.succeeded', stripe.intent('payment_intent.succeeded'), [['PAYMENT_SUCCESS', { transactionId: INTENT, ...brl }]], 'succeeded'],
    ['payment_intent.processing', stripe.intent('payment_intent.processing'), [['PAYMENT_PENDING', { reason: 'in_analysis' }]], 'processing'],
    ['payment_intent.payment_failed', stripe.intent('payment_intent.payment_failed', { last_payment_error: declined }),
      [['PAYMENT_ERROR', { error: declined.message, code: 'insufficient_funds' }]], 'failed'],
    ['payment_intent.canceled', stripe.intent('payment_intent.canceled', { cancellation_reason: 'abandoned' }), [['PAYMENT_CANCELLED', { reason: 'abandoned' }]], 'cancelled'],
    ['charge.refunded, a part', stripe.charge(3000), [['PAYMENT_REFUNDED', { refundId: CHARGE, transactionId: INTENT, amount: '30.00' }]], 'refunded'],
    ['a currency without decimals', stripe.intent('payment_intent.succeeded', { amount_received: 9990, currency: 'jpy' }), [['PAYMENT_SUCCESS', { amount: '9990', currency: 'jpy' }]], 'succeeded'],
    ['a currency with three decimals', stripe.intent('payment_intent.succeeded', { amount_received: 9990, currency: 'kwd' }), [['PAYMENT_SUCCESS', { amount: '9.990', currency: 'kwd' }]], 'succeeded']
  ],
  mercadopago: [
    ['approved', mercadopago.payment('approved'), [paidAt('20359978')], 'succeeded'],
    ['pending', mercadopago.payment('pending', { status_detail: 'pending_waiting_transfer', date_of_expiration: '2026-12-01T10:00:00.000-03:00' }),
      [['PAYMENT_PENDING', { reason: 'awaiting_payment', method: 'pix', expiresAt: 1796130000000 }]], 'processing'],
    ['in_process', mercadopago.payment('in_process'), [['PAYMENT_PENDING', { reason: 'in_analysis', method: 'pix' }]], 'processing'],
    ['authorized', mercadopago.payment('authorized', { status_detail: 'pending_capture' }), [['PAYMENT_PENDING', { reason: 'authorized' }]], 'processing'],
    ['rejected', mercadopago.payment('rejected', { status_detail: 'cc_rejected_insufficient_amount' }), [['PAYMENT_ERROR', { code: 'cc_rejected_insufficient_amount' }]], 'failed'],
    ['cancelled', mercadopago.payment('cancelled', { status_detail: 'expired' }), [['PAYMENT_CANCELLED', { reason: 'expired' }]], 'cancelled'],
    ['refunded', mercadopago.payment('refunded', { transaction_amount_refunded: 99.9 }), [paidAt('20359978'), ['PAYMENT_REFUNDED', { refundId: '20359978', ...money }]], 'refunded'],
    ['refunded, without its sum', mercadopago.payment('refunded', { transaction_amount_refunded: null }), [paidAt('20359978'), ['PAYMENT_REFUNDED', money]], 'refunded'],
    ['approved, a part refunded', mercadopago.payment('approved', { transaction_amount_refunded: 10.1 + 20.2 }), [paidAt('20359978'), ['PAYMENT_REFUNDED', { amount: '30.30' }]], 'partially_refunded'],
    ['in_mediation', mercadopago.payment('in_mediation'), [paidAt('20359978'), ['PAYMENT_DISPUTED', { outcome: 'opened' }]], 'disputed'],
    ['charged_back', mercadopago.payment('charged_back', { status_detail: 'in_process' }), [paidAt('20359978'), ['PAYMENT_DISPUTED', { outcome: 'opened' }]], 'disputed'],
    ['charged_back, settled', mercadopago.payment('charged_back', { status_detail: 'settled' }), [paidAt('20359978'), ['PAYMENT_DISPUTED', { outcome: 'lost' }]], 'disputed'],
    ['charged_back, reimbursed', mercadopago.payment('charged_back', { status_detail: 'reimbursed' }), [paidAt('20359978'), ['PAYMENT_DISPUTED', { outcome: 'won' }]], 'succeeded']
  ],
  adyen: [
    ['AUTHORISATION', adyen.batch(adyen.item('AUTHORISATION')), [paidAt(PSP)], 'succeeded'],
    ['AUTHORISATION, refused', adyen.batch(adyen.item('AUTHORISATION', { success: 'false', reason: 'Expired Card' })), [['PAYMENT_ERROR', { error: 'Expired Card' }]], 'failed'],
    ['AUTHORISATION, refused without a reason', adyen.batch(adyen.item('AUTHORISATION', { success: 'false', reason: '' })), [['PAYMENT_ERROR', { error: 'The payment was refused.' }]], 'failed'],
    ['PENDING', adyen.batch(adyen.item('PENDING', { paymentMethod: 'pix' })), [['PAYMENT_PENDING', { reason: 'awaiting_payment', method: 'pix' }]], 'processing'],
    ['CANCELLATION', adyen.batch(adyen.modification('CANCELLATION')), [['PAYMENT_CANCELLED', { reason: 'cancelled' }]], 'cancelled'],
    ['TECHNICAL_CANCEL', adyen.batch(adyen.modification('TECHNICAL_CANCEL')), [['PAYMENT_CANCELLED', { reason: 'cancelled' }]], 'cancelled'],
    ['OFFER_CLOSED', adyen.batch(adyen.item('OFFER_CLOSED')), [['PAYMENT_CANCELLED', { reason: 'expired' }]], 'cancelled'],
    ['CANCEL_OR_REFUND, cancelled', adyen.batch(adyen.modification('CANCEL_OR_REFUND', { additionalData: { 'modification.action': 'cancel' } })), [['PAYMENT_CANCELLED', {}]], 'cancelled'],
    ['CANCEL_OR_REFUND, refunded', adyen.batch(adyen.modification('CANCEL_OR_REFUND', { additionalData: { 'modification.action': 'refund' } })), [['PAYMENT_REFUNDED', { refundId: REFUND }]], 'refunded'],
    ['REFUND', adyen.batch(adyen.item('AUTHORISATION'), adyen.modification('REFUND')), [paidAt(PSP), ['PAYMENT_REFUNDED', { refundId: REFUND, transactionId: PSP, ...money }]], 'refunded'],
    ['two REFUNDs of a part', adyen.batch(
      adyen.item('AUTHORISATION'), adyen.modification('REFUND', { amount: { currency: 'BRL', value: 3000 } }), adyen.modification('REFUND', { pspReference: 'Z2', amount: { currency: 'BRL', value: 3000 } })),
    [paidAt(PSP), ['PAYMENT_REFUNDED', { amount: '30.00' }], ['PAYMENT_REFUNDED', { amount: '30.00' }]], 'partially_refunded'],
    ['REFUND_WITH_DATA', adyen.batch(adyen.modification('REFUND_WITH_DATA')), [['PAYMENT_REFUNDED', money]], 'refunded'],
    ['NOTIFICATION_OF_CHARGEBACK', adyen.batch(adyen.modification('NOTIFICATION_OF_CHARGEBACK')), [['PAYMENT_DISPUTED', { outcome: 'opened', ...money }]], 'disputed'],
    ['CHARGEBACK', adyen.batch(adyen.modification('CHARGEBACK', { reason: 'Fraud' })), [['PAYMENT_DISPUTED', { outcome: 'opened', reason: 'Fraud' }]], 'disputed'],
    ['CHARGEBACK_REVERSED', adyen.batch(adyen.item('AUTHORISATION'), adyen.modification('CHARGEBACK'), adyen.modification('CHARGEBACK_REVERSED')),
      [paidAt(PSP), ['PAYMENT_DISPUTED', { outcome: 'opened' }], ['PAYMENT_DISPUTED', { outcome: 'won' }]], 'succeeded'],
    ['PREARBITRATION_WON', adyen.batch(adyen.item('AUTHORISATION'), adyen.modification('PREARBITRATION_WON')), [paidAt(PSP), ['PAYMENT_DISPUTED', { outcome: 'won' }]], 'succeeded'],
    ['PREARBITRATION_LOST', adyen.batch(adyen.modification('PREARBITRATION_LOST')), [['PAYMENT_DISPUTED', { outcome: 'lost' }]], 'disputed'],
    ['SECOND_CHARGEBACK', adyen.batch(adyen.modification('SECOND_CHARGEBACK')), [['PAYMENT_DISPUTED', { outcome: 'lost' }]], 'disputed'],
    ['CAPTURE_FAILED', adyen.batch(adyen.modification('CAPTURE_FAILED', { reason: 'Capture Failed' })), [['PAYMENT_ERROR', { error: 'Capture Failed' }]], 'failed'],
    ['a currency whose decimals are Adyen\'s own', adyen.batch(adyen.item('AUTHORISATION', { amount: { currency: 'CLP', value: 999000 } })), [['PAYMENT_SUCCESS', { amount: '9990.00', currency: 'CLP' }]], 'succeeded'],
    ['a currency with three decimals', adyen.batch(adyen.item('AUTHORISATION', { amount: { currency: 'KWD', value: 9990 } })), [['PAYMENT_SUCCESS', { amount: '9.990' }]], 'succeeded']
  ],
  asaas: [
    ...['PAYMENT_CONFIRMED', 'PAYMENT_RECEIVED', 'PAYMENT_DUNNING_RECEIVED'].map((event): Word => [event, asaas.event(event), [paidAt('pay_080225913252')], 'succeeded']),
    ['PAYMENT_AUTHORIZED', asaas.event('PAYMENT_AUTHORIZED', { billingType: 'CREDIT_CARD' }), [['PAYMENT_PENDING', { reason: 'authorized', method: 'CREDIT_CARD' }]], 'processing'],
    ['PAYMENT_AWAITING_RISK_ANALYSIS', asaas.event('PAYMENT_AWAITING_RISK_ANALYSIS'), [['PAYMENT_PENDING', { reason: 'in_analysis' }]], 'processing'],
    ['PAYMENT_REPROVED_BY_RISK_ANALYSIS', asaas.event('PAYMENT_REPROVED_BY_RISK_ANALYSIS'), [['PAYMENT_ERROR', { code: 'reproved_by_risk_analysis' }]], 'failed'],
    ['PAYMENT_CREDIT_CARD_CAPTURE_REFUSED', asaas.event('PAYMENT_CREDIT_CARD_CAPTURE_REFUSED'), [['PAYMENT_ERROR', { code: 'credit_card_capture_refused' }]], 'failed'],
    ['PAYMENT_OVERDUE', asaas.event('PAYMENT_OVERDUE'), [['PAYMENT_CANCELLED', { reason: 'overdue' }]], 'cancelled'],
    ['PAYMENT_DELETED', asaas.event('PAYMENT_DELETED'), [['PAYMENT_CANCELLED', { reason: 'deleted' }]], 'cancelled'],
    ['PAYMENT_REFUNDED', asaas.event('PAYMENT_REFUNDED'), [['PAYMENT_REFUNDED', { refundId: 'pay_080225913252', transactionId: 'pay_080225913252', ...money }]], 'refunded'],
    ['PAYMENT_PARTIALLY_REFUNDED', asaas.event('PAYMENT_PARTIALLY_REFUNDED', { refunds: [{ status: 'DONE', value: 10.1 }, { status: 'DONE', value: 20.2 }, { status: 'CANCELLED', value: 5 }] }),
      [['PAYMENT_REFUNDED', { amount: '30.30' }]], 'refunded'],
    ['PAYMENT_PARTIALLY_REFUNDED, before the refund is done', asaas.event('PAYMENT_PARTIALLY_REFUNDED', { refunds: [{ status: 'PENDING', value: 10 }] }), [['PAYMENT_REFUNDED', { amount: '0.00' }]], 'refunded'],
    ['PAYMENT_CHARGEBACK_REQUESTED', asaas.event('PAYMENT_CHARGEBACK_REQUESTED', { chargeback: { reason: 'PROCESS_ERROR' } }), [['PAYMENT_DISPUTED', { outcome: 'opened', reason: 'PROCESS_ERROR' }]], 'disputed'],
    ['PAYMENT_CHARGEBACK_DISPUTE', asaas.event('PAYMENT_CHARGEBACK_DISPUTE'), [['PAYMENT_DISPUTED', { outcome: 'opened' }]], 'disputed'],
    ['PAYMENT_AWAITING_CHARGEBACK_REVERSAL', asaas.event('PAYMENT_AWAITING_CHARGEBACK_REVERSAL'), [['PAYMENT_DISPUTED', { outcome: 'won' }]], 'pending']
  ],
  pagbank: [
    ['PAID', pagbank.order(pagbank.charge('PAID', pagbank.summary(9990, 0))), [paidAt(CHAR)], 'succeeded'],
    ['PAID, as a charge without its order', { ...pagbank.charge('PAID', pagbank.summary(9990, 0)), reference_id: ROOM }, [paidAt(CHAR)], 'succeeded'],
    ['WAITING', pagbank.order(pagbank.charge('WAITING', { payment_method: { type: 'BOLETO' } })), [['PAYMENT_PENDING', { reason: 'awaiting_payment', method: 'BOLETO' }]], 'processing'],
    ['IN_ANALYSIS', pagbank.order(pagbank.charge('IN_ANALYSIS')), [['PAYMENT_PENDING', { reason: 'in_analysis' }]], 'processing'],
    ['AUTHORIZED', pagbank.order(pagbank.charge('AUTHORIZED')), [['PAYMENT_PENDING', { reason: 'authorized' }]], 'processing'],
    ['DECLINED', pagbank.order(pagbank.charge('DECLINED', { payment_response: { code: '10002', message: 'NAO AUTORIZADA PELO EMISSOR DO CARTAO' } })),
      [['PAYMENT_ERROR', { error: 'NAO AUTORIZADA PELO EMISSOR DO CARTAO', code: '10002' }]], 'failed'],
    ['CANCELED, never paid', pagbank.order(pagbank.charge('CANCELED')), [['PAYMENT_CANCELLED', { reason: 'canceled' }]], 'cancelled'],
    ['CANCELED, paid back', pagbank.order(pagbank.charge('CANCELED', pagbank.summary(9990, 9990))), [paidAt(CHAR), ['PAYMENT_REFUNDED', { refundId: CHAR, ...money }]], 'refunded'],
    ['PAID, a part paid back', pagbank.order(pagbank.charge('PAID', pagbank.summary(9990, 3000))), [paidAt(CHAR), ['PAYMENT_REFUNDED', { amount: '30.00' }]], 'partially_refunded'],
    ['two charges, the second paid', pagbank.order(pagbank.charge('DECLINED'), pagbank.charge('PAID', { id: 'CHAR_2', ...pagbank.summary(9990, 0) })), [['PAYMENT_ERROR', {}], paidAt('CHAR_2')], 'succeeded']
  ],
  pix: [
    ['pix', pix.paid(), [paidAt(E2E)], 'succeeded'],
    ['devolucoes, a part', pix.paid(pix.refund('1', '30.00')), [paidAt(E2E), ['PAYMENT_REFUNDED', { refundId: '1', transactionId: E2E, amount: '30.00' }]], 'partially_refunded'],
    ['devolucoes, all in two parts', pix.paid(pix.refund('1', '30.00'), pix.refund('2', '69.90')), [paidAt(E2E), ['PAYMENT_REFUNDED', {}], ['PAYMENT_REFUNDED', {}]], 'refunded'],
    ['devolucoes that were not carried out', pix.paid(pix.refund('1', '30.00', 'EM_PROCESSAMENTO'), pix.refund('2', '30.00', 'NAO_REALIZADO')), [paidAt(E2E)], 'succeeded']
  ],
  standard: [
    ['PAYMENT_SUCCESS', standard.event('PAYMENT_SUCCESS', { transactionId: 5, amount: 99.9, currency: 'BRL' }), [['PAYMENT_SUCCESS', { transactionId: 5, amount: 99.9 }]], 'succeeded'],
    ['PAYMENT_ERROR', standard.event('PAYMENT_ERROR', { error: 'declined' }), [['PAYMENT_ERROR', { error: 'declined' }]], 'failed'],
    ['PAYMENT_PENDING', standard.event('PAYMENT_PENDING', { reason: 'in_analysis' }), [['PAYMENT_PENDING', {}]], 'processing'],
    ['PAYMENT_CANCELLED', standard.event('PAYMENT_CANCELLED'), [['PAYMENT_CANCELLED', {}]], 'cancelled'],
    ['PAYMENT_REFUNDED', standard.event('PAYMENT_REFUNDED'), [['PAYMENT_REFUNDED', {}]], 'refunded'],
    ['PAYMENT_DISPUTED', standard.event('PAYMENT_DISPUTED'), [['PAYMENT_DISPUTED', {}]], 'disputed'],
    ['CLICKED_PAY', standard.event('CLICKED_PAY'), [['CLICKED_PAY', {}]], 'pending']
  ]
}

t.test('each word of a provider is the documented event', async (t) => {
  for (const sender of await senders(t)) {
    for (const [name, message, events, status] of WORDS[sender.name]!) {
      const { app, send, ...shop } = await receiver(t, sender)
      const place = `${sender.name}: ${name}`
      t.strictSame(await send(message), { status: 200, body: sender.name === 'adyen' ? '[accepted]' : 'ok' }, place)
      const logged = await shop.events()
      t.match(logged, events.map(([type, payload]) => ({ type, payload: { roomId: ROOM, ...payload }, source: 'api' })), place)
      t.equal(logged.length, events.length, place)
      t.equal((await shop.state())?.status, status, `${place}: ${JSON.stringify(await shop.state())}`)
      t.strictSame(await shop.refused(), [], place)
      await app.close()
    }
  }
})

t.test('the reason of a successful card at Adyen, which has digits of the card, is not relayed', async (t) => {
  const [sender] = (await senders(t)).filter(({ name }) => name === 'adyen')
  const { send, events } = await receiver(t, sender!)
  await send(sender!.paid)
  t.notMatch(JSON.stringify(await events()), /033899/)
})

t.test('a webhook that concerns no payment is taken, counted, and changes nothing', async (t) => {
  for (const sender of await senders(t)) {
    const { app, send, state } = await receiver(t, sender)
    t.equal((await send(sender.other)).status, 200, sender.name)
    t.equal((await send({})).status, sender.name === 'adyen' ? 401 : 200, `${sender.name}: an empty object`)
    t.equal(await state(), undefined, sender.name)
    t.match((await app.inject({ url: '/metrics', headers: { authorization: 'Bearer key' } })).body, `wsp_webhook_deliveries_total{provider="${sender.name}",outcome="ignored"}`)
  }
})

t.test('a dispute at Stripe that the shop wins gives the status before it back, whichever webhook comes first', async (t) => {
  const [sender] = (await senders(t)).filter(({ name }) => name === 'stripe')
  for (const [type, status, expected] of [['closed', 'won', 'succeeded'], ['closed', 'warning_closed', 'succeeded'], ['closed', 'lost', 'disputed'], ['updated', 'under_review', 'disputed']] as const) {
    const { send, state } = await receiver(t, sender!)
    await send(sender!.paid)
    for (const message of [stripe.dispute(`charge.dispute.${type}`, status), sender!.disputed!.message]) t.equal((await send(message)).status, 200)
    t.equal((await state())!.status, expected, status)
  }
})

t.test('a Pix without a txid belongs to no charge', async (t) => {
  const [sender] = (await senders(t)).filter(({ name }) => name === 'pix')
  const { send, refused } = await receiver(t, sender!)
  const { txid, ...transfer } = pix.paid().pix[0]!
  t.equal((await send({ pix: [transfer, { ...transfer, tipo: 'SOLICITACAO', gnExtras: { idEnvio: 'a1' } }] })).status, 200)
  t.strictSame(await refused(), [])
})
