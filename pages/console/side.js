// @ts-check
// The panels beside the payments: refused results of providers, webhooks that were not delivered, and the node that responds.
import { button, byId, element } from './elements.js'
import { dateOf, inEveryLanguage, say, words } from './i18n.js'
import { call } from './server.js'
import { durationOf, showFacts } from './shown.js'

/** Deliveries that a panel shows. */
const SHOWN = 20
/** Webhooks that are searched for those that were not delivered. */
const SEARCHED = 200

/** @typedef {{ provider: string, type: string, roomId?: string, code: string, reason: string, timestamp: number }} Refused */
/**
 * @typedef {{ id: string, roomId: string, type: string, status: string, attempts: number, lastStatus?: number, lastError?: string, nextTryAt: number | null,
 *   timestamp: number }} Delivery
 */

export class SidePanels {
  #onOpen
  #manages
  /** @type {Refused[]} */
  #refused = []
  /** @type {Delivery[]} */
  #deliveries = []
  /** @type {{ status: string, uptime: number, totalConnections: number, totalRooms: number, version: string } | undefined} */
  #node
  #written = ''

  /** False once the server has answered that it sends no webhooks. */
  #sendsWebhooks = true

  /** @param {{ manages: boolean, onOpen: (roomId: string) => void }} options */
  constructor ({ manages, onOpen }) {
    this.#manages = manages
    this.#onOpen = onOpen
    inEveryLanguage(() => this.#show(true))
  }

  /** Reads all panels again. */
  async read () {
    const dataOf = async (/** @type {string} */ path) => {
      const { status, body } = await call('GET', path).catch(() => ({ status: 0, body: undefined }))
      if (status === 404) this.#sendsWebhooks = false
      return status === 200 ? body.data : undefined
    }
    const [refused, deliveries, node] = await Promise.all([
      dataOf(`api/webhooks/refused?limit=${SHOWN}`),
      !this.#sendsWebhooks ? undefined : dataOf(`api/webhooks/deliveries?limit=${SEARCHED}`),
      dataOf('api/server/status')
    ])
    if (refused) this.#refused = refused.deliveries
    if (deliveries) byId('deliveries').hidden = false
    if (deliveries) this.#deliveries = deliveries.deliveries.filter((/** @type {Delivery} */ { status }) => status !== 'delivered').slice(0, SHOWN)
    if (node) this.#node = node
    this.#show(false)
  }

  /** @param {boolean} always also if nothing has changed, as after a change of the language */
  #show (always) {
    if (this.#node) {
      const { status, uptime, totalConnections, totalRooms, version } = this.#node
      showFacts(byId('node-facts'), [
        [words('status'), words(status)], [words('uptime'), durationOf(uptime)], [words('connections'), String(totalConnections)], [words('roomsHere'), String(totalRooms)],
        [words('version'), version]
      ])
    }
    const written = JSON.stringify([this.#refused, this.#deliveries])
    if (!always && written === this.#written) return
    this.#written = written
    byId('refused-empty').hidden = this.#refused.length > 0
    byId('deliveries-empty').hidden = this.#deliveries.length > 0
    byId('refused-list').replaceChildren(...this.#refused.map(({ provider, type, roomId, reason, timestamp }) => element('li', {},
      element('p', {}, element('strong', {}, provider), ' ', element('code', {}, type), ' ', ...this.#linkTo(roomId)),
      element('p', { class: 'muted' }, `${dateOf(timestamp)} · ${reason}`))))
    byId('deliveries-list').replaceChildren(...this.#deliveries.map((delivery) => this.#deliveryOf(delivery)))
  }

  /** @param {Delivery} delivery */
  #deliveryOf ({ id, roomId, type, status, attempts, lastStatus, lastError, nextTryAt, timestamp }) {
    const facts = [dateOf(timestamp), words('tries', { count: attempts }), lastStatus ?? lastError, nextTryAt ? words('nextTry', { time: dateOf(nextTryAt) }) : undefined]
    const retry = button(['retry'], async () => {
      retry.setAttribute('disabled', '')
      const { status: answer, body } = await call('POST', `api/webhooks/deliveries/${id}/retry`).catch(() => ({ status: 0, body: undefined }))
      const problem = byId('deliveries-problem')
      if (answer >= 200 && answer < 300) problem.textContent = ''
      else say(problem, answer === 0 ? 'unreachable' : 'serverSays', body)
      retry.removeAttribute('disabled')
      await this.read()
    })
    return element('li', { 'data-delivery': id },
      element('p', {}, element('span', { class: 'chip', 'data-mood': status === 'pending' ? 'waiting' : 'failed' }, words(`delivery_${status}`)), ' ', element('code', {}, type), ' ', ...this.#linkTo(roomId)),
      element('p', { class: 'muted' }, facts.filter((fact) => fact !== undefined).join(' · ')),
      ...(this.#manages ? [retry] : []))
  }

  /** @param {string | undefined} roomId */
  #linkTo (roomId) {
    if (roomId === undefined) return []
    const link = element('button', { type: 'button', class: 'plain name' }, roomId)
    link.addEventListener('click', () => this.#onOpen(roomId))
    return [link]
  }
}
