// React, Vue and the element in a browser, by the examples: a payment that fails, is tried again over a reload, and is paid.
import { readFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { createSSRApp, h } from 'vue'
import { renderToString as renderVue } from 'vue/server-renderer'
import { compileScript, parse } from 'vue/compiler-sfc'
import { build, type BuildOptions, type Plugin } from 'esbuild'
import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import { ROOT } from '../../src/root.js'
import { violations } from '../axe.js'
import { listen } from '../build.js'
import { needsChromium, openPage } from '../chromium.js'
import { gateway } from '../client/gateway.js'
import { until } from '../until.js'

const EXAMPLES = join(ROOT, 'examples')
const PACKAGE = join(ROOT, 'packages/client/dist')

/** Compiles single-file components, as the plugin of a Vue project does. */
const vue: Plugin = {
  name: 'vue',
  setup: ({ onLoad }) => onLoad({ filter: /\.vue$/ }, async ({ path }) => {
    const { descriptor } = parse(await readFile(path, 'utf8'), { filename: path })
    return { contents: compileScript(descriptor, { id: path, inlineTemplate: true }).content, loader: 'ts', resolveDir: dirname(path) }
  })
}

/** Bundles a file of an example with the built package. */
async function bundle (entry: string, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(EXAMPLES, entry)],
    plugins: [vue],
    define: { 'process.env.NODE_ENV': '"development"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
    ...options
  })
  return outputFiles![0]!.text
}

/** Starts a server with one payment, and a site of other pages in front of it. */
async function shop (t: Test, files: Record<string, string>) {
  // Only what comes with a key is verified.
  const headers = { authorization: 'Bearer key' }
  const { app, port } = await listen(t, { env: { API_KEYS: 'key' } })
  const { data } = (await app.inject({ method: 'POST', url: '/api/rooms', headers, payload: { roomId: 'payment_123', amount: 99.9, currency: 'BRL' } })).json()
  const { origin } = await gateway(t, port, files)
  const report = (type: string, payload: object) => app.inject({ method: 'POST', url: `/api/rooms/${data.roomId}/events`, headers, payload: { type, payload } })
  const types = async () => (await app.inject({ url: `/api/rooms/${data.roomId}/events`, headers })).json().data.events.map(({ type }: { type: string }) => type) as string[]
  const members = async () => (await app.inject({ url: `/api/rooms/${data.roomId}`, headers })).json().data.members.length as number
  return { origin, report, types, members }
}

async function second (page: Page, url: string, lines: string[], locale = 'en-US'): Promise<Page> {
  const other = await (await page.context().browser()!.newContext({ locale })).newPage()
  other.on('pageerror', ({ message }) => lines.push(message))
  await other.goto(url)
  return other
}

for (const [name, entry] of [['React', 'react/main.tsx'], ['Vue', 'vue/main.js']] as const) {
  t.test(`The pages in ${name} go through a payment that fails first`, needsChromium, async (t) => {
    const html = '<!doctype html><html lang="en"><title>payment</title><link rel="icon" href="data:,"><main id="root"></main><script type="module" src="client.js"></script>'
    const { origin, report, types, members } = await shop(t, { '/page': html, '/client.js': await bundle(entry) })
    const { page: watching, lines } = await openPage(t, `${origin}/page?payment=payment_123`)
    await watching.getByText('Waiting for the payer').waitFor()
    const paying = await second(watching, `${origin}/page?payment=payment_123&pay`, lines)
    await watching.getByText('ENTERED_SUMMARY').waitFor()
    await until('StrictMode has left no third member', async () => await members() === 2)
    await paying.getByRole('button', { name: 'Pay' }).click()
    await paying.getByRole('button', { name: 'Pay', disabled: true }).waitFor()
    await watching.getByText('CLICKED_PAY').waitFor()
    await report('PAYMENT_ERROR', { error: 'No funds' })
    await watching.getByText('It failed: No funds').waitFor()
    await paying.reload()
    await paying.getByRole('button', { name: 'Try again' }).click()
    await watching.getByText('(attempt 2, after: No funds)').waitFor()
    await report('PAYMENT_SUCCESS', { amount: 99.9, currency: 'BRL' })
    await paying.getByText('Thank you.').waitFor()
    await watching.getByText('Paid', { exact: true }).waitFor()
    t.equal(await watching.title(), 'payment receipt')
    await watching.reload()
    await watching.getByText('Paid', { exact: true }).waitFor()
    t.equal(await watching.title(), 'payment', 'a reload prints no receipt again')
    t.strictSame(await types(), ['ENTERED_SUMMARY', 'CLICKED_PAY', 'PAYMENT_ERROR', 'CLICKED_PAY', 'PAYMENT_SUCCESS'])
    // React's StrictMode closes the first socket at once, of which the browser makes a line.
    t.strictSame(lines.filter((line) => !/DevTools|development version|closed before the connection/.test(line)), [])
  })
}

