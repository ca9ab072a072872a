// Chromium for tests of pages.
import { chromium, type Browser, type Page } from 'playwright-core'
import tap, { type Test } from 'tap'
import { pathOf, without } from './installed.js'

/** Path of Chromium, if it is there. */
export const executablePath = process.env.CHROMIUM ?? ['chromium', 'chromium-browser', 'google-chrome'].map(pathOf).find((path) => path !== undefined)
/** Chromium without all that only a window needs, where it is installed: the tests of the pages take half the processor time with it. */
const shellPath = process.env.CHROMIUM ?? pathOf('chromium-headless-shell') ?? executablePath

export const CHROMIUM_ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Options of a test that needs Chromium: a reason to skip it, or none. */
export const needsChromium = executablePath === undefined ? { skip: without('chromium', 'chromium, or set CHROMIUM') } : {}

let browser: Promise<Browser> | undefined

/** Starts the browser of this process: a context is as separate as a browser, and starting one takes a second of a processor. It ends with the process's tests. */
async function theBrowser (): Promise<Browser> {
  if (shellPath === undefined) throw new Error('CI needs chromium')
  if (browser === undefined) {
    browser = chromium.launch({ executablePath: shellPath, args: CHROMIUM_ARGS })
    tap.teardown(async () => { await (await browser)?.close() })
  }
  return browser
}

/** Opens a page in a context of its own. All contexts that are made from here on close with the test. `lines` collects the log of the page. */
export async function openPage (t: Test, url: string): Promise<{ page: Page, lines: string[] }> {
  const browser = await theBrowser()
  const others = new Set(browser.contexts())
  t.teardown(async () => { for (const context of browser.contexts()) if (!others.has(context)) await context.close() })
  const page = await browser.newPage({ reducedMotion: 'reduce' })
  const lines: string[] = []
  page.on('console', (message) => lines.push(message.text()))
  page.on('pageerror', (error) => lines.push(`page error: ${error.message}`))
  await page.goto(url)
  return { page, lines }
}
