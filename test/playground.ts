// Playground in a real browser: the desk of a shop, the phone of a payer, and readers of their pages.
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { BrowserContextOptions, FrameLocator, Page } from 'playwright-core'
import { Failure } from '../src/errors.js'
import type { PaymentEventType } from '../src/protocol/events.js'
import { listen } from './build.js'
import { openPage } from './chromium.js'

export const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, locale: 'en-US' }

/** Starts a server with the playground, and opens the desk in a browser. `lines` holds the logs of all pages. */
export async function setUp (t: Test, env: Record<string, string> = {}) {
  const { app, logs, port } = await listen(t, { env: { PLAYGROUND: 'true', PRESENCE_GRACE_SECONDS: '0', ...env } })
  const origin = `http://127.0.0.1:${port}`
  const { page: desk, lines } = await openPage(t, `${origin}/playground`)
  const requested: string[] = []
  const open = async (url: string, options: BrowserContextOptions) => {
    const context = await desk.context().browser()!.newContext({ reducedMotion: 'reduce', ...options })
    const page = await context.newPage()
    page.on('console', (message) => lines.push(message.text()))
    page.on('pageerror', (error) => lines.push(`page error: ${error.message}`))
    page.on('request', (request) => requested.push(request.url()))
    await page.goto(url)
    return page
  }
  return { app, logs, origin, desk, lines, requested, open, openPhone: async () => open(await linkOf(desk), PHONE) }
}

export async function linkOf (desk: Page): Promise<string> {
  await desk.locator('#status1[data-status="online"]').waitFor()
  return (await desk.getAttribute('#link', 'href'))!
}

/** Events in a timeline, as `seq TYPE`; replayed events have a `+`. */
export const timeline = (page: Page) => page.locator('#timeline1 .event, #timeline2 .event').evaluateAll((lines) => lines.map((line: any) =>
  `${line.dataset.seq ?? '-'} ${line.querySelector('code').textContent}${line.querySelector('.replayed') ? ' +' : ''}`))
export const notes = (page: Page) => page.locator('#timeline1 .note span, #timeline2 .note span').allTextContents()
export const event = (page: Page, seq: number) => page.locator(`.timeline [data-seq="${seq}"]`).waitFor({ state: 'attached' })
/** Unfolds what happened, which pages fold away for those who only pay or sell. */
export const unfold = (page: Page) => page.locator('.fold > summary').click()
export const steps = (desk: Page) => desk.locator('#steps li').evaluateAll((items) => items.map((item: any) => item.className))
export const overflow = (page: Page) => page.evaluate('document.documentElement.scrollWidth - innerWidth') as Promise<number>

/** Looks of a page in a language: its width, its theme, and the colours that a person may force upon it. */
export type Look = readonly [width: number, colorScheme: 'light' | 'dark', forcedColors?: 'active']

/** Gives a page each look in turn, which costs a tenth of opening it anew. Its colours change at once, since the pages of tests move nothing. */
export async function inEachLook (page: Page, looks: readonly Look[], check: (look: string, width: number) => Promise<void>): Promise<void> {
  for (const [width, colorScheme, forcedColors = 'none'] of looks) {
    await page.setViewportSize({ width, height: 800 })
    await page.emulateMedia({ colorScheme, forcedColors })
    await check(`${width} ${colorScheme}${forcedColors === 'active' ? ', forced colours' : ''}`, width)
  }
}
export const heading = (page: Page | FrameLocator, text: string) => page.getByRole('heading', { level: 1, name: text }).waitFor()

/** Fills in the pages of the payer, from the summary to the last page before the payment. */
export async function fillIn (phone: Page, method = 'pix') {
  await phone.locator('#proceed').click()
  await phone.locator(`input[value="${method}"]`).check()
  await phone.locator('#sample').click()
  await phone.locator('#filled').click()
}

/** Room of a phone's page. */
export const roomOf = (phone: Page) => new URLSearchParams(new URL(phone.url()).hash.slice(1)).get('room')!

/** Publishes a result as a backend with a key does, also on a server without keys. */
export async function report (app: FastifyInstance, roomId: string, type: PaymentEventType, payload: object = {}) {
  const published = await app.rooms.publishFromApi({ type, payload: { roomId, ...payload } }, { principal: 'backend' })
  if (published instanceof Failure) throw new Error(published.message)
}

/** Changes the terms of a payment link. */
export async function updateLink (app: FastifyInstance, roomId: string, payload: object, headers: Record<string, string> = {}) {
  const { statusCode, body } = await app.inject({ method: 'PATCH', url: `/api/rooms/${roomId}`, headers, payload })
  if (statusCode !== 200) throw new Error(body)
}
