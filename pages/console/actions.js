// @ts-check
// Actions on a payment: each a small form, which sends one request and says what came of it.
import { button, byId, copy, element } from './elements.js'
import { say } from './i18n.js'
import { BASE, call } from './server.js'

/** @typedef {import('./room.js').Details} Details */
/** @typedef {{ details: Details, access: import('./room.js').Access, onDone: () => void }} Context */
/** @typedef {{ name: string, text: string, required?: boolean, value?: string }} Field */

/** Results by their events, and the fields of each. The last three need the key of a backend. */
const RESULTS = /** @type {Record<string, string[]>} */ ({
  PAYMENT_SUCCESS: ['transactionId', 'amount', 'currency'],
  PAYMENT_ERROR: ['error', 'code'],
  PAYMENT_PENDING: ['reason'],
  PAYMENT_CANCELLED: ['reason'],
  PAYMENT_REFUNDED: ['refundId', 'amount', 'currency']
})
const OF_ANYONE = ['PAYMENT_SUCCESS', 'PAYMENT_ERROR']
const REQUIRED = ['refundId']

/** Times by which a link is extended, in seconds, with their texts. @type {ReadonlyArray<[seconds: number, text: string]>} */
const EXTENSIONS = [[900, 'minutes15'], [3600, 'hour1'], [86_400, 'day1']]

/** Shows the actions on a payment. @param {HTMLElement} place @param {Context} context */
export function showActions (place, context) {
  place.replaceChildren(
    element('h3', { say: ['actions'] }),
    panel('publishResult', resultForm(context)),
    panel('extend', extendForm(context)),
    panel('mintLink', linkForm(context)),
    element('div', { class: 'row end' }, closeButton(context)))
  place.hidden = false
}

/** @param {string} text @param {HTMLElement} form */
function panel (text, form) { return element('details', { 'data-action': text }, element('summary', { say: [text] }), form) }

/**
 * Makes a form that sends a request, and shows the answer below its button.
 * @param {{ text: string, parts: HTMLElement[], send: () => Promise<{ status: number, body: any }>, onDone: (body: any) => void }} form
 */
function formOf ({ text, parts, send, onDone }) {
  const answer = element('p', { role: 'status', class: 'answer-line' })
  const submit = element('button', { class: 'primary', say: [text] })
  const form = element('form', { class: 'action', autocomplete: 'off' }, ...parts, element('div', { class: 'row' }, submit), answer)
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    submit.setAttribute('disabled', '')
    const { status, body } = await send().catch(() => ({ status: 0, body: undefined }))
    submit.removeAttribute('disabled')
    const isDone = status >= 200 && status < 300
    answer.dataset.ok = String(isDone)
    if (isDone) say(answer, 'done')
    else say(answer, status === 0 ? 'unreachable' : 'serverSays', body)
    if (isDone) onDone(body)
  })
  return form
}

/** @param {string} name @param {string} value */
function field (name, value) {
  const numeric = name === 'amount' ? { inputmode: 'decimal', pattern: '\\d{1,12}(\\.\\d{1,3})?' } : {}
  const shape = name === 'currency' ? { maxlength: '3', pattern: '[A-Za-z]{3}' } : { maxlength: '200' }
  const input = element('input', { name, value, spellcheck: 'false', ...shape, ...numeric, ...(REQUIRED.includes(name) && { required: '' }) })
  return element('label', {}, element('span', { say: [`field_${name}`] }), input)
}

/** @param {Context} context */
function resultForm ({ details: { roomId, state: { expected, currency } }, access, onDone }) {
  const types = Object.keys(RESULTS).filter((type) => access.isBackend || OF_ANYONE.includes(type))
  const select = /** @type {HTMLSelectElement} */ (element('select', { name: 'type' }, ...types.map((type) => element('option', { value: type, say: [type] }))))
  const fields = element('div', { class: 'fields' })
  const known = /** @type {Record<string, string>} */ ({ amount: expected === undefined ? '' : String(expected), currency: expected === undefined ? '' : currency ?? '' })
  // Kept until the result is in the log, so that a second press sends no second result.
  let id = newId()
  const showFields = () => {
    id = newId()
    fields.replaceChildren(...(RESULTS[select.value] ?? []).map((name) => field(name, known[name] ?? '')))
  }
  select.addEventListener('change', showFields)
  fields.addEventListener('input', () => { id = newId() })
  showFields()
  const hint = element('p', { class: 'muted', say: [access.isBackend ? 'resultHint' : 'claimHint'] })
  const type = element('label', {}, element('span', { say: ['result'] }), select)
  return formOf({
    text: 'publish',
    parts: [type, fields, hint],
    send: () => call('POST', `api/rooms/${roomId}/events`, { type: select.value, payload: payloadOf(fields), id }),
    onDone
  })
}

/** Payload of the filled-in fields. The amount is sent as its text: a number would be rounded. @param {HTMLElement} fields */
function payloadOf (fields) {
  const inputs = [...fields.querySelectorAll('input')].map(({ name, value }) => [name, value.trim()])
  return Object.fromEntries(inputs.filter(([, value]) => value !== ''))
}

/** @param {Context} context */
function extendForm ({ details: { roomId }, onDone }) {
  const select = /** @type {HTMLSelectElement} */ (element('select', { name: 'ttl' }, ...EXTENSIONS.map(([seconds, text]) => element('option', { value: String(seconds), say: [text] }))))
  return formOf({
    text: 'extendNow',
    parts: [element('label', {}, element('span', { say: ['extendBy'] }), select)],
    send: () => call('PATCH', `api/rooms/${roomId}`, { ttlSeconds: Number(select.value) }),
    onDone
  })
}

/** @param {Context} context */
function linkForm ({ details: { roomId }, access: { hasTokens, playground } }) {
  const output = /** @type {HTMLInputElement} */ (element('input', { readonly: '', id: 'minted' }))
  const copying = button(['copyLink'], () => copy(copying, output.value))
  const result = element('div', { class: 'minted', hidden: '' }, element('label', {}, element('span', { say: [playground ? 'payerLink' : hasTokens ? 'payerToken' : 'roomId'] }), output), copying)
  const hint = element('p', { class: 'muted', say: [playground ? 'linkHint' : 'tokenHint'] })
  const form = formOf({
    text: 'mint',
    parts: [hint],
    send: async () => hasTokens ? call('POST', `api/rooms/${roomId}/tokens`, { role: 'device2' }) : { status: 200, body: { data: {} } },
    onDone: ({ data: { token } }) => {
      // The token is after the #, which a browser sends to no server.
      const link = new URL(`playground/pay.html#${new URLSearchParams({ room: roomId, ...(token && { token }) })}`, BASE)
      output.value = playground ? link.href : token ?? roomId
      result.hidden = false
    }
  })
  form.append(result)
  return form
}

/** @param {Context} context */
function closeButton ({ details: { roomId }, onDone }) {
  return button(['close'], () => {
    const dialog = /** @type {HTMLDialogElement} */ (byId('confirm'))
    dialog.returnValue = 'keep'
    dialog.addEventListener('close', async () => {
      if (dialog.returnValue !== 'close') return
      const { status, body } = await call('DELETE', `api/rooms/${roomId}`).catch(() => ({ status: 0, body: undefined }))
      if (status !== 204) say(byId('room-problem'), status === 0 ? 'unreachable' : 'serverSays', body)
      onDone()
    }, { once: true })
    dialog.showModal()
  }, { class: 'danger', id: 'close-room' })
}

function newId () { return `console-${Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')}` }
