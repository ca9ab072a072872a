// @ts-check
// One payment in detail: its state, its devices, its events, and the actions on it.
import { showActions } from './actions.js'
import { byId, element } from './elements.js'
import { dateOf, inEveryLanguage, money, say, words } from './i18n.js'
import { attemptOf, balanceOf, MOODS, noteTransaction, refundOf, resultOf, STEP_TEXTS, warningsOf } from './outcome.js'
import { call } from './server.js'
import { durationOf, setText, showFacts, showWarnings } from './shown.js'
import { Timeline } from './timeline.js'

/** @typedef {import('./client/index.js').PaymentState} PaymentState */
/**
 * @typedef {{ roomId: string, epoch: string, seq: number, state: PaymentState, reference?: string, description?: string,
 *   members: Array<{ deviceId: string, role: string }>, createdAt: number, expiresAt: number }} Details
 */
/** @typedef {{ manages: boolean, isBackend: boolean, hasTokens: boolean, playground: boolean }} Access */

/** Interval at which an open payment is read again, ms: members come and go without a change of the payment. */
const INTERVAL = 5_000
/** Shortest time between two reads, ms, however many changes there are. */
const SHORTEST = 1_000

export class RoomPanel {
  #access
  #now
  /** @type {string | undefined} */
  roomId
  /** @type {Details | undefined} */
  #details
  /** @type {Timeline | undefined} */
  #timeline
  #position = { epoch: '', seq: 0 }
  /** Transactions of the successes in the log. @type {Set<string>} */
  #transactions = new Set()
  #readAt = 0
  #isReading = false
  #hasChanged = false

  /** @param {Access} access @param {() => number} now time of the server, ms since the epoch */
  constructor (access, now) {
    this.#access = access
    this.#now = now
    inEveryLanguage(() => this.#show())
  }

  /** @param {string} roomId */
  async open (roomId) {
    this.close()
    this.roomId = roomId
    this.#timeline = new Timeline(byId('room-events'))
    byId('room-content').hidden = false
    byId('room-title').textContent = roomId
    await this.#read()
    if (this.#access.manages && this.roomId === roomId && this.#details) showActions(byId('actions'), { details: this.#details, access: this.#access, onDone: () => this.refresh() })
  }

  close () {
    this.roomId = undefined
    this.#details = undefined
    this.#position = { epoch: '', seq: 0 }
    this.#transactions.clear()
    byId('room-content').hidden = true
    byId('actions').hidden = true
    byId('room-problem').textContent = ''
  }

  /** The payment has changed: it is read again soon. */
  refresh () { this.#hasChanged = true }

  /** Called about once a second. */
  tick () {
    if (this.roomId === undefined) return
    this.#show()
    const since = Date.now() - this.#readAt
    if (!this.#isReading && (since >= INTERVAL || (this.#hasChanged && since >= SHORTEST))) void this.#read()
  }

  async #read () {
    const { roomId } = this
    this.#isReading = true
    this.#hasChanged = false
    this.#readAt = Date.now()
    const { status, body } = await call('GET', `api/rooms/${roomId}`).catch(() => ({ status: 0, body: undefined }))
    if (this.roomId === roomId) {
      if (status === 200) {
        this.#details = body.data
        await this.#readEvents()
        byId('room-problem').textContent = ''
        this.#show()
      } else {
        byId('actions').hidden ||= status === 404 || status === 410
        say(byId('room-problem'), status === 0 ? 'unreachable' : status === 404 || status === 410 ? 'roomEnded' : 'serverSays', body)
      }
    }
    this.#isReading = false
  }

  /** Adds the events since the last read. */
  async #readEvents () {
    const { roomId } = this
    for (let more = true; more && this.roomId === roomId;) {
      const { epoch, seq } = this.#position
      const { status, body } = await call('GET', `api/rooms/${roomId}/events?since=${seq}${seq > 0 ? `&epoch=${encodeURIComponent(epoch)}` : ''}`).catch(() => ({ status: 0, body: undefined }))
      if (status !== 200 || this.roomId !== roomId) return
      const { data } = body
      if (seq > 0 && !data.recovered) this.#timeline = new Timeline(byId('room-events'))
      for (const event of data.events) {
        this.#timeline?.event(event)
        noteTransaction(this.#transactions, event)
      }
      this.#position = { epoch: data.epoch, seq: data.events.at(-1)?.seq ?? data.seq }
      more = data.more
    }
  }

  #show () {
    if (!this.#details) return
    const { roomId, state, reference, description, members, createdAt, expiresAt } = this.#details
    const { step, status, expected, currency, updatedAt } = state
    setText(byId('room-title'), reference ?? roomId)
    setText(byId('room-id'), roomId)
    byId('room-id').hidden = reference === undefined
    const headline = byId('room-status')
    headline.dataset.mood = MOODS[status]
    setText(headline, status === 'pending' ? words(step === null ? 'notBegun' : STEP_TEXTS[step]) : resultOf(state))
    showFacts(byId('room-facts'), [
      [words('amount'), balanceOf(state) || (expected === undefined ? '' : money(expected, currency))],
      [words('timeInStep'), durationOf(this.#now() - updatedAt)],
      [words('step'), status === 'pending' ? '' : words(step === null ? 'notBegun' : STEP_TEXTS[step])],
      [words('retries'), attemptOf(state)],
      [words('refunded'), refundOf(state)],
      [words('description'), description ?? ''],
      [words('createdAt'), dateOf(createdAt)],
      [words('expiresAt'), dateOf(expiresAt)]
    ])
    showWarnings(byId('room-warnings'), warningsOf(members.filter(({ role }) => role === 'device2').length, this.#transactions))
    const shown = members.map(({ deviceId, role }) => element('li', { class: role }, element('code', {}, deviceId), ` ${words(role === 'device2' ? 'payer' : 'shop')}`))
    byId('room-members').replaceChildren(...(shown.length > 0 ? shown : [element('li', { class: 'nobody' }, words('nobody'))]))
  }
}
