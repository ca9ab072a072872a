// Script that a page includes to have <payment-status>: the server that serves it is the one that the elements connect to.
import { definePaymentStatus } from './element.js'

definePaymentStatus({ url: new URL('.', import.meta.url).href })
