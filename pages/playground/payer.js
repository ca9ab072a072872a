// @ts-check
// Device 2: the page of the payment link. Publishes the payer's actions to the room; after a reload it restores the screen from the room's state.
import { openDevice } from './device.js'
import { button, byId, element } from './elements.js'
import { inEveryLanguage, money, say, translatePage, words } from './i18n.js'
import { balanceOf, factsOf, MOODS, PAID, refundOf } from './outcome.js'
import { priceOf } from './price.js'

/** @typedef {import('./client/index.js').PaymentState} PaymentState */

/** Fields of each payment method, with sample values to fill in on demand. */
const FIELDS = /** @type {Record<string, Record<string, string>>} */ ({
  pix: { name: 'Maria da Silva', cpf: '123.456.789-09' },
  card: { name: 'Maria da Silva', cardNumber: '4111 1111 1111 1111', expiry: '12/30', cvv: '123' },
  boleto: { name: 'Maria da Silva', cpf: '123.456.789-09', email: 'maria@example.com' }
})
/** Screen for each last step. */
const SCREENS = /** @type {Record<string, string>} */ ({
  ENTERED_SUMMARY: 'summary', CLICKED_PROCEED: 'method', PAYMENT_METHOD_CHANGED: 'method', DATA_FILLED: 'pay', CLICKED_PAY: 'bank'
})

/** Screens of a result. */
const RESULTS = ['success', 'failure', 'notice']
const MARKS = /** @type {Record<string, string>} */ ({ processing: '…', refunded: '↩', partially_refunded: '↩', disputed: '!' })

const link = new URLSearchParams(location.hash.slice(1))
const roomId = link.get('room')
let screen = ''
let method = 'pix'
/** @type {{ type: any, payload: Record<string, unknown>, id: string } | undefined} */
let last
/** @type {PaymentState | undefined} */
let known
/** Text key of the reason why the room cannot be used any more. */
let over = ''
let hasActed = false
/** True while another payer has the room. */
let isTaken = false

translatePage()
// Opening another link in the same tab may change only the fragment after the `#`, which alone does not reload the page.
addEventListener('hashchange', () => location.reload())
inEveryLanguage(showTexts)
const device = roomId ? join(roomId) : undefined
if (!device) end('overBroken')

/** @param {string} roomId */
function join (roomId) {
  const device = openDevice({ roomId, role: 'device2', deviceId: deviceName(roomId), token: link.get('token') ?? undefined }, { chip: byId('status2'), log: byId('timeline2'), controls: byId('network2') })
  const { room } = device
  const again = button(['sendTwice'], () => { if (last) void tell(last.type, last.payload, last.id) }, { 'data-do': 'twice', disabled: '' })
  byId('network2').append(again)
  room.on('state', goOn)
  room.on('error', ({ code }) => {
    if (code !== 'ROOM_TAKEN') return
    isTaken = true
    showTaken()
  })
  room.on('closed', ({ reason }) => {
    if (known && PAID.includes(known.status)) return
    end(/^(expired|TOKEN_EXPIRED)$/.test(reason) ? 'overExpired' : /^(closed|ROOM_CLOSED)$/.test(reason) ? 'overClosed' : 'overBroken')
  })
  return device
}

/** Returns a short device id, the same after a reload. @param {string} roomId */
function deviceName (roomId) {
  const key = `playground-device ${roomId}`
  const name = sessionStorage.getItem(key) ?? `phone_${newId().slice(0, 4)}`
  sessionStorage.setItem(key, name)
  return name
}

/** Applies the room's state: the payer's screen before a reload, and results from other senders. @param {PaymentState} state */
function goOn (state) {
  const isFirst = screen === '' || isTaken
  isTaken = false
  const isNews = state.status !== known?.status || state.attempt !== known.attempt
  known = state
  showTexts()
  // Only until the payer acts on this page: an event published before a reload may be logged after it.
  if (!hasActed && state.method && FIELDS[state.method]) choose(state.method)
  if (state.status !== 'pending') {
    if (isFirst || isNews) showResult(state)
  } else if (!hasActed || RESULTS.includes(screen)) {
    // A link that was extended, or a new attempt in another tab, brings the buttons back.
    show(SCREENS[state.step ?? 'ENTERED_SUMMARY'] ?? 'summary')
  }
  // A fixed id: if the page is reloaded before the acknowledgement, the event is published again and logged once.
  if (isFirst && state.step === null && state.status === 'pending') void tell('ENTERED_SUMMARY', {}, `${device?.room.deviceId}-entered`)
}

/**
 * Publishes an action of the payer.
 * @param {import('./client/index.js').DevicePaymentEvent} type
 * @param {Record<string, unknown>} [payload]
 */
function act (type, payload) {
  hasActed = true
  return tell(type, payload)
}

/** @param {PaymentState} state */
function showResult ({ status }) { show(status === 'succeeded' ? 'success' : status === 'failed' ? 'failure' : 'notice') }

/** Shows the amount and the result in the page's language. */
function showTexts () {
  const { amount, currency } = priceOf(known)
  for (const place of document.querySelectorAll('[data-amount]')) place.textContent = money(amount, currency)
  say(byId('pay'), 'pay', { amount: money(amount, currency) })
  if (!known) return
  byId('receipt').textContent = words('receipt', { transactionId: '–', ...known.outcome })
  byId('reason').textContent = factsOf(known.outcome)
  if (!over) showNotice(known)
}

