// Names of card data, words beside a number, and keys of identifiers.
import t from 'tap'
import { cardNameOf, isCardEvidence, isIdentifierKey, isNumberOfCard, labelOf, saysCard } from '../../src/protocol/card-words.js'

t.test('keys that are card data by themselves are recognised in any spelling', async (t) => {
  for (const key of [
    'cvv', 'cvv2', 'CVV', 'cvc', 'CVC2', 'cvn', 'ccv', 'cvd', 'cav2', 'c_v_v', ' cvv ', 'cardCvv', 'card_cvc', 'cvvCode', 'cvv-value', 'cc-csc', 'cardCsc', 'csc_code', 'creditCardCvv', 'credit_card_cvc2', 'cardCid',
    'securityCode', 'SECURITY_CODE', 'security_code', 'card security code', 'card_code', 'cardCode', 'card-code', 'card code', 'card.code', 'verification_value', 'verificationValue', 'securityValue',
    'cardVerificationValue', 'cardVerificationNumber', 'codigoSeguranca', 'codigo_seguranca', 'código de segurança', 'Código_Segurança_Cartão', 'codSeguranca', 'cvvCartao', 'codigoSeguridad', 'código de seguridad de la tarjeta',
    'pan', 'PAN', 'cardPan', 'fullPan', 'primaryAccountNumber', 'cardNumber', 'card_number', 'card-number', 'CARDNUMBER', 'card number', 'card.number', 'cardNo', 'cardNum', 'ccNumber', 'cc_num', 'creditCardNumber', 'cartaoNumero',
    'numeroCartao', 'numero_do_cartao', 'número do cartão', 'nu\u0301mero do carta\u0303o', 'NÚMERO DO CARTÃO', 'numCartao', 'nrCartao', 'numeroCartaoCredito', 'numero do cartão de débito', 'numeroTarjeta', 'numero_de_la_tarjeta',
    'track1', 'track2', 'Track_2', 'trackData', 'track2Data', 'track2EquivalentData', 'magStripe', 'magneticStripeData', 'pinBlock', 'pin_block', 'cardPin', 'encryptedPinBlock', 'senhaCartao', 'senha do cartão', 'clave de la tarjeta',
    'payment.card.cvv', 'payment[card][cvv]', 'payment/card/securityCode', 'card.cvc'
  ]) t.equal(cardNameOf(key, true), 'always', key)
  for (const key of [
    'pinned', 'company', 'spanish', 'shipping', 'opinion', 'spin', 'pins', 'pinCode', 'expand', 'span', 'panel', 'pandas', 'card', 'cards', 'cardBrand', 'cardHolder', 'cardLast4', 'cardId', 'pagoNoCartao',
    'accountNumber', 'orderNumber', 'code', 'codigo', 'verificationCode', 'security', 'track', 'trackId', 'tracking', 'trackingNumber', 'description', 'cvs', 'recover', 'cidade', 'acid', 'type', 'payload', 'roomId',
    'maskedPan', 'panToken', 'cvvValid', 'p', '', ' ', '_'.repeat(2048), `cvv${'_'.repeat(64)}`, 'a.b', 'postal.pin'
  ]) t.equal(cardNameOf(key, true), undefined, key.slice(0, 60))
  for (let i = 0; i < 2000; i++) cardNameOf(`key ${i}`, i)
  t.ok(cardNameOf('cvv', 1) === 'always' && cardNameOf('another key', 1) === undefined, 'after many other keys too')
})

t.test('a name with two meanings is decided by its value', async (t) => {
  for (const key of ['pin', 'PIN', 'csc', 'cid', 'C_ID', 'address.pin']) {
    for (const value of ['123', '1234', 123, 1234, ' 123 ']) t.equal(cardNameOf(key, value), 'perhaps', `${key} ${value}`)
    for (const value of ['12', '12345', '560001', '000001', 560001, 'abc', 12, null, true, {}, ['123'], 'GA1.2.3']) t.equal(cardNameOf(key, value), undefined, `${key} ${JSON.stringify(value)}`)
  }
})

t.test('the number of a card object is one under a key of a card, with the companions of a card number', async (t) => {
  const number = '4111 1111 1111 1111'
  for (const key of ['number', 'Number', 'num', 'no', 'nr', 'numero', 'número']) t.equal(cardNameOf(key, number), 'number', key)
  for (const path of [['payload', 'card'], ['creditCard'], ['payment_card', 'details'], ['cartao'], ['tarjeta'], ['cards']]) {
    for (const companion of ['expiry', 'exp_month', 'expirationDate', 'validade', 'cvc', 'holder', 'titular']) t.ok(isNumberOfCard(number, { number, [companion]: 1 }, path), `${path.join('.')} ${companion}`)
  }
  t.ok(isNumberOfCard(4111111111111111, { number: 1, expiry: 1 }, ['card']))
  t.ok(isNumberOfCard('４１１１１１１１１１１１１１１１', { number: 1, expiry: 1 }, ['card']), 'full-width digits')
  t.notOk(isNumberOfCard(number, { number, expiry: 1 }, ['payload', 'order']), 'no card')
  t.notOk(isNumberOfCard(number, { number, brand: 'visa' }, ['card']), 'no companion: the number is judged by itself')
  for (const value of ['1111', '411111******1111', '**** 1111', 7, null, { a: 1 }]) t.notOk(isNumberOfCard(value, { number: value, expiry: 1 }, ['card']), `no full number: ${JSON.stringify(value)}`)
})

