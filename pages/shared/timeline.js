// @ts-check
// Timeline: one line for each event of the room, with its sequence number, and for each change of the network.
import { element } from './elements.js'
import { dateOf, say, timeOf } from './i18n.js'

const SOURCES = /** @type {Record<string, string>} */ ({ api: 'fromBackend', device: 'fromDevice', server: 'fromServer' })
/** Largest number of lines. */
const MAX_LINES = 300

export class Timeline {
  #log
  #list = element('ol')

  /** @param {HTMLElement} log element with the role of a log */
  constructor (log) {
    this.#log = log
    log.replaceChildren(element('p', { class: 'nothing', say: ['nothingYet'] }), this.#list)
    const fold = log.closest('details')
    // A folded log has no height, so that its end cannot be kept in view.
    if (fold) fold.ontoggle = () => { log.scrollTop = log.scrollHeight }
  }

  /**
   * Adds a line about the network or the room.
   * @param {string} kind `good`, `bad` or empty, for the colour
   * @param {import('./elements.js').Words} words
   */
  note (kind, ...words) {
    this.#add(element('li', { class: `note ${kind}` }, timeStamp(Date.now()), element('span', { say: words })))
  }

  /**
   * Adds a line for an event of the room.
   * @param {{ type: string, seq?: number, timestamp?: number, source?: string, payload?: Record<string, any> }} event
   * @param {string[]} [tags] text keys of its labels, such as `replayed`
   * @returns {(seq: number | undefined, ...tags: string[]) => void} sets the sequence number and the labels later
   */
  event ({ type, seq, timestamp = Date.now(), source, payload = {} }, tags = []) {
    const place = element('b', { class: 'seq' })
    const labels = element('span', { class: 'tags' })
    const line = element('li', { class: `event ${type}` }, timeStamp(timestamp), place, element('code', {}, type), labels, details(payload))
    /** @param {number | undefined} seq @param {string[]} tags */
    const mark = (seq, ...tags) => {
      if (seq !== undefined) line.dataset.seq = String(seq)
      place.textContent = seq === undefined ? '…' : String(seq)
      labels.replaceChildren(...tags.map((tag) => element('span', { class: `tag ${tag}`, say: [tag] })))
    }
    mark(seq, ...(source ? [SOURCES[source] ?? source] : []), ...tags)
    this.#add(line)
    return mark
  }

  /** @param {HTMLElement} line */
  #add (line) {
    const { scrollTop, scrollHeight, clientHeight } = this.#log
    const wasAtEnd = scrollHeight - scrollTop - clientHeight < 24
    this.#list.append(line)
    if (this.#list.childElementCount > MAX_LINES) this.#list.firstElementChild?.remove()
    // A reader who has scrolled up stays there.
    if (wasAtEnd) this.#log.scrollTop = this.#log.scrollHeight
  }
}

/** @param {number} time ms since the epoch */
function timeStamp (time) {
  return element('time', { datetime: new Date(time).toISOString() }, timeOf(time))
}

/** Shows the payload without the keys that every event has. @param {Record<string, any>} payload */
function details ({ roomId, deviceId, timestamp, source, ...rest }) {
  const shown = Object.entries(rest).map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(', ') : name === 'expiresAt' ? dateOf(value) : value}`)
  return element('span', { class: 'details' }, shown.join(' · '))
}

/**
 * Shows the status of a connection as a small label.
 * @param {HTMLElement} chip
 * @param {string} status
 */
export function showStatus (chip, status) {
  chip.dataset.status = status
  say(chip, status)
}
