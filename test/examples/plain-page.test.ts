// The example of two plain pages: the shop creates a payment, the payer's page opens its link, and neither page holds a key.
import t from 'tap'
import { listen } from '../build.js'
import { needsChromium, openPage } from '../chromium.js'
import { clientModules, startExample } from './example.js'

const KEY = 'k-1234'
const settings = { API_KEYS: KEY, TOKEN_SECRET: 's'.repeat(32), RESULTS_FROM: 'backend' }

t.test('A payment goes from the shop\'s page to the payer\'s and back', needsChromium, async (t) => {
  const { app, port } = await listen(t, { env: settings })
  const shop = await startExample(t, 'examples/plain-page/server.js', { KEY, SERVER: `http://127.0.0.1:${port}`, CLIENT: await clientModules(t) })
  const { page, lines } = await openPage(t, `${shop.origin}/shop.html`)
  const state = page.locator('#state')
  await page.locator('#link[href]').waitFor()
  const link = (await page.getAttribute('#link', 'href'))!
  t.match(link, /\/pay\.html\?payment=[\w-]{22}$/, 'the link holds no token')

  const phone = await (await page.context().browser()!.newContext()).newPage()
  await phone.goto(link)
  await page.getByText('ENTERED_SUMMARY').waitFor()
  await phone.locator('#proceed').click()
  await page.getByText('CLICKED_PROCEED').waitFor()
  await phone.reload()
  await phone.locator('#pay').click()
  await page.getByText('CLICKED_PAY').waitFor()
  await phone.getByText('Waiting for your bank').waitFor()

  const room = link.split('=')[1]!
  const headers = { authorization: `Bearer ${KEY}` }
  await app.inject({ method: 'POST', url: `/api/rooms/${room}/events`, headers, payload: { type: 'PAYMENT_SUCCESS', payload: { amount: 99.9 }, id: 'psp-1' } })
  await phone.getByText('Paid.').waitFor()
  await page.getByText('succeeded').waitFor()
  t.equal(await state.innerText(), 'succeeded, confirmed')
  const { events } = (await app.inject({ url: `/api/rooms/${room}/events`, headers })).json().data
  t.strictSame(events.map(({ type }: { type: string }) => type), ['ENTERED_SUMMARY', 'CLICKED_PROCEED', 'CLICKED_PAY', 'PAYMENT_SUCCESS'], 'the reload published no event twice')
  t.strictSame(lines, [])

  await app.inject({ method: 'DELETE', url: `/api/rooms/${room}`, headers })
  await phone.reload()
  await phone.getByText('This link is no longer valid.').waitFor()
})

t.test('The backend serves the two pages, the client and tokens, and nothing else', async (t) => {
  const { port } = await listen(t, { env: settings })
  const { origin } = await startExample(t, 'examples/plain-page/server.js', { KEY, SERVER: `http://127.0.0.1:${port}`, CLIENT: await clientModules(t) })
  const ask = async (path: string, method = 'GET') => (await fetch(origin + path, { method }))
  for (const path of ['/', '/server.js', '/payments.js', '/client/../server.js', '/client/%2e%2e/server.js', '/payments']) t.equal((await ask(path)).status, 404, path)
  t.match((await ask('/client/index.js')).headers.get('content-type'), 'text/javascript')
  const payment = await (await ask('/payments', 'POST')).json() as Record<string, string>
  t.match(Object.keys(payment).sort(), ['expiresAt', 'roomId', 'token', 'url'])
  t.match(JSON.parse(Buffer.from(payment.token!.split('.')[1]!, 'base64url').toString()), { role: 'device1', room: payment.roomId })
  t.equal((await ask(`/payments/${payment.roomId}/token`, 'POST')).status, 200)
  t.notMatch(await (await ask(`/payments/${payment.roomId}/token`, 'POST')).text(), KEY)
  t.equal((await ask(`/payments/${'x'.repeat(22)}/token`, 'POST')).status, 404, 'a missing room gets no token')
})
