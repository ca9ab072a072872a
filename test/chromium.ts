// Chromium for tests of pages.
import { chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { pathOf, without } from './installed.js'

/** Path of Chromium, if it is there. */
export const executablePath = process.env.CHROMIUM ?? ['chromium', 'chromium-browser', 'google-chrome'].map(pathOf).find((path) => path !== undefined)

export const CHROMIUM_ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Options of a test that needs Chromium: a reason to skip it, or none. */
export const needsChromium = executablePath === undefined ? { skip: without('chromium', 'chromium, or set CHROMIUM') } : {}

/**
 * Opens a page in a browser that closes with the test. `lines` collects the log of the page.
 * @param options.ignoreDefaultArgs arguments of playwright that this test must not use
 */
export async function openPage (t: Test, url: string, { ignoreDefaultArgs = [] }: { ignoreDefaultArgs?: string[] } = {}): Promise<{ page: Page, lines: string[] }> {
  if (executablePath === undefined) throw new Error('CI needs chromium')
  const browser = await chromium.launch({
    executablePath,
    ignoreDefaultArgs,
    args: CHROMIUM_ARGS
  })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const lines: string[] = []
  page.on('console', (message) => lines.push(message.text()))
  page.on('pageerror', (error) => lines.push(`page error: ${error.message}`))
  await page.goto(url)
  return { page, lines }
}
