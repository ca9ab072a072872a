// @ts-check
// Shorthands to find and create elements of the page.
import { say } from './i18n.js'

/** @typedef {[key: string, values?: Record<string, unknown>]} Words */

/**
 * @param {string} id
 * @returns {any} the element, which must exist
 */
export const byId = (id) => document.getElementById(id)

/**
 * Creates an element. Strings among the children become text, never markup.
 * @param {string} tag
 * @param {Record<string, any> & { say?: Words | undefined }} [attributes] `say` sets a text in the page's language
 * @param {...(Node | string)} children
 */
export function element (tag, { say: words, ...attributes } = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, value)
  made.append(...children)
  if (words) say(made, ...words)
  return made
}

/**
 * @param {Words} words
 * @param {() => void} onClick
 * @param {Record<string, string>} [attributes]
 */
export function button (words, onClick, attributes = {}) {
  const made = element('button', { type: 'button', say: words, ...attributes })
  made.addEventListener('click', onClick)
  return made
}

/**
 * Copies a text to the clipboard, and confirms that on the button.
 * @param {HTMLElement} button
 * @param {string} text
 */
export async function copy (button, text) {
  // The Clipboard API exists only in secure contexts; otherwise `execCommand` still works.
  if (navigator.clipboard) await navigator.clipboard.writeText(text).catch(() => copyOfOld(text))
  else copyOfOld(text)
  const { t: words = '' } = button.dataset
  if (words === 'copied') return
  say(button, 'copied')
  setTimeout(() => say(button, words), 1500)
}

/** @param {string} text */
function copyOfOld (text) {
  const area = /** @type {HTMLTextAreaElement} */ (element('textarea', { readonly: '' }))
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)
  area.value = text
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
  focused?.focus()
}
