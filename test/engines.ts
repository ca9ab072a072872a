// The three engines of browsers, each with what its own tool can do: Chromium by playwright, Firefox by WebDriver BiDi, WebKit by WebDriver.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { chromium } from 'playwright-core'
import puppeteer from 'puppeteer-core'
import type { Test } from 'tap'
import { CHROMIUM_ARGS, executablePath, needsChromium } from './chromium.js'
import { pathOf, without } from './installed.js'
import { freePort } from './free-port.js'
import { until } from './until.js'

/** A tab of a browser. */
export interface Tab {
  readonly goto: (url: string) => Promise<unknown>
  readonly reload: () => Promise<unknown>
  /** Tells the page that the network is gone, or back; in Chromium the browser does, elsewhere an event alone. */
  readonly setOffline: (isOffline: boolean) => Promise<unknown>
  /** Closes the tab as a user does. */
  readonly close: () => Promise<unknown>
  /** Runs a function in the page, which may use nothing from around it but these values. @returns its result, or what its promise resolves with */
  readonly evaluate: <T, A extends unknown[]>(run: (...values: A) => T, ...values: A) => Promise<Awaited<T>>
  /** Clicks the first element that a selector matches, with the mouse. */
  readonly click: (selector: string) => Promise<unknown>
  /** Presses a key of the keyboard. */
  readonly press: (key: Key) => Promise<unknown>
}

/** Keys by their names in the standard, with their values in WebDriver. */
const KEYS = { Tab: '\uE004', Enter: '\uE007', Space: ' ', Escape: '\uE00C', ArrowDown: '\uE015' } as const
type Key = keyof typeof KEYS

/** Settings of a browser that a test may need. */
interface LaunchOptions {
  /** The person has chosen the colours of all pages. */
  readonly forcedColors?: boolean
}

interface Browser { readonly newTab: () => Promise<Tab>, readonly close: () => Promise<unknown> }

export interface Engine {
  readonly name: 'Chromium' | 'Firefox' | 'WebKit'
  /** Options of a test that needs the engine: a reason to skip it, or none. */
  readonly needs: { readonly skip?: string | false }
  readonly launch: (options?: LaunchOptions) => Promise<Browser>
}

const source = (run: (...values: never[]) => unknown, values: unknown[] = []) => `(${String(run)})(...${JSON.stringify(values)})`
const networkEvent = (isOffline: boolean) => `dispatchEvent(new Event('${isOffline ? 'offline' : 'online'}'))`

async function launchChromium ({ forcedColors = false }: LaunchOptions = {}): Promise<Browser> {
  if (executablePath === undefined) throw new Error('CI needs chromium')
  // Playwright would disable the back/forward cache by default.
  const browser = await chromium.launch({ executablePath, ignoreDefaultArgs: ['--disable-back-forward-cache'], args: CHROMIUM_ARGS })
  return {
    close: () => browser.close(),
    newTab: async () => {
      const page = await browser.newPage({ locale: 'en-US', ...(forcedColors && { forcedColors: 'active' }) })
      return {
        goto: (url) => page.goto(url),
        reload: () => page.reload(),
        setOffline: (isOffline) => page.context().setOffline(isOffline),
        close: () => page.close({ runBeforeUnload: true }),
        evaluate: (run, ...values) => page.evaluate(source(run, values)) as never,
        click: (selector) => page.locator(selector).first().click(),
        press: (key) => page.keyboard.press(key)
      }
    }
  }
}

const FIREFOX = pathOf('firefox-esr')

async function launchFirefox ({ forcedColors = false }: LaunchOptions = {}): Promise<Browser> {
  if (FIREFOX === undefined) throw new Error('CI needs firefox-esr')
  const preferences = { 'intl.accept_languages': 'en-US', ...(forcedColors && { 'browser.display.document_color_use': 2 }) }
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true, extraPrefsFirefox: preferences })
  return {
    close: () => browser.close(),
    newTab: async () => {
      // A window: a tab behind another one would count as hidden.
      const page = await browser.newPage({ type: 'window' })
      return {
        goto: (url) => page.goto(url),
        reload: () => page.reload(),
        setOffline: (isOffline) => page.evaluate(networkEvent(isOffline)),
        close: () => page.close({ runBeforeUnload: true }),
        evaluate: (run, ...values) => page.evaluate(source(run, values)) as never,
        click: (selector) => page.click(selector),
        press: (key) => page.keyboard.press(key === 'Space' ? KEYS.Space : key)
      }
    }
  }
}

