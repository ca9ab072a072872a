// Pix by the API of Banco Central: https://bacen.github.io/pix-api, as Efí and banks have it. The room is the `txid` of the charge, as an id or as a reference.
// Banks prove themselves with a client certificate, which the proxy checks; the token in the URL is for a request that came past the proxy.
import { matches, NOT_JSON, objectsIn, parseBody, resultOf, type Fact, type Provider, type ProviderObject } from './provider.js'

const currency = 'BRL'

/** Facts of a Pix: that it was paid, and each refund that was carried out. */
function factsOf ({ endToEndId, valor, devolucoes }: ProviderObject): Fact[] {
  const payment = String(endToEndId)
  return [
    { type: 'PAYMENT_SUCCESS', payment, status: 'paid', payload: { transactionId: endToEndId, amount: valor, currency } },
    ...objectsIn(devolucoes).filter(({ status }) => status === 'DEVOLVIDO').map(({ id, valor: amount }): Fact =>
      ({ type: 'PAYMENT_REFUNDED', payment, status: `refunded:${id}`, payload: { refundId: id, transactionId: endToEndId, amount, currency } }))
  ]
}

/** @param tokens tokens in the URL of the webhook; during a rotation both */
export function pix (tokens: readonly string[]): Provider {
  return {
    read: ({ query, body: bytes }) => {
      // Banks append `/pix` to the URL that they were given, which ends with the token.
      if (!matches(String(query.token ?? '').replace(/\/pix$/, ''), tokens)) return { status: 401, reason: 'the token is missing or not valid' }
      const body = parseBody(bytes)
      if (!body) return NOT_JSON
      // A Pix without a txid belongs to no charge: a transfer to the key, or money that the shop sent.
      return { results: objectsIn(body.pix).filter(({ txid }) => txid).flatMap((pix) => factsOf(pix).map((fact) => resultOf(fact, pix.txid))) }
    }
  }
}
