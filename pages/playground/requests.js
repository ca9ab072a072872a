// @ts-check
// REST requests for this payment: each shown as a curl command, to copy or to run.
import { button, byId, copy, element } from './elements.js'
import { inEveryLanguage, words } from './i18n.js'
import { BASE, call, getKey } from './server.js'

/** @typedef {{ name: string, operation: string, method: string, path: string, body?: () => object }} ApiRequest */

/** @param {{ roomId: string, tokens?: object }} payment @returns {ApiRequest[]} */
function requestsFor ({ roomId, tokens }) {
  const room = `api/rooms/${roomId}`
  return [
    { name: 'getRoom', operation: 'getRoom', method: 'GET', path: room },
    { name: 'listRoomEvents', operation: 'listRoomEvents', method: 'GET', path: `${room}/events` },
    {
      name: 'broadcastToRoom',
      operation: 'broadcastToRoom',
      method: 'POST',
      path: `api/message/room/${roomId}/broadcast`,
      body: () => ({ eventType: 'PAYMENT_UPDATE', message: words('broadcastMessage'), idSeguro: 'seguro_123456' })
    },
    {
      name: 'publishSuccess',
      operation: 'publishRoomEvent',
      method: 'POST',
      path: `${room}/events`,
      body: () => ({ type: 'PAYMENT_SUCCESS', payload: { transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }, id: 'psp-1' })
    },
    {
      name: 'publishError',
      operation: 'publishRoomEvent',
      method: 'POST',
      path: `${room}/events`,
      body: () => ({ type: 'PAYMENT_ERROR', payload: { error: words('declined'), code: 'DECLINED' }, id: 'psp-2' })
    },
    ...(getKey() === undefined ? [] : backendResults(room)),
    ...(tokens ? [{ name: 'createRoomToken', operation: 'createRoomToken', method: 'POST', path: `${room}/tokens`, body: () => ({ role: 'device2' }) }] : []),
    { name: 'updateLink', operation: 'updateRoom', method: 'PATCH', path: room, body: () => ({ amount: 99.9, currency: 'BRL', ttlSeconds: 900 }) },
    { name: 'expireLink', operation: 'updateRoom', method: 'PATCH', path: room, body: () => ({ ttlSeconds: 5 }) },
    { name: 'closeRoom', operation: 'closeRoom', method: 'DELETE', path: room },
    { name: 'getServerStatus', operation: 'getServerStatus', method: 'GET', path: 'api/server/status' }
  ]
}

/** Results that only a backend with a key may report. @param {string} room @returns {ApiRequest[]} */
function backendResults (room) {
  const publish = { operation: 'publishRoomEvent', method: 'POST', path: `${room}/events` }
  return [
    { ...publish, name: 'publishPending', body: () => ({ type: 'PAYMENT_PENDING', payload: { reason: 'in_analysis' }, id: 'psp-3' }) },
    { ...publish, name: 'publishCancelled', body: () => ({ type: 'PAYMENT_CANCELLED', payload: { reason: words('cancelReason') }, id: 'psp-4' }) },
    { ...publish, name: 'publishRefund', body: () => ({ type: 'PAYMENT_REFUNDED', payload: { transactionId: 'tx_456789', refundId: 're_1', amount: 40, currency: 'BRL' }, id: 'psp-5' }) },
    { ...publish, name: 'publishDispute', body: () => ({ type: 'PAYMENT_DISPUTED', payload: { outcome: 'opened', reason: words('disputeReason') }, id: 'psp-6' }) }
  ]
}

/** Returns the curl command of a request, with `$KEY` in place of the API key, since commands are copied and shared. @param {ApiRequest} request */
function curlOf ({ method, path, body }) {
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`
  return [
    `curl ${method === 'GET' ? '' : `-X ${method} `}${BASE}${path}`,
    ...(getKey() === undefined ? [] : ['-H "Authorization: Bearer $KEY"']),
    ...(body ? ["-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body()))}`] : [])
  ].join(' \\\n  ')
}

/** @type {Array<() => void>} */
let speak = []
// Request bodies hold texts in the page's language, too.
inEveryLanguage(() => { for (const say of speak) say() })

/**
 * @param {{ roomId: string, tokens?: object }} payment
 * @param {(token: string) => void} onToken called with a new token for the payer
 */
export function showRequests (payment, onToken) {
  speak = []
  byId('requests').replaceChildren(...requestsFor(payment).map((request) => requestPanel(request, onToken)))
  byId('requests').querySelector('[data-name="broadcastToRoom"]').open = true
}

/** @param {ApiRequest} request @param {(token: string) => void} onToken */
function requestPanel (request, onToken) {
  const { name, method, operation } = request
  const curl = element('pre', { class: 'curl', tabindex: '0' })
  const answer = element('pre', { class: 'answer', tabindex: '0', 'aria-live': 'polite', hidden: '' })
  const copying = button(['copyCurl'], () => copy(copying, curlOf(request)))
  const running = button(['run'], run, { class: 'primary' })

  async function run () {
    const { status, body } = await call(method, request.path, request.body?.()).catch(() => ({ status: 0, body: { error: words('unreachable') } }))
    answer.hidden = false
    answer.dataset.ok = String(status >= 200 && status < 300)
    answer.textContent = `${status}${body ? `\n${JSON.stringify(body, null, 2)}` : ''}`
    if (operation === 'createRoomToken' && status === 201) onToken(body.data.token)
  }

  const show = () => { curl.textContent = curlOf(request) }
  speak.push(show)
  show()
  return element('details', { 'data-name': name },
    element('summary', {}, element('span', { class: `verb ${method}` }, method), ' ', element('span', { say: [name] }), ' ', element('code', {}, operation)),
    curl,
    element('div', { class: 'row', role: 'group', 'data-t-label': name, 'aria-label': words(name) }, copying, running),
    answer)
}
