// @ts-check
// The funnel: how many payments reached each step, and how many went no further. Each step is a row of a table with a bar, and the loss before it above the bar.
import { button, byId, element } from './elements.js'
import { inEveryLanguage, numberOf, shareOf, words } from './i18n.js'
import { STEP_TEXTS } from './outcome.js'
import { call } from './server.js'
import { durationOf, setText } from './shown.js'

/** Periods of time, by their texts. */
const WINDOWS = /** @type {const} */ (['hour', 'day', 'week'])
/** Methods that are shown: those that most payers chose. */
const MAX_METHODS = 8

/** Texts of the steps besides those of the payer. */
const TEXTS = /** @type {Record<string, string>} */ ({ created: 'funnelCreated', ...STEP_TEXTS, paid: 'funnelPaid', verified: 'funnelVerified' })
/** Methods with a text; any other is shown by its name. */
const METHODS = /** @type {Record<string, string>} */ ({ pix: 'pix', card: 'card', boleto: 'boleto', unknown: 'methodUnknown', other: 'methodOther' })

/** @typedef {{ step: string, payments: number, lost: number, medianSeconds: number | null, p95Seconds: number | null }} Step */
/** @typedef {{ method: string, payments: number, paid: number }} Method */
/** @typedef {{ window: string, steps: Step[], paidShare: number | null, methods: Method[] }} Report */

export class FunnelPanel {
  /** @type {typeof WINDOWS[number]} */
  #window = 'day'
  /** @type {Report | undefined} */
  #report
  #written = ''

  constructor () {
    byId('windows').replaceChildren(...WINDOWS.map((window) => button([`window_${window}`], () => {
      this.#window = window
      this.#mark()
      void this.read()
    }, { 'data-window': window })))
    this.#mark()
    inEveryLanguage(() => this.#show(true))
  }

  async read () {
    const { status, body } = await call('GET', `api/funnel?window=${this.#window}`).catch(() => ({ status: 0, body: undefined }))
    // An answer for a period that was left meanwhile is dropped.
    if (status !== 200 || body.data.window !== this.#window) return
    this.#report = body.data
    this.#show(false)
  }

  #mark () {
    for (const choice of byId('windows').children) choice.setAttribute('aria-pressed', String(choice.dataset.window === this.#window))
  }

  /** @param {boolean} always also if nothing has changed, as after a change of the language */
  #show (always) {
    if (!this.#report) return
    const { steps, methods } = this.#report
    const written = JSON.stringify([steps, methods])
    if (!always && written === this.#written) return
    this.#written = written
    const isEmpty = steps.every(({ payments }) => payments === 0)
    byId('funnel-empty').hidden = !isEmpty
    byId('funnel-content').hidden = isEmpty
    const worst = worstOf(steps)
    const loss = lossOf(steps, worst)
    byId('funnel-headline').replaceChildren(...headlineOf(this.#report, loss))
    // Where the page has one column, the funnel is below the list.
    byId('loss').hidden = loss === ''
    setText(byId('loss').firstElementChild, loss)
    byId('funnel-steps').replaceChildren(...steps.map((step, index) => stepRow(step, steps[index - 1], { widest: widestOf(steps), isWorst: index === worst })))
    byId('funnel-methods').hidden = methods.length === 0
    byId('methods-rows').replaceChildren(...methods.slice(0, MAX_METHODS).map(methodRow))
    byId('methods-more').textContent = methods.length > MAX_METHODS ? words('more', { count: methods.length - MAX_METHODS }) : ''
  }
}

/** @param {Step[]} steps */
const widestOf = (steps) => Math.max(1, ...steps.map(({ payments }) => payments))

/** Step before which most payments were lost, up to the success, of several the last, whose share is the largest; -1 if none was. @param {Step[]} steps */
function worstOf (steps) {
  let worst = -1
  for (const [index, { step, lost }] of steps.entries()) if (step !== 'verified' && lost > 0 && lost >= (steps[worst]?.lost ?? 0)) worst = index
  return worst
}

/** What matters most, in two sentences. @param {Report} report @param {string} loss */
function headlineOf ({ paidShare }, loss) {
  const paid = paidShare === null ? [] : [element('strong', {}, words('paidShare', { share: shareOf(paidShare) }))]
  return loss === '' ? paid : [...paid, element('span', { class: 'loss' }, loss)]
}

/** The largest loss in a sentence. @param {Step[]} steps @param {number} worst */
function lossOf (steps, worst) {
  const { step = '', lost = 0 } = steps[worst] ?? {}
  const before = steps[worst - 1]
  if (!before) return ''
  return words('worstLoss', {
    from: words(TEXTS[before.step] ?? before.step),
    to: words(TEXTS[step] ?? step),
    lost: numberOf(lost),
    before: numberOf(before.payments),
    share: shareOf(lost / Math.max(1, before.payments))
  })
}

/** @param {Step} step @param {Step | undefined} before @param {{ widest: number, isWorst: boolean }} chart */
function stepRow ({ step, payments, lost, medianSeconds, p95Seconds }, before, { widest, isWorst }) {
  const text = step === 'verified' ? 'lostVerified' : 'lostBefore'
  const loss = before && lost > 0 ? words(text, { lost: numberOf(lost), share: shareOf(lost / Math.max(1, before.payments)) }) : ''
  const time = medianSeconds === null || p95Seconds === null ? '' : words('stepTime', { median: secondsOf(medianSeconds), p95: secondsOf(p95Seconds) })
  return element('tr', { role: 'row', 'data-step': step, class: isWorst ? 'is-worst' : undefined },
    element('th', { role: 'rowheader', scope: 'row', class: 'step' }, words(TEXTS[step] ?? step)),
    element('td', { role: 'cell', class: 'payments' }, element('b', {}, numberOf(payments)), bar(payments / widest)),
    element('td', { role: 'cell', class: 'lost' }, loss || absent()),
    element('td', { role: 'cell', class: 'time' }, time || absent()))
}

/** @param {Method} method */
function methodRow ({ method, payments, paid }) {
  const share = payments === 0 ? undefined : Math.min(1, paid / payments)
  const text = METHODS[method]
  return element('tr', { role: 'row', 'data-method': method },
    element('th', { role: 'rowheader', scope: 'row' }, text === undefined ? method.replaceAll('_', ' ') : words(text)),
    element('td', { role: 'cell', class: 'number' }, numberOf(payments)),
    element('td', { role: 'cell', class: 'number' }, numberOf(paid)),
    element('td', { role: 'cell', class: 'number share' }, share === undefined ? absent() : shareOf(share)))
}

/** A bar beside its number, which says the same to those who do not see it. @param {number} share of the width, 0–1 */
function bar (share) {
  const filled = element('i', {})
  filled.style.inlineSize = `${Math.round(1000 * share) / 10}%`
  return element('span', { class: 'bar', 'aria-hidden': 'true' }, filled)
}

/** A cell without a value, which is silent in a list of rows and has a text where cells are read one by one. */
function absent () { return element('span', { class: 'unseen' }, words('noValue')) }

/** Duration that is not exceeded: rounded up, to seconds or to minutes. @param {number} seconds */
const secondsOf = (seconds) => durationOf(1000 * (seconds > 60 ? 60 * Math.ceil(seconds / 60) : Math.max(1, Math.ceil(seconds))))
