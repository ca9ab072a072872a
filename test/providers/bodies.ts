// Bodies of the payment providers, in the shapes of their documentation.

/** Reference that the shop gave the provider. */
export const ROOM = 'order_1234'

type Json = Record<string, any>

// https://docs.stripe.com/api/events/object
const stripeEvent = (type: string, object: Json) => ({
  id: 'evt_1NG8Du2eZvKYlo2CUI79vXWy',
  object: 'event',
  api_version: '2025-09-30.clover',
  created: 1686089970,
  data: { object },
  livemode: false,
  pending_webhooks: 1,
  request: { id: 'req_ICwV3tWlFuCrsb', idempotency_key: null },
  type
})
export const stripe = {
  intent: (type: string, more: Json = {}) => stripeEvent(type, {
    id: 'pi_3MtwBwLkdIwHu7ix28a3tqPa',
    object: 'payment_intent',
    amount: 9990,
    amount_received: 9990,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic',
    client_secret: 'pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH',
    created: 1680800504,
    currency: 'brl',
    last_payment_error: null,
    latest_charge: 'ch_3MtwBwLkdIwHu7ix0SNM0QOu',
    metadata: { roomId: ROOM },
    payment_method_types: ['card'],
    status: 'succeeded',
    ...more
  }),
  session: (type: string, more: Json = {}) => stripeEvent(type, {
    id: 'cs_test_a11YYufWQzNY63zpQ6QSNRQhkUpVph4WRmzW0zWJO2znZKdVujZ0N0S22u',
    object: 'checkout.session',
    amount_subtotal: 9990,
    amount_total: 9990,
    client_reference_id: null,
    currency: 'brl',
    customer_details: { email: 'maria@example.com', name: 'Maria' },
    metadata: { roomId: ROOM },
    mode: 'payment',
    payment_intent: 'pi_3MtwBwLkdIwHu7ix28a3tqPa',
    payment_status: 'paid',
    status: 'complete',
    url: null,
    ...more
  }),
  charge: (refunded: number, more: Json = {}) => stripeEvent('charge.refunded', {
    id: 'ch_3MtwBwLkdIwHu7ix0SNM0QOu',
    object: 'charge',
    amount: 9990,
    amount_captured: 9990,
    amount_refunded: refunded,
    currency: 'brl',
    metadata: { roomId: ROOM },
    paid: true,
    payment_intent: 'pi_3MtwBwLkdIwHu7ix28a3tqPa',
    payment_method_details: { card: { brand: 'visa', last4: '4242' }, type: 'card' },
    refunded: refunded === 9990,
    status: 'succeeded',
    ...more
  }),
  // A dispute has metadata of its own: it does not name the room.
  dispute: (type: string, status: string) => stripeEvent(type, {
    id: 'du_1MtJUT2eZvKYlo2CNaw2HvEv',
    object: 'dispute',
    amount: 9990,
    charge: 'ch_3MtwBwLkdIwHu7ix0SNM0QOu',
    currency: 'brl',
    is_charge_refundable: false,
    metadata: {},
    payment_intent: 'pi_3MtwBwLkdIwHu7ix28a3tqPa',
    reason: 'fraudulent',
    status
  })
}

// https://www.mercadopago.com.br/developers/pt/reference/payments/_payments_id/get
export const mercadopago = {
  payment: (status: string, more: Json = {}) => ({
    id: 20359978,
    date_created: '2026-11-30T10:00:00.000-03:00',
    date_approved: null,
    date_of_expiration: null,
    payment_method_id: 'pix',
    payment_type_id: 'bank_transfer',
    status,
    status_detail: 'accredited',
    currency_id: 'BRL',
    description: 'Pedido 1234',
    live_mode: true,
    collector_id: 448870796,
    payer: { id: 123, email: 'maria@example.com' },
    metadata: {},
    external_reference: ROOM,
    transaction_amount: 99.9,
    transaction_amount_refunded: 0,
    refunds: [],
    ...more
  })
}

