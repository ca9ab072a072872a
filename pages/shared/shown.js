// @ts-check
// Texts as they are shown: durations, lists of facts, and changes of a text alone.
import { element } from './elements.js'

/** Sets a text, without touching the page if it is the same. @param {HTMLElement} shown @param {string} text */
export function setText (shown, text) { if (shown.textContent !== text) shown.textContent = text }

/** Duration in its two largest units, which are written alike in both languages. @param {number} ms */
export function durationOf (ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Shows warnings as a list, without touching the page if they are the same. @param {HTMLElement} list @param {string[]} warnings */
export function showWarnings (list, warnings) {
  const written = JSON.stringify(warnings)
  if (list.dataset.written === written) return
  list.dataset.written = written
  list.replaceChildren(...warnings.map((warning) => element('li', {}, warning)))
}

/** Shows terms with their texts; a row without a text is left out. @param {HTMLElement} list @param {Array<[term: string, text: string]>} facts */
export function showFacts (list, facts) {
  const shown = facts.filter(([, text]) => text !== '')
  const written = JSON.stringify(shown)
  if (list.dataset.written === written) return
  list.dataset.written = written
  list.replaceChildren(...shown.flatMap(([term, text]) => [element('dt', {}, term), element('dd', {}, text)]))
}
