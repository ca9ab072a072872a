// @ts-check
// The payments that have stalled the longest, above the list: what an operator looks for first.
import { button, byId, element } from './elements.js'
import { words } from './i18n.js'
import { STEP_TEXTS } from './outcome.js'
import { durationOf, setText } from './shown.js'

/** @typedef {import('./payments.js').Payment} Payment */

/** Payments that are named. */
const SHOWN = 3

export class StalledPanel {
  #rows

  /** @param {(roomId: string) => void} onOpen called when a payment is chosen */
  constructor (onOpen) {
    this.#rows = Array.from({ length: SHOWN }, () => makeRow(onOpen))
    byId('stalled-list').replaceChildren(...this.#rows.map(({ row }) => row), element('li', { id: 'stalled-more' }))
  }

  /** @param {Payment[]} stalled in any order @param {number} now */
  show (stalled, now) {
    const longest = [...stalled].sort((a, b) => a.updatedAt - b.updatedAt)
    byId('stalled').hidden = longest.length === 0
    for (const [index, { update }] of this.#rows.entries()) update(longest[index], now)
    setText(byId('stalled-more'), longest.length > SHOWN ? words('more', { count: longest.length - SHOWN }) : '')
  }
}

/** Makes a row that stays, so that focus does, too. @param {(roomId: string) => void} onOpen */
function makeRow (onOpen) {
  let roomId = ''
  const open = button([''], () => onOpen(roomId), { class: 'name' })
  delete open.dataset.t
  const facts = element('span', {})
  const row = element('li', {}, open, ' ', facts)

  /** @param {Payment | undefined} payment @param {number} now */
  function update (payment, now) {
    row.hidden = payment === undefined
    if (payment === undefined) return
    roomId = payment.roomId
    setText(open, payment.reference ?? roomId)
    setText(facts, `${words(payment.step === null ? 'notBegun' : STEP_TEXTS[payment.step])} · ${durationOf(now - payment.updatedAt)}`)
  }
  return { row, update }
}