/** The small browser that comes with WebKitGTK. */
const MINI_BROWSER = ['/usr/lib', '/usr/libexec'].filter((folder) => existsSync(folder)).flatMap((folder) => ['', ...readdirSync(folder).filter((name) => name.endsWith('-linux-gnu'))]
  .flatMap((name) => ['webkit2gtk-4.1', 'webkit2gtk-4.0', 'webkitgtk-6.0'].map((version) => join(folder, name, version, 'MiniBrowser')))).find((path) => existsSync(path))

async function ended (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill()
  await exit
}

/** Starts a display without a screen. @returns its name */
async function startDisplay (): Promise<{ display: ChildProcess, name: string }> {
  const display = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const [number] = await once(display.stdio[3] as Readable, 'data')
  return { display, name: `:${String(number).trim()}` }
}

/** Sends a command of WebDriver (W3C). @throws the error in the answer */
async function command (url: string, method: 'GET' | 'POST' | 'DELETE', body?: object): Promise<any> {
  const response = await fetch(url, { method, ...(body && { body: JSON.stringify(body) }) })
  const { value } = await response.json() as { value: any }
  if (!response.ok) throw new Error(`${value.error}: ${value.message}`)
  return value
}

async function launchWebKit (): Promise<Browser> {
  if (MINI_BROWSER === undefined) throw new Error('CI needs webkit2gtk-driver')
  const { display, name } = await startDisplay()
  const port = await freePort()
  const driver = spawn('WebKitWebDriver', [`--port=${port}`], { env: { ...process.env, DISPLAY: name, LIBGL_ALWAYS_SOFTWARE: '1' }, stdio: 'ignore' })
  const server = `http://127.0.0.1:${port}`
  await until('the driver answers', () => command(`${server}/status`, 'GET').then(() => true, () => false))
  const { sessionId } = await command(`${server}/session`, 'POST', { capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': { binary: MINI_BROWSER, args: ['--automation'] } } } })
  const session = `${server}/session/${sessionId}`
  const [first] = await command(`${session}/window/handles`, 'GET')
  return {
    close: async () => {
      await command(session, 'DELETE').catch(() => {})
      await ended(driver)
      await ended(display)
    },
    newTab: () => webKitTab(session, first)
  }
}

/**
 * Opens a window: a tab of the driver's own would count as hidden.
 * @param first window that stays open, since the browser ends with its last one
 */
async function webKitTab (session: string, first: string): Promise<Tab> {
  await command(`${session}/window`, 'POST', { handle: first })
  const { handle } = await command(`${session}/window/new`, 'POST', { type: 'window' })
  /** Sends a command to this window. */
  const send = async (path: string, method: 'POST' | 'DELETE', body?: object) => {
    await command(`${session}/window`, 'POST', { handle })
    return command(`${session}/${path}`, method, body)
  }
  return {
    goto: (url) => send('url', 'POST', { url }),
    reload: () => send('refresh', 'POST', {}),
    setOffline: (isOffline) => send('execute/sync', 'POST', { script: networkEvent(isOffline), args: [] }),
    close: async () => {
      await send('window', 'DELETE')
      await command(`${session}/window`, 'POST', { handle: first })
    },
    evaluate: async (run, ...values) => {
      const script = 'const done = arguments[0]; Promise.resolve().then(() => SOURCE).then((value) => done({ value }), (error) => done({ error: String(error) }))'
      const { value, error } = await send('execute/async', 'POST', { script: script.replace('SOURCE', () => source(run, values)), args: [] })
      if (error !== undefined) throw new Error(error)
      return value
    },
    click: async (selector) => {
      const [id] = Object.values(await send('element', 'POST', { using: 'css selector', value: selector }))
      await send(`element/${id}/click`, 'POST', {})
    },
    press: (key) => send('actions', 'POST', { actions: [{ type: 'key', id: 'keyboard', actions: ['keyDown', 'keyUp'].map((type) => ({ type, value: KEYS[key] })) }] })
  }
}

export const ENGINES: readonly Engine[] = [
  { name: 'Chromium', needs: needsChromium, launch: launchChromium },
  { name: 'Firefox', needs: { skip: without('firefox-esr', 'firefox-esr') }, launch: launchFirefox },
  { name: 'WebKit', needs: { skip: without('WebKitWebDriver', 'webkit2gtk-driver') || without('Xvfb', 'xvfb') }, launch: launchWebKit }
]

/** Returns a function that opens a tab of an engine: one browser for all tests, which ends with them. */
export function tabsOf (t: Test, { launch }: Engine, options?: LaunchOptions): () => Promise<Tab> {
  let browser: Promise<Browser> | undefined
  t.teardown(async () => { await (await browser)?.close() })
  return async () => (await (browser ??= launch(options))).newTab()
}