// https://docs.adyen.com/development-resources/webhooks/webhook-structure
export const adyen = {
  item: (eventCode: string, more: Json = {}) => ({
    additionalData: {},
    amount: { currency: 'BRL', value: 9990 },
    pspReference: 'QFQTPCQ8HXSKGK82',
    eventCode,
    eventDate: '2026-11-30T10:00:00+01:00',
    merchantAccountCode: 'ShopBR',
    operations: ['CANCEL', 'CAPTURE', 'REFUND'],
    merchantReference: ROOM,
    paymentMethod: 'visa',
    reason: '033899:1111:03/2030',
    success: 'true',
    ...more
  }),
  /** An event about a payment, which it names as the original. */
  modification: (eventCode: string, more: Json = {}) => adyen.item(eventCode, { pspReference: 'KHQC5N7G84BLNK43', originalReference: 'QFQTPCQ8HXSKGK82', reason: '', ...more }),
  batch: (...items: Json[]) => ({ live: 'false', notificationItems: items.map((item) => ({ NotificationRequestItem: item })) })
}

// https://docs.asaas.com/docs/webhook-para-cobrancas
export const asaas = {
  event: (event: string, more: Json = {}) => ({
    id: 'evt_05b708f961d739ea7eba7e4db318f621&368604920',
    event,
    dateCreated: '2026-11-30 10:00:00',
    payment: {
      object: 'payment',
      id: 'pay_080225913252',
      dateCreated: '2026-11-30',
      customer: 'cus_G7Dvo4iphUNk',
      paymentLink: null,
      dueDate: '2026-12-03',
      value: 99.9,
      netValue: 98.91,
      originalValue: null,
      interestValue: null,
      nossoNumero: null,
      description: 'Pedido 1234',
      externalReference: ROOM,
      billingType: 'PIX',
      status: 'RECEIVED',
      pixTransaction: null,
      confirmedDate: '2026-11-30',
      invoiceUrl: 'https://www.asaas.com/i/080225913252',
      invoiceNumber: '00005101',
      deleted: false,
      creditCard: { creditCardNumber: '8829', creditCardBrand: 'MASTERCARD', creditCardToken: 'a75a1d98-c52d-4a6b-a413-71e00b193c99' },
      discount: { value: 0, dueDateLimitDays: 0, limitedDate: null, type: 'FIXED' },
      refunds: null,
      ...more
    }
  })
}

// https://developer.pagbank.com.br/reference/webhooks
export const pagbank = {
  charge: (status: string, more: Json = {}) => ({
    id: 'CHAR_F1F10115-09F4-4560-85F5-A828D9F96300',
    reference_id: 'cobranca 1',
    status,
    created_at: '2026-11-30T10:00:00.000-03:00',
    description: 'Pedido 1234',
    amount: { value: 9990, currency: 'BRL', summary: { total: 9990, paid: 0, refunded: 0 } },
    payment_response: { code: '20000', message: 'SUCESSO', reference: '1606012' },
    payment_method: { type: 'CREDIT_CARD', installments: 1, capture: true, card: { brand: 'visa', first_digits: '411111', last_digits: '1111' } },
    ...more
  }),
  summary: (paid: number, refunded: number) => ({ amount: { value: 9990, currency: 'BRL', summary: { total: 9990, paid, refunded } }, ...(paid > 0 && { paid_at: '2026-11-30T10:01:00.000-03:00' }) }),
  order: (...charges: Json[]) => ({
    id: 'ORDE_F87334AC-BB8B-42E2-AA85-8579F70AA328',
    reference_id: ROOM,
    created_at: '2026-11-30T10:00:00.000-03:00',
    items: [{ reference_id: 'livro', name: 'Livro', quantity: 1, unit_amount: 9990 }],
    customer: { name: 'Jose da Silva', email: 'jose@example.com', tax_id: '12345678909', phones: [{ country: '55', area: '11', number: '999999999', type: 'MOBILE' }] },
    charges,
    notification_urls: ['https://pay.example/webhooks/pagbank'],
    links: []
  })
}

// https://bacen.github.io/pix-api/#tag/CallbackPix
export const pix = {
  paid: (...devolucoes: Json[]) => ({
    pix: [{
      endToEndId: 'E12345678202611301000s0123456789',
      txid: ROOM,
      chave: '7c084cd4-54af-4172-a516-a7d1a12b75cc',
      valor: '99.90',
      horario: '2026-11-30T10:00:00.000Z',
      infoPagador: 'Obrigada',
      ...(devolucoes.length > 0 && { devolucoes })
    }]
  }),
  refund: (id: string, valor: string, status = 'DEVOLVIDO') =>
    ({ id, rtrId: 'D12345678202611301030abcdef01234', valor, horario: { solicitacao: '2026-11-30T10:30:00.000Z' }, status })
}

// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
export const standard = {
  event: (type: string, data: Json = {}) => ({ type, timestamp: '2026-11-30T10:00:00.000Z', data: { roomId: ROOM, ...data } })
}