/** Result other than a success or a failure. @param {PaymentState} state */
function showNotice (state) {
  const { status, outcome } = state
  byId('notice-mark').className = `mark ${MOODS[status] === 'waiting' ? 'warm' : ''}`
  byId('notice-mark').textContent = MARKS[status] ?? '×'
  say(byId('notice-title'), status === 'expired' ? 'expiredTitle' : status)
  byId('notice').textContent = status === 'expired' ? words('expiredHint') : refundOf(state) || factsOf(outcome)
  byId('notice-more').textContent = status === 'processing' ? balanceOf(state) : ''
}

/**
 * Publishes an event to the room, now or when the network is back; the page goes on meanwhile.
 * @param {import('./client/index.js').DevicePaymentEvent} type
 * @param {Record<string, unknown>} [payload]
 * @param {string} [id] id of an event that was published before, to repeat it
 */
async function tell (type, payload = {}, id = newId()) {
  if (!device) return
  last = { type, payload, id }
  byId('network2').querySelector('[data-do="twice"]').disabled = false
  say(byId('refusal'), '')
  device.own.add(id)
  const mark = device.timeline.event({ type, payload }, ['sending'])
  try {
    const { seq, duplicate } = await device.room.publish(type, payload, { id })
    mark(seq, duplicate ? 'sentBefore' : 'kept')
  } catch (error) {
    const { code, message } = /** @type {import('./client/index.js').RoomError} */ (error)
    mark(undefined, 'failedToSend')
    if (code === 'FORBIDDEN') say(byId('refusal'), 'backendOnly')
    // After the deadline of the link, the state says why.
    else if (code !== 'CLOSED' && code !== 'ROOM_CLOSED') say(byId('refusal'), 'refused', { code, message })
  }
}

/**
 * Publishes the bank's result. The state decides which screen is shown: the result may repeat the previous one, or be outranked by a backend's.
 * @param {'PAYMENT_SUCCESS' | 'PAYMENT_ERROR'} type
 * @param {Record<string, unknown>} payload
 */
async function tellResult (type, payload) {
  const buttons = [byId('approve'), byId('decline')]
  for (const button of buttons) button.disabled = true
  await act(type, payload)
  for (const button of buttons) button.disabled = false
  const state = device?.room.state
  if (screen === 'bank' && state && state.status !== 'pending') showResult(state)
}

/** Returns a unique id. `randomUUID` exists only in secure contexts, and a phone opens this page over plain HTTP. */
function newId () {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** @param {string} name */
function show (name) {
  if (name === screen) return
  const isFirst = screen === ''
  screen = name
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-screen]'))) section.hidden = section.dataset.screen !== name
  // Move the focus from the button that is now hidden to the heading of the new screen.
  if (!isFirst) /** @type {HTMLElement | null} */ (document.querySelector(`[data-screen="${name}"] h1`))?.focus()
}

function showTaken () {
  byId('notice-mark').className = 'mark warm'
  byId('notice-mark').textContent = '…'
  say(byId('notice-title'), 'takenTitle')
  say(byId('notice'), 'takenHint')
  byId('notice-more').textContent = ''
  show('notice')
}

/** @param {string} reason */
function end (reason) {
  over = reason
  byId('notice-mark').className = 'mark'
  byId('notice-mark').textContent = '×'
  say(byId('notice-title'), 'overTitle')
  say(byId('notice'), reason)
  byId('notice-more').textContent = ''
  show('notice')
}

/** @param {string} chosen */
function choose (chosen) {
  if (chosen === method && !byId('fields').hidden) return
  method = chosen
  say(byId('chosen'), chosen)
  const [radio] = [...document.querySelectorAll('input[name="method"]')].filter((input) => /** @type {HTMLInputElement} */ (input).value === chosen)
  if (radio) /** @type {HTMLInputElement} */ (radio).checked = true
  byId('fields').hidden = false
  byId('inputs').replaceChildren(...Object.keys(FIELDS[chosen] ?? {}).map((name) => element('label', { class: 'field' },
    element('span', { say: [name] }), element('input', { name, required: '', ...(name === 'name' || name === 'email' ? {} : { inputmode: 'numeric' }) }))))
}

byId('proceed').addEventListener('click', () => {
  void act('CLICKED_PROCEED')
  show('method')
})
for (const radio of document.querySelectorAll('input[name="method"]')) {
  radio.addEventListener('change', () => {
    choose(/** @type {HTMLInputElement} */ (radio).value)
    void act('PAYMENT_METHOD_CHANGED', { method })
  })
}
byId('sample').addEventListener('click', () => {
  for (const [name, value] of Object.entries(FIELDS[method] ?? {})) byId('inputs').querySelector(`[name="${name}"]`).value = value
})
byId('data').addEventListener('submit', (/** @type {Event} */ event) => {
  event.preventDefault()
  void act('DATA_FILLED', { fields: Object.keys(FIELDS[method] ?? {}) })
  show('pay')
})
byId('pay').addEventListener('click', () => {
  void act('CLICKED_PAY')
  show('bank')
})
byId('other').addEventListener('click', () => show('method'))
byId('approve').addEventListener('click', () => tellResult('PAYMENT_SUCCESS', { transactionId: `tx_${newId().slice(0, 8)}`, ...priceOf(known) }))
byId('decline').addEventListener('click', () => tellResult('PAYMENT_ERROR', { error: words('declined'), code: 'DECLINED' }))
byId('again').addEventListener('click', () => show(byId('fields').hidden ? 'method' : 'pay'))
