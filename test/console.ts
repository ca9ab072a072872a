// The operator's console in a real browser: a server with payments, and readers of the page.
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { listen } from './build.js'
import { openPage } from './chromium.js'

/** Starts a server with the console. `lines` holds the logs of all its pages. */
export async function startConsole (t: Test, env: Record<string, string> = {}) {
  const { app, port } = await listen(t, { env: { CONSOLE: 'true', PLAYGROUND: 'true', ...env } })
  const origin = `http://127.0.0.1:${port}`
  const key = env.API_KEYS?.split(',')[0]
  const { page: blank, lines } = await openPage(t, 'about:blank')
  const open = async (options: BrowserContextOptions = {}) => {
    const page = await (await blank.context().browser()!.newContext({ locale: 'en-US', viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options })).newPage()
    page.on('console', (message) => lines.push(message.text()))
    page.on('pageerror', (error) => lines.push(`page error: ${error.message}`))
    await page.goto(`${origin}/console/`)
    return page
  }
  return { app, origin, lines, open, ask: askerOf(app, key) }
}

/** Sends a request as a backend, which must succeed. */
function askerOf (app: FastifyInstance, key: string | undefined) {
  return async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object) => {
    const { statusCode, body } = await app.inject({ method, url, ...(payload && { payload }), headers: key === undefined ? {} : { authorization: `Bearer ${key}` } })
    if (statusCode >= 300) throw new Error(`${method} ${url}: ${body}`)
    return body === '' ? undefined : JSON.parse(body).data
  }
}

export async function enterKey (page: Page, key: string): Promise<void> {
  await page.locator('#key-field').fill(key)
  await page.keyboard.press('Enter')
}

/** Texts of the rows, each cell of a payment after the other, with the usual spaces. */
export const rows = (page: Page) => page.locator('#rows tr').evaluateAll((items) => items.map((item: any) =>
  [...item.children].map((cell) => cell.innerText.replaceAll('\u00a0', ' ').replace(/\s*\n\s*/g, ' / ')).join(' | ')))
export const rooms = (page: Page) => page.locator('#rows tr').evaluateAll((items) => items.map((item: any) => item.dataset.room as string))
export const row = (page: Page, roomId: string) => page.locator(`#rows tr[data-room="${roomId}"]`)

/** Opens a payment of the list, and waits for its events. */
export async function openRoom (page: Page, roomId: string): Promise<void> {
  await row(page, roomId).locator('button').click()
  await page.locator('#room-title:focus').waitFor()
  await page.locator('#room-facts dd').first().waitFor()
}
