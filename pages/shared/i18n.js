// @ts-check
// Language of the page: detects it, switches it, and translates every element that has a text key.
import { SHARED } from './shared-texts.js'
import { TEXTS } from './texts.js'

const KEPT = 'playground-language'

/** @typedef {'en' | 'pt'} Language */
/** @type {Language} */
let language = kept() ?? (navigator.language.toLowerCase().startsWith('pt') ? 'pt' : 'en')
/** @type {Set<() => void>} */
const listeners = new Set()

/** Returns the text of a key, with values inserted for `{name}`. @param {string} key @param {Record<string, unknown>} [values] */
export function words (key, values = {}) {
  const own = /** @type {Record<string, string>} */ (TEXTS[language])
  const text = own[key] ?? /** @type {Record<string, string>} */ (SHARED[language])[key] ?? key
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name] ?? ''
    return typeof value === 'number' ? new Intl.NumberFormat(locale(), { maximumFractionDigits: 1 }).format(value) : String(value)
  })
}

const locale = () => language === 'pt' ? 'pt-BR' : 'en'

/** Sets the text of an element, and keeps it translated when the language changes. @param {any} element @param {string} key @param {Record<string, unknown>} [values] */
export function say (element, key, values) {
  element.dataset.t = key
  if (values) element.dataset.values = JSON.stringify(values)
  else delete element.dataset.values
  element.textContent = words(key, values)
}

/** Calls `show` now and after every change of the language. @param {() => void} show */
export function inEveryLanguage (show) {
  listeners.add(show)
  show()
}

/** Translates the page, and adds the switches between languages. */
export function translatePage () {
  for (const group of document.querySelectorAll('.languages')) {
    for (const [code, name] of Object.entries({ en: 'English', pt: 'Português' })) {
      const choice = document.createElement('button')
      Object.assign(choice, { type: 'button', lang: code, textContent: code.toUpperCase(), title: name })
      // The name contains what the button shows, for people who say it (WCAG 2.5.3).
      choice.setAttribute('aria-label', `${code.toUpperCase()} ${name}`)
      choice.addEventListener('click', () => speak(/** @type {Language} */ (code)))
      group.append(choice)
    }
  }
  // The other pages of this browser, such as the payer's page in the iframe, follow the choice.
  addEventListener('storage', ({ key }) => { if (key === KEPT) show(kept() ?? language) })
  show(language)
}

/** @param {Language} chosen */
function speak (chosen) {
  try {
    localStorage.setItem(KEPT, chosen)
  } catch { /* without storage the choice is for this page only */ }
  show(chosen)
}

/** @param {Language} chosen */
function show (chosen) {
  language = chosen
  document.documentElement.lang = chosen === 'pt' ? 'pt-BR' : 'en'
  for (const choice of document.querySelectorAll('.languages button')) choice.setAttribute('aria-pressed', String(choice.getAttribute('lang') === chosen))
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-t]'))) {
    element.textContent = words(element.dataset.t ?? '', JSON.parse(element.dataset.values ?? '{}'))
  }
  for (const element of document.querySelectorAll('[data-t-label]')) element.setAttribute('aria-label', words(element.getAttribute('data-t-label') ?? ''))
  for (const element of document.querySelectorAll('[data-t-alt]')) element.setAttribute('alt', words(element.getAttribute('data-t-alt') ?? ''))
  for (const listener of listeners) listener()
}

function kept () {
  try {
    const text = localStorage.getItem(KEPT)
    return text === 'en' || text === 'pt' ? text : undefined
  } catch {
    return undefined
  }
}

/** @param {number} amount @param {string} [currency] */
export const money = (amount, currency = 'BRL') => new Intl.NumberFormat(locale(), { style: 'currency', currency }).format(amount)
/** @param {number} number */
export const numberOf = (number) => new Intl.NumberFormat(locale()).format(number)
/** @param {number} share 0–1 */
export const shareOf = (share) => new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 0 }).format(share)
/** @param {number} time ms since the epoch */
export const dateOf = (time) => new Date(time).toLocaleString(locale(), { dateStyle: 'short', timeStyle: 'short' })
/** @param {number} time ms since the epoch */
export const timeOf = (time) => new Date(time).toLocaleTimeString('pt-BR')
