// @ts-check
// REST client of the pages: same server, with the API key that the user typed in.

const KEY = 'playground-key'

/** URL of the server: one level above this page, behind any path prefix. */
export const BASE = new URL('../', document.baseURI).href

export const getKey = () => sessionStorage.getItem(KEY) ?? undefined

/** @param {string} key stored for this tab */
export function setKey (key) { sessionStorage.setItem(KEY, key) }

export function forgetKey () { sessionStorage.removeItem(KEY) }

/**
 * @param {string} method
 * @param {string} path relative to the server's URL, without a leading slash
 * @param {object} [body]
 * @returns {Promise<{ status: number, body: any }>} the response, with any status; rejects if there is none
 */
export async function call (method, path, body) {
  const key = getKey()
  const response = await fetch(BASE + path, {
    method,
    headers: { ...(key && { authorization: `Bearer ${key}` }), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    cache: 'no-store'
  })
  const text = await response.text()
  return { status: response.status, body: text && JSON.parse(text) }
}
