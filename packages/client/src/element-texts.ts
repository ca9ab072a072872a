// Texts of the element, in English and Portuguese.

export interface Texts {
  readonly label: string
  readonly retry: string
  readonly of: string
  readonly claimed: string
  readonly connections: { readonly [status: string]: string }
  readonly steps: { readonly [step: string]: string }
  readonly statuses: { readonly [status: string]: string }
}

const en: Texts = {
  label: 'Payment',
  retry: 'Try again',
  of: '{paid} of {expected}',
  claimed: '{status}, not confirmed yet',
  connections: { connecting: 'Connecting …', offline: 'Reconnecting …', closed: 'This payment is over.' },
  steps: {
    WAITING: 'Waiting for the payer',
    ENTERED_SUMMARY: 'The payer opened the link',
    CLICKED_PROCEED: 'The payer goes on to pay',
    PAYMENT_METHOD_CHANGED: 'The payer chose how to pay',
    DATA_FILLED: 'The payer filled in the data',
    CLICKED_PAY: 'The payer pressed pay'
  },
  statuses: {
    pending: 'Waiting for the payment',
    processing: 'In process',
    succeeded: 'Paid',
    failed: 'Failed',
    cancelled: 'Cancelled',
    expired: 'Expired',
    partially_refunded: 'Partly refunded',
    refunded: 'Refunded',
    disputed: 'Disputed'
  }
}

const pt: Texts = {
  label: 'Pagamento',
  retry: 'Tentar de novo',
  of: '{paid} de {expected}',
  claimed: '{status}, ainda sem confirmação',
  connections: { connecting: 'Conectando …', offline: 'Reconectando …', closed: 'Este pagamento foi encerrado.' },
  steps: {
    WAITING: 'Aguardando quem paga',
    ENTERED_SUMMARY: 'Quem paga abriu o link',
    CLICKED_PROCEED: 'Quem paga seguiu para o pagamento',
    PAYMENT_METHOD_CHANGED: 'Quem paga escolheu a forma de pagamento',
    DATA_FILLED: 'Quem paga preencheu os dados',
    CLICKED_PAY: 'Quem paga tocou em pagar'
  },
  statuses: {
    pending: 'Aguardando o pagamento',
    processing: 'Em processamento',
    succeeded: 'Pago',
    failed: 'Recusado',
    cancelled: 'Cancelado',
    expired: 'Vencido',
    partially_refunded: 'Estornado em parte',
    refunded: 'Estornado',
    disputed: 'Contestado'
  }
}

/** Returns the texts of a language tag such as `pt-BR`: Portuguese, or English for every other. */
export function textsOf (language: string): Texts { return /^pt\b/i.test(language) ? pt : en }
