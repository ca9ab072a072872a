// @ts-check
// Device 1: watches the payment, and shows its steps, the members and the events.
import { openDevice } from './device.js'
import { byId, element } from './elements.js'
import { inEveryLanguage, money, say, words } from './i18n.js'
import { attemptOf, balanceOf, fieldsOf, MOODS, noteTransaction, refundOf, resultOf, STEP_TEXTS, warningsOf } from './outcome.js'
import { priceOf } from './price.js'
import { call } from './server.js'
import { durationOf, setText, showWarnings } from './shown.js'

/** @typedef {import('./client/index.js').PaymentState} PaymentState */

/** Steps in their order, and the result after them. */
const STEPS = /** @type {ReadonlyArray<readonly [string, string]>} */ ([...Object.entries(STEP_TEXTS), ['RESULT', 'stepResult']])
const DEVICE_ID = 'device_1'

/** @type {PaymentState | undefined} */
let state
/** @type {readonly import('./client/index.js').RoomMember[]} */
let members = []
/** Transactions of the successes in the log. @type {Set<string>} */
let transactions = new Set()

inEveryLanguage(() => {
  showSteps()
  showMembers()
})
setInterval(showGlance, 1_000)

/** @param {{ roomId: string, tokens?: { device1: string } }} payment */
export function openShop ({ roomId, tokens }) {
  state = undefined
  members = []
  transactions = new Set()
  showSteps()
  showMembers()
  const device = openDevice({
    roomId,
    role: 'device1',
    deviceId: DEVICE_ID,
    token: tokens && freshTokens(roomId, tokens.device1),
    // No storage: after a reload the whole payment is replayed and shown again.
    storage: null,
    presence: true
  }, { chip: byId('status1'), log: byId('timeline1'), controls: byId('network1') })

  device.room.on('state', (news) => {
    state = news
    showSteps()
  })
  device.room.on('event', (event) => {
    noteTransaction(transactions, event)
    showGlance()
  })
  device.room.on('members', (news) => {
    if (members.length > 0) tellComings(device.timeline, members, news)
    members = news
    showMembers()
  })
  device.room.on('closed', () => {
    members = []
    showMembers()
  })
  return device
}

/** Returns a token function: first the token that came with the payment, then a new one for each later connection. @param {string} roomId @param {string} first */
function freshTokens (roomId, first) {
  /** @type {string | undefined} */
  let next = first
  return async () => {
    const token = next
    next = undefined
    if (token) return token
    const { status, body } = await call('POST', `api/rooms/${roomId}/tokens`, { role: 'device1' })
    // Without the API key, for example after a reload, the first token may still be valid.
    return status === 201 ? body.data.token : first
  }
}

/** @param {import('./timeline.js').Timeline} timeline @param {typeof members} before @param {typeof members} after */
function tellComings (timeline, before, after) {
  const ids = (/** @type {typeof members} */ list) => list.map(({ deviceId }) => deviceId)
  for (const id of ids(after)) if (!ids(before).includes(id)) timeline.note('', 'arrived', { id })
  for (const id of ids(before)) if (!ids(after).includes(id)) timeline.note('', 'left', { id })
}

/** Text of the state of a step, for those who do not see its mark. @param {string} progress @param {boolean} isNext */
function stateOf (progress, isNext) {
  return progress === 'done' ? 'stateDone' : progress === 'failed' ? 'stateFailed' : progress === 'waiting' || isNext ? 'stateNow' : 'stateToCome'
}

function showSteps () {
  const { step = null, status = 'pending', method, fields } = state ?? {}
  const reached = STEPS.findIndex(([name]) => name === step)
  byId('steps').replaceChildren(...STEPS.map(([name, label], index) => {
    const isResult = name === 'RESULT'
    const progress = isResult ? MOODS[status] : index <= reached ? 'done' : 'todo'
    const isNext = status === 'pending' && index === reached + 1
    const detail = name === 'PAYMENT_METHOD_CHANGED' ? method && words(method) : name === 'DATA_FILLED' ? fields && fieldsOf(fields) : isResult && state ? resultOf(state) : undefined
    return element('li', { 'data-step': name, class: progress, 'aria-current': isNext ? 'step' : undefined },
      element('span', {}, words(isResult || progress === 'done' ? label : `${label}ToCome`)), ' ', element('span', { class: 'state' }, words(stateOf(progress, isNext))), ...(detail ? [element('span', { class: 'detail' }, detail)] : []))
  }))
  showFacts()
  showGlance()
}

/** Shows what the shop wants to know in large: the amount, the progress and the time since, and if the payer is there. */
function showGlance () {
  const { step = null, status = 'pending', updatedAt } = state ?? {}
  const { amount, currency } = priceOf(state)
  setText(byId('amount'), money(amount, currency))
  byId('now').dataset.mood = MOODS[status]
  setText(byId('now'), words(status !== 'pending' ? status : step === null ? 'waitsForPayer' : STEP_TEXTS[step]))
  setText(byId('since'), updatedAt === undefined ? '' : words('timeAgo', { time: durationOf(Date.now() - updatedAt) }))
  const payers = members.filter(({ role }) => role === 'device2').length
  const hasBegun = step !== null || status !== 'pending'
  setText(byId('who'), words(payers > 0 ? 'payerHere' : hasBegun ? 'payerGone' : 'payerMissing'))
  showWarnings(byId('warnings'), warningsOf(payers, transactions))
  const note = payers > 0 ? 'phoneElsewhere' : hasBegun ? 'phoneGone' : 'phoneClosed'
  if (byId('phone-note').dataset.t !== note) say(byId('phone-note'), note)
}

/** Shows the number of the attempt, and the amounts beside the expected one. */
function showFacts () {
  const facts = state ? Object.entries({ attempt: attemptOf(state), balance: balanceOf(state), refund: refundOf(state) }) : []
  const isExpected = state?.balance === 'none' || state?.balance === 'exact'
  byId('facts').replaceChildren(...facts.filter(([, text]) => text).map(([name, text]) =>
    element('li', { 'data-fact': name, class: name === 'balance' && isExpected ? '' : 'unusual' }, text)))
}

function showMembers () {
  const shown = members.map(({ deviceId, role }) =>
    element('li', { class: role }, element('code', {}, deviceId), ` ${deviceId === DEVICE_ID ? words('thisPage') : words(role === 'device2' ? 'roleDevice2' : 'roleDevice1')}`))
  byId('members').replaceChildren(...(shown.length > 0 ? shown : [element('li', { class: 'nobody' }, words('nobody'))]))
  showGlance()
}
