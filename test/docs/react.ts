// React pages of the documentation, in a browser with the real React, in front of the backend of the plain example.
import { build } from 'esbuild'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Page as BrowserPage } from 'playwright-core'
import { ROOT } from '../../src/root.js'
import { openPage } from '../chromium.js'
import { clientModules, startExample } from '../examples/example.js'
import type { Page } from './page.js'

/** Bundles a component with the package of the client, as a bundler does. @throws if it does not compile */
async function bundleOf (text: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: text, resolveDir: join(ROOT, 'examples/react'), loader: 'tsx' },
    alias: { 'ws-payment-client/react': join(ROOT, 'packages/client/src/react.ts'), 'ws-payment-client': join(ROOT, 'src/client/index.ts') },
    define: { 'process.env.NODE_ENV': '"production"' },
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    target: 'es2022',
    write: false,
    logLevel: 'silent'
  })
  return outputFiles[0]!.text
}

/** Serves a site with one page and forwards other requests to the shop's backend. A synthetic page may not reach this machine. */
async function serve (page: Page, script: string, backend: string): Promise<string> {
  const body = `<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module">${script.replaceAll('</script', '<\\/script')}</script>`
  const site = http.createServer(async ({ method, url }, response) => {
    if (method === 'GET') return response.writeHead(200, { 'content-type': 'text/html' }).end(body)
    response.end(await (await fetch(backend + url, { method: 'POST' })).text())
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  page.t.teardown(() => site.close().closeAllConnections())
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`
}

const open = new WeakMap<Page, { backend: string, shop: BrowserPage, lines: string[] }>()

/** Compiles parts of a page. Opens components that mount themselves: the shop first, then the payer, which fails, tries again and pays. */
export async function runReact (page: Page, text: string): Promise<string[]> {
  const script = await bundleOf(text)
  if (!text.includes('createRoot')) return []
  const first = open.get(page)
  if (!first) {
    await page.start({ API_KEYS: 'change-me', TOKEN_SECRET: 's'.repeat(32) })
    const { origin: backend } = await startExample(page.t, 'examples/plain-page/server.js', { KEY: 'change-me', SERVER: page.origin, CLIENT: await clientModules(page.t) })
    const { page: shop, lines } = await openPage(page.t, await serve(page, script, backend))
    await shop.getByRole('button', { name: 'New payment' }).click()
    await shop.getByText('Waiting for the payer').waitFor()
    await shop.reload()
    await shop.getByText('Waiting for the payer').waitFor()
    open.set(page, { backend, shop, lines })
    return lines
  }
  const { backend, shop, lines } = first
  const phone = await (await shop.context().browser()!.newContext()).newPage()
  phone.on('pageerror', ({ message }) => lines.push(message))
  await phone.goto(await serve(page, script, backend) + await shop.getByRole('link').getAttribute('href'))
  await shop.getByText('ENTERED_SUMMARY').waitFor()
  await phone.getByRole('button', { name: 'Pay' }).click()
  await shop.getByText('CLICKED_PAY').waitFor()
  const room = new URL(phone.url()).searchParams.get('payment')!
  const report = (type: string, payload: object) => page.app!.inject({ method: 'POST', url: `/api/rooms/${room}/events`, headers: { authorization: 'Bearer change-me' }, payload: { type, payload } })
  await phone.getByRole('button', { name: 'Pay', disabled: true }).waitFor()
  await report('PAYMENT_ERROR', { error: 'No funds' })
  await shop.getByText('It failed: No funds').waitFor()
  await phone.getByRole('button', { name: 'Try again' }).click()
  await shop.getByText('attempt 2, after: No funds').waitFor()
  await report('PAYMENT_SUCCESS', {})
  await phone.getByText('Thank you.').waitFor()
  await shop.getByText('Paid').waitFor()
  if (await shop.title() !== 'Print the receipt') lines.push('no receipt is printed')
  return lines
}