t.test('keys of identifiers are recognised, also beside a card', async (t) => {
  for (const key of [
    'roomId', 'deviceId', 'id', 'ID', 'idSeguro', 'transactionId', 'transaction_id', 'transactionIDs', 'orderId', 'order_number', 'orderNumber', 'invoiceNumber', 'numeroPedido', 'numero_do_pedido', 'nota-fiscal', 'chaveNFe',
    'chave_nfe', 'nfe', 'iban', 'IBAN', 'ean', 'gtin13', 'sku', 'cnpj', 'cpfCnpj', 'documento', 'nsu', 'tid', 'txid', 'endToEndId', 'reference', 'externalReference', 'trackingNumber', 'boleto', 'linhaDigitavel', 'codigoBarras', 'barcode',
    'idempotency-key', 'accountNumber', 'paymentNumber', 'codigoPagamento', 'cardId', 'card_id', 'cardToken', 'cardFingerprint', 'last-event-id', 'requestID', 'protocolo', 'número do pedido', 'phone'
  ]) t.ok(isIdentifierKey(key), key)
  for (const key of ['orderNote', 'order_message', 'orderDescription', 'payment', 'customerNote', 'note', 'message', 'error', 'description', 'card', 'number', 'cardNumber', 'paymentCard', 'cartaoPagamento', 'idade', 'valid', 'reflex', 'text', 'value', 'obs', 'payload', 'data', 'code', 'method']) t.notOk(isIdentifierKey(key), key)
})

t.test('words that say card are recognised in three languages', async (t) => {
  for (const text of ['card', 'cardInfo', 'credit_card', 'Credit cards', 'cartão', 'CARTÕES', 'cartaoCredito', 'tarjeta de crédito', 'VISA', 'MasterCard', 'master card', 'Amex', 'paymentCard']) t.ok(saysCard(text), text)
  for (const text of ['postcard', 'discard', 'cardinal', 'carta', 'visage', 'advisable', 'velocity', '', 'pedido', 'elole']) t.notOk(saysCard(text), text)
})

t.test('the word beside a number tells a card from an identifier', async (t) => {
  const labels: Array<[string, string | undefined]> = [
    ['my card is #', 'card'], ['Cartão de crédito: #', 'card'], ['tarjeta #', 'card'], ['card#x', 'card'], ['card_#', 'card'], ['# (visa)', 'card'], ['número do cartão do pedido 12: o cartão #', 'card'],
    ['pedido #', 'identifier'], ['Cartão recusado. Pedido: #', 'identifier'], ['pago com cartão, NSU #', 'identifier'], ['Order # was paid by card', 'identifier'],
    ['pay_#', 'glued'], ['TX#', 'glued'], ['#abc', 'glued'], ['card, order-#', 'glued'], ['card of order #', 'card'], ['o cartão do pagamento #', 'card'], ['# falhou. Tente outro cartão', undefined],
    ['I typed #', undefined], ['#', undefined], [`card ${'.'.repeat(60)} #`, undefined], [`# ${'.'.repeat(60)} card`, undefined]
  ]
  for (const [text, label] of labels) t.equal(labelOf(text, text.indexOf('#'), text.indexOf('#') + 1), label, text)
})

t.test('an expiry or a security code is evidence of a card', async (t) => {
  for (const [key, value] of [
    ['expiry', '12/30'], ['exp', '1230'], ['validade', '01/2029'], ['expirationDate', '2030-12'], ['cardExpires', ' 3/31 '], ['expMonth', 12], ['exp_year', '2030'], ['mesValidade', '12'],
    ['note', 'até 12/30'], ['note', 'val. 0131'], ['note', 'Vence 03/2029'], ['note', 'cvv 123'], ['note', 'CVC2: 1234'], ['note', 'código de segurança 987'], ['note', 'security code: 123']
  ] as const) t.ok(isCardEvidence(key, value), `${key} ${value}`)
  for (const [key, value] of [
    ['expiresAt', '2026-12-01T10:00:00Z'], ['expiresAt', 1795504543571], ['expiry', 'never'], ['note', '12/05/2026'], ['note', '99/30'], ['note', 'valor 12.30'], ['note', '2026-12-01'], ['note', 'cvv inválido'], ['fields', ['cvv 123']], ['note', null]
  ] as const) t.notOk(isCardEvidence(key, value), `${key} ${String(value)}`)
})
