// @ts-check
// The list of payments: one page of rows, which are changed in place, so that focus and scroll position stay.
import { button, byId, element } from './elements.js'
import { money, words } from './i18n.js'
import { MOODS, STEP_TEXTS } from './outcome.js'
import { durationOf, setText } from './shown.js'

/** @typedef {import('./payments.js').Payment} Payment */

/** Rows of a page. */
export const PAGE_ROWS = 25

export class List {
  #onOpen
  /** @type {Map<string, { row: HTMLElement, update: (payment: Payment, now: number) => void }>} */
  #rows = new Map()
  #page = 0

  /** @param {(roomId: string) => void} onOpen called when a payment is chosen */
  constructor (onOpen) {
    this.#onOpen = onOpen
    byId('previous').addEventListener('click', () => { this.#page-- })
    byId('next').addEventListener('click', () => { this.#page++ })
  }

  /** Goes back to the first page, as after a change of the filter. */
  reset () { this.#page = 0 }

  /** Shows the page of these payments. @param {Payment[]} payments @param {{ selected: string | undefined, now: number }} view */
  show (payments, { selected, now }) {
    const last = Math.max(0, Math.ceil(payments.length / PAGE_ROWS) - 1)
    this.#page = Math.min(Math.max(0, this.#page), last)
    const shown = payments.slice(this.#page * PAGE_ROWS, (this.#page + 1) * PAGE_ROWS)
    this.#drop(new Set(shown.map(({ roomId }) => roomId)))
    const body = byId('rows')
    for (const [index, payment] of shown.entries()) {
      const { row, update } = this.#rowOf(payment.roomId)
      update(payment, now)
      if (payment.roomId === selected) row.setAttribute('aria-current', 'true')
      else row.removeAttribute('aria-current')
      if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null)
    }
    byId('pager').hidden = last === 0
    byId('previous').disabled = this.#page === 0
    byId('next').disabled = this.#page === last
    setText(byId('page'), words('pageOf', { page: this.#page + 1, pages: last + 1 }))
  }

  /** Gives the focus to a payment's row, if it is on this page. @param {string} roomId */
  focus (roomId) { this.#rows.get(roomId)?.row.querySelector('button')?.focus() }

  /** @param {Set<string>} kept */
  #drop (kept) {
    for (const [roomId, { row }] of this.#rows) {
      if (kept.has(roomId)) continue
      row.remove()
      this.#rows.delete(roomId)
    }
  }

  /** @param {string} roomId */
  #rowOf (roomId) {
    const known = this.#rows.get(roomId)
    if (known) return known
    const made = makeRow(roomId, () => this.#onOpen(roomId))
    this.#rows.set(roomId, made)
    return made
  }
}

/** @param {string} roomId @param {() => void} onOpen */
function makeRow (roomId, onOpen) {
  const open = button([''], onOpen, { class: 'name' })
  delete open.dataset.t
  const id = element('code', { class: 'id' }, roomId)
  const chip = element('span', { class: 'chip' })
  const proof = element('span', { class: 'proof' })
  const cell = (/** @type {string} */ name) => element('td', { role: 'cell', class: name })
  const cells = { amount: cell('amount'), step: cell('step'), time: cell('time'), devices: cell('devices') }
  const row = element('tr', { role: 'row', 'data-room': roomId },
    element('th', { role: 'rowheader', scope: 'row', class: 'payment' }, open, id),
    cells.amount, element('td', { role: 'cell', class: 'status' }, chip, proof), cells.step, cells.time, cells.devices)

  /** @param {Payment} payment @param {number} now */
  function update ({ reference, amount, currency, status, step, stalled, verified, members, updatedAt }, now) {
    setText(open, reference ?? roomId)
    id.hidden = reference === undefined
    setText(cells.amount, amount === undefined ? '–' : money(amount, currency))
    chip.dataset.mood = stalled ? 'stalled' : MOODS[status]
    setText(chip, words(stalled ? 'stalledNow' : status))
    setText(proof, verified === undefined ? '' : words(verified ? 'verified' : 'claimed'))
    setText(cells.step, words(step === null ? 'notBegun' : STEP_TEXTS[step]))
    setText(cells.time, durationOf(now - updatedAt))
    setText(cells.devices, members === undefined ? '…' : String(members))
    cells.devices.dataset.label = words('devices')
    cells.time.dataset.label = words('timeInStep')
    row.classList.toggle('is-stalled', stalled)
  }
  return { row, update }
}