t.test('A server renders the components without connecting', async (t) => {
  const node: BuildOptions = { platform: 'node', external: ['react', 'vue'], define: {} }
  const load = async (entry: string) => {
    // A module that has no place of its own names its imports in full.
    const text = (await bundle(entry, node)).replace(/from "(react(?:\/jsx-runtime)?|vue)"/g, (_, id: string) => `from "${import.meta.resolve(id)}"`)
    return import(`data:text/javascript,${encodeURIComponent(text)}`)
  }
  const props = { url: 'http://127.0.0.1:1', roomId: 'r' }
  const { ShopPage } = await load('react/payment.tsx')
  t.equal(renderToString(createElement(ShopPage, props)).replaceAll('<!-- -->', ''), '<p>Waiting for the payer</p>')
  const { default: Page } = await load('vue/PayerPage.vue')
  t.match(await renderVue(createSSRApp({ render: () => h(Page, props) })), /<button disabled>Pay<\/button>/)
})

t.test('The element shows a payment in both languages, and its button tries again', needsChromium, async (t) => {
  const script = readFileSync(join(PACKAGE, 'payment-status.js'), 'utf8')
  const example = readFileSync(join(EXAMPLES, 'element/index.html'), 'utf8')
  const paying = example.replace('http://localhost:8080/', '/')
  const watching = paying.replace('<html lang="en">', '<html lang="pt-BR">').replace(' device="device2"', '')
  const { origin, report, types } = await shop(t, { '/pay': paying, '/watch': watching, '/payment-status.js': script })
  const { page: payer, lines } = await openPage(t, `${origin}/pay`)
  const element = payer.locator('payment-status')
  await element.getByText('Waiting for the payment').waitFor()
  t.equal(await element.locator('[part=amount]').innerText(), 'R$99.90')
  const shopPage = await second(payer, `${origin}/watch`, lines)
  const seen = shopPage.locator('payment-status')
  await seen.getByText('Aguardando quem paga').waitFor()
  t.equal((await seen.locator('[part=amount]').innerText()).replace(/\s/, ' '), 'R$ 99,90')
  await report('PAYMENT_ERROR', { error: 'No funds' })
  await seen.getByText('Recusado: No funds').waitFor()
  t.equal(await seen.getByRole('button').count(), 0, 'the shop cannot try again')
  t.strictSame(await violations(payer), [])
  t.strictSame(await violations(shopPage), [])
  await element.getByRole('button', { name: 'Try again' }).click()
  await seen.getByText('Quem paga tocou em pagar').waitFor()
  t.strictSame(await types(), ['PAYMENT_ERROR', 'CLICKED_PAY'])
  await report('PAYMENT_SUCCESS', { amount: 50, currency: 'BRL', transactionId: 'tx_1' })
  await element.getByText('R$50.00 of R$99.90').waitFor()
  t.equal(await element.getAttribute('data-status'), 'processing')
  await report('PAYMENT_SUCCESS', { amount: 49.9, currency: 'BRL', transactionId: 'tx_2' })
  await payer.getByText('Thank you.').waitFor()
  t.equal(await element.getAttribute('data-status'), 'succeeded')
  // Another room, another language, and another place in the page.
  await payer.evaluate('document.querySelector("payment-status").setAttribute("lang", "pt")')
  await element.getByText('Pago').waitFor()
  await payer.evaluate('document.querySelector("main").append(document.querySelector("payment-status"))')
  await element.getByText('Pago').waitFor()
  await payer.evaluate('document.querySelector("payment-status").setAttribute("room", "another")')
  await element.getByText('Aguardando o pagamento').waitFor()
  t.strictSame(lines, [])
})

t.test('A page may keep the element from trying again, and hears of a refused token', needsChromium, async (t) => {
  const { app, port } = await listen(t, { env: { API_KEYS: 'key', TOKEN_SECRET: 's'.repeat(32) } })
  const headers = { authorization: 'Bearer key' }
  const { tokens } = (await app.inject({ method: 'POST', url: '/api/rooms', headers, payload: { roomId: 'r' } })).json().data
  const tag = (token: string) => `<!doctype html><link rel="icon" href="data:,"><payment-status room="r" device="device2" token="${token}"></payment-status>
    <script>for (const type of ['retry', 'payment-error']) addEventListener(type, (event) => { event.preventDefault(); document.title += type + (event.detail?.code ?? '') })</script>
    <script type="module" src="/payment-status.js"></script>`
  const { origin } = await gateway(t, port, { '/good': tag(tokens.device2), '/bad': tag('none') })
  await app.inject({ method: 'POST', url: '/api/rooms/r/events', headers, payload: { type: 'PAYMENT_ERROR', payload: { error: 'x' } } })
  const { page } = await openPage(t, `${origin}/good`)
  await page.getByRole('button', { name: 'Try again' }).click()
  t.equal(await page.title(), 'retry')
  await page.goto(`${origin}/bad`)
  await page.getByText('This payment is over.').waitFor()
  t.equal(await page.title(), 'payment-errorINVALID_TOKEN')
  t.strictSame((await app.inject({ url: '/api/rooms/r/events', headers })).json().data.events.length, 1)
})
