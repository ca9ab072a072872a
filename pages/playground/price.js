// @ts-check
// Price of a payment: what the link expects, or else that of the example.

const AMOUNT = 99.9
const CURRENCY = 'BRL'

/** @param {import('./client/index.js').PaymentState | undefined} state */
export const priceOf = (state) => ({ amount: state?.expected ?? AMOUNT, currency: state?.currency ?? CURRENCY })
