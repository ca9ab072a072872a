// @ts-check
// The panels beside the payments: refused results of providers, webhooks that were not delivered, and the nodes with their connections.
import { button, byId, element } from './elements.js'
import { dateOf, inEveryLanguage, numberOf, say, words } from './i18n.js'
import { call } from './server.js'
import { durationOf, showFacts } from './shown.js'

/** Deliveries that a panel shows. */
const SHOWN = 20
/** Webhooks that are searched for those that were not delivered. */
const SEARCHED = 200
/** Nodes that the panel shows. */
const MAX_NODES = 50

/** @typedef {{ provider: string, type: string, roomId?: string, code: string, reason: string, timestamp: number }} Refused */
/**
 * @typedef {{ id: string, roomId: string, type: string, status: string, attempts: number, lastStatus?: number, lastError?: string, nextTryAt: number | null,
 *   timestamp: number }} Delivery
 */

/** @typedef {{ id: string, name: string, status: string, startedAt: number, version: string, sockets: number, streams: number, rooms: number }} Node */

export class SidePanels {
  #onOpen
  #manages
  /** @type {Refused[]} */
  #refused = []
  /** @type {Delivery[]} */
  #deliveries = []
  /** @type {{ self: string, nodes: Node[], at: number } | undefined} */
  #nodes
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
    let at = 0
    const dataOf = async (/** @type {string} */ path) => {
      const { status, body } = await call('GET', path).catch(() => ({ status: 0, body: undefined }))
      if (status === 404) this.#sendsWebhooks = false
      if (status === 200) at = body.timestamp
      return status === 200 ? body.data : undefined
    }
    const [refused, deliveries, nodes] = await Promise.all([
      dataOf(`api/webhooks/refused?limit=${SHOWN}`),
      !this.#sendsWebhooks ? undefined : dataOf(`api/webhooks/deliveries?limit=${SEARCHED}`),
      dataOf('api/nodes')
    ])
    if (refused) this.#refused = refused.deliveries
    if (deliveries) byId('deliveries').hidden = false
    if (deliveries) this.#deliveries = deliveries.deliveries.filter((/** @type {Delivery} */ { status }) => status !== 'delivered').slice(0, SHOWN)
    if (nodes) this.#nodes = { ...nodes, at }
    this.#show(false)
  }

  /** @param {boolean} always also if nothing has changed, as after a change of the language */
  #show (always) {
    if (this.#nodes) showNodes(this.#nodes)
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

/** @param {{ self: string, nodes: Node[], at: number }} list `at`: the time of the answer by the clock of the server */
function showNodes ({ self, nodes, at }) {
  byId('nodes-list').replaceChildren(...nodes.slice(0, MAX_NODES).map(({ id, name, status, startedAt, version, sockets, streams, rooms }) => {
    const facts = element('dl', { class: 'facts-list' })
    showFacts(facts, [
      [words('sockets'), numberOf(sockets)], [words('streams'), numberOf(streams)], [words('roomsHere'), numberOf(rooms)], [words('version'), version]
    ])
    const chip = element('span', { class: 'chip', 'data-mood': status === 'running' ? 'done' : 'waiting' }, words(status))
    return element('li', { 'data-node': id },
      element('p', {}, element('strong', {}, name), ' ', chip, ' ', words('runningSince', { time: durationOf(at - startedAt) })),
      ...(id === self && nodes.length > 1 ? [element('p', { class: 'muted' }, words('responds'))] : []),
      facts)
  }))
  byId('nodes-more').textContent = nodes.length > MAX_NODES ? words('more', { count: nodes.length - MAX_NODES }) : ''
}
