// Realistic bodies of the providers: no rule of ours refuses one, whatever its ids and its currency are.
import t from 'tap'
import { seeded } from '../seeded.js'
import { adyen, asaas, mercadopago, pagbank, pix, standard, stripe } from './bodies.js'
import { senders } from './senders.js'
import { receiver } from './server.js'

const COUNT = 150
const random = seeded(11)
const below = (limit: number) => Math.floor(random() * limit)
const text = (alphabet: string, length: number) => Array.from({ length }, () => alphabet[below(alphabet.length)]).join('')
const digits = (length: number) => text('0123456789', length)
const hex = (length: number) => text('0123456789abcdef', length)
const base62 = (length: number) => text('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', length)
const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`
/** Numbers as long as those of cards, with their beginnings and their check digits: a counter of a shop meets them. */
const likeCards = () => [`4${digits(15)}`, `5${digits(15)}`, '4111111111111111', `4${digits(17)}`][below(4)]!
const order = () => [`order_${below(1e6)}`, uuid(), `${below(1e6)}`, `pedido-${base62(8)}`, likeCards(), `order-${likeCards()}`][below(6)]!
const cents = () => 1 + below(1e7)
const reais = () => Number((cents() / 100).toFixed(2))

/** Bodies with ids in the form of each provider. */
const BODIES: Readonly<Record<string, () => object>> = {
  stripe: () => stripe.intent('payment_intent.succeeded', { id: `pi_3${base62(23)}`, latest_charge: `ch_3${base62(23)}`, amount_received: cents(), metadata: { roomId: order() } }),
  mercadopago: () => mercadopago.payment('approved', { id: Number(`1${digits(10 + below(2))}`), transaction_amount: reais(), external_reference: order() }),
  adyen: () => adyen.batch(adyen.item('AUTHORISATION', { pspReference: below(2) ? likeCards() : text('BCDFGHJKLMNPQRSTVWXZ23456789', 16), merchantReference: order(), amount: { currency: 'EUR', value: cents() } })),
  asaas: () => asaas.event('PAYMENT_RECEIVED', { id: `pay_${below(2) ? likeCards() : text('0123456789abcdefghijklmnopqrstuvwxyz', 16)}`, value: reais(), externalReference: order() }),
  pagbank: () => ({ ...pagbank.order(pagbank.charge('PAID', { id: `CHAR_${uuid().toUpperCase()}`, amount: { value: cents(), currency: 'BRL', summary: { total: 1, paid: 1, refunded: 0 } } })), reference_id: order() }),
  pix: () => {
    const [received] = pix.paid(pix.refund(base62(20), '0.01')).pix
    return { pix: [{ ...received, endToEndId: `E${digits(8)}2026${digits(8)}${base62(11)}`, txid: base62(26 + below(10)), valor: reais().toFixed(2) }] }
  },
  standard: () => standard.event('PAYMENT_SUCCESS', { roomId: order(), transactionId: below(2) ? likeCards() : uuid(), amount: reais(), currency: 'BRL' })
}

t.test('no realistic body is refused', async (t) => {
  for (const sender of await senders(t)) {
    let now = Date.now()
    const { inject, refused } = await receiver(t, sender, { monotonic: () => (now += 100) })
    for (let n = 0; n < COUNT; n++) {
      const message = BODIES[sender.name]!()
      const { status, body } = await inject(sender.deliver(message))
      if (status !== 200) t.fail(`${sender.name}: ${body} ${JSON.stringify(message)}`)
    }
    t.strictSame(await refused(), [], sender.name)
  }
})

/** Currencies, without STD, which ISO 4217 withdrew, of https://docs.stripe.com/currencies and of https://docs.adyen.com/development-resources/currency-codes. */
const STRIPE = 'USD AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD ' +
  'FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JPY KES KGS KHR KMF KRW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN ' +
  'NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX UYU UZS VND VUV WST ' +
  'XAF XCD XOF XPF YER ZAR ZMW BHD JOD KWD OMR TND'
const ADYEN = 'AED ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BMD BND BOB BRL BSD BWP BYN BZD CAD CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP ' +
  'GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LYD MAD MDL MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO ' +
  'NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STN SVC SZL THB TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF ' +
  'XCD XOF XPF YER ZAR ZMW'
/** Two-decimal amounts of these currencies end with 00, since they have no decimals. */
const WHOLE: Readonly<Record<string, string>> = { stripe: 'ISK UGX', adyen: 'ISK CLP' }

t.test('an amount in every currency of Stripe and of Adyen is taken', async (t) => {
  for (const sender of (await senders(t)).filter(({ name }) => ['stripe', 'adyen'].includes(name))) {
    let now = Date.now()
    const { inject, refused } = await receiver(t, sender, { monotonic: () => (now += 100) })
    for (const currency of (sender.name === 'stripe' ? STRIPE : ADYEN).split(' ')) {
      const value = WHOLE[sender.name]!.includes(currency) ? 123400 : 123456
      const message = sender.name === 'stripe'
        ? stripe.intent('payment_intent.succeeded', { id: `pi_${currency}`, amount_received: value, currency: currency.toLowerCase() })
        : adyen.batch(adyen.item('AUTHORISATION', { pspReference: `PSP${currency}`, amount: { value, currency } }))
      t.equal((await inject(sender.deliver(message))).status, 200, `${sender.name}: ${currency}`)
    }
    t.strictSame(await refused(), [])
  }
})
