// @ts-check
// The REST API as this page calls it: same server, with the key that was typed in.

const KEY = 'playground-key'

/** Where the server is: one level above this page, whatever stands before that. */
export const BASE = new URL('../', document.baseURI).href

export const getKey = () => sessionStorage.getItem(KEY) ?? undefined

/** @param {string} key kept for this tab */
export function setKey (key) { sessionStorage.setItem(KEY, key) }

/**
 * @param {string} method
 * @param {string} path after the server's address, without a slash before it
 * @param {object} [body]
 * @returns {Promise<{ status: number, body: any }>} the answer, whatever its status; rejects where there is none
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
