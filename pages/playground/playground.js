// @ts-check
// The playground: creates a payment, watches it as device 1, and passes its link to device 2 and to the REST requests.
import { openShop } from './device1.js'
import { byId, copy, element } from './elements.js'
import { say, translatePage, words } from './i18n.js'
import { encodeQR } from './qr/index.js'
import { showRequests } from './requests.js'
import { BASE, call, getKey, setKey } from './server.js'

/** @typedef {{ roomId: string, tokens?: { device1: string, device2: string } }} Payment */

const KEPT = 'playground-payment'
/** Empty modules around a QR code, without which some cameras do not find it (ISO/IEC 18004). */
const QUIET_ZONE = 4
/** @type {{ close: () => void } | undefined} */
let shop

translatePage()
byId('new').addEventListener('click', () => newPayment())
byId('copy-link').addEventListener('click', () => copy(byId('copy-link'), byId('link').href))
byId('open').addEventListener('click', openPhone)
byId('key').addEventListener('submit', (/** @type {Event} */ event) => {
  event.preventDefault()
  setKey(byId('key-field').value.trim())
  void newPayment()
})
void showDocs()
const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null')
if (kept) begin(kept)
else void newPayment()

async function newPayment () {
  const { status, body } = await call('POST', 'api/rooms', {}).catch(() => ({ status: 0, body: undefined }))
  const needsKey = status === 401 || status === 403
  byId('key').hidden = !needsKey
  byId('problem').hidden = status === 201 || needsKey
  if (status === 201) return begin(body.data)
  if (!needsKey) return status === 0 ? say(byId('problem'), 'unreachable') : say(byId('problem'), 'serverSays', body)
  if (getKey() !== undefined) say(byId('key-problem'), status === 401 ? 'keyRefused' : 'keyReads')
  byId('key-field').focus()
}

/** @param {Payment} payment */
function begin (payment) {
  keep(payment)
  byId('desk').hidden = false
  shop?.close()
  shop = openShop(payment)
  closePhone()
  showLink(payment)
  showRequests(payment, (token) => {
    const renewed = { ...payment, tokens: { device1: '', ...payment.tokens, device2: token } }
    keep(renewed)
    showLink(renewed)
    byId('phone').querySelector('iframe')?.setAttribute('src', byId('link').href)
  })
}

/** Stores the payment, so that a reload continues it. @param {Payment} payment */
function keep (payment) { sessionStorage.setItem(KEPT, JSON.stringify(payment)) }

/** Shows the payment link. The token is in the fragment after the `#`, which a browser never sends to a server. @param {Payment} payment */
function showLink ({ roomId, tokens }) {
  const url = new URL(`playground/pay.html#${new URLSearchParams({ room: roomId, ...(tokens && { token: tokens.device2 }) })}`, BASE)
  const link = byId('link')
  link.href = url.href
  say(link, 'openLink')
  const svg = encodeQR(url.href, 'svg', { ecc: 'low', border: QUIET_ZONE })
  byId('qr').src = `data:image/svg+xml,${encodeURIComponent(svg)}`
  document.querySelector('.local')?.toggleAttribute('hidden', !/^(localhost|127\.|\[::1\])/.test(url.hostname))
}

function openPhone () {
  const frame = element('iframe', { src: byId('link').href, title: words('phoneTitle'), 'data-t-label': 'phoneTitle', 'aria-label': words('phoneTitle') })
  byId('phone-closed').hidden = true
  byId('phone').append(frame)
  frame.focus()
}

function closePhone () {
  byId('phone').querySelector('iframe')?.remove()
  byId('phone-closed').hidden = false
}

async function showDocs () {
  const { body } = await call('GET', '').catch(() => ({ body: undefined }))
  byId('docs').hidden = !body?.docs
}
