// The server's scripts in a browser: a page of another origin imports the client, as README's first example does, or has the element.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { paymentRooms } from '../../src/payment-rooms.js'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { needsChromium, openPage } from '../chromium.js'
import { createHost, listen as listenOn, QUICK } from '../payment-rooms/host.js'

/** Serves one page at an origin of its own. */
async function site (t: Test, html: string): Promise<string> {
  const server = http.createServer((_request, response) => { response.writeHead(200, { 'content-type': 'text/html' }).end(html) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

for (const readme of ['README.md', 'README.pt-BR.md']) {
  t.test(`The first page of ${readme} shows the payment, from another origin`, needsChromium, async (t) => {
    const { app, port } = await listen(t)
    const [, example] = /```html\n([^]*?)```/.exec(readFileSync(join(ROOT, readme), 'utf8'))!
    const { page, lines } = await openPage(t, await site(t, `<link rel="icon" href="data:,">${example!.replaceAll('localhost:8080', `127.0.0.1:${port}`)}`))
    await page.getByText('pending').waitFor()
    await app.inject({ method: 'POST', url: '/api/rooms/payment_123/events', payload: { type: 'PAYMENT_SUCCESS', payload: {} } })
    await page.getByText('succeeded').waitFor()
    t.strictSame(lines, [])
  })
}

t.test('The element connects to the server of its script, also under a prefix, and the policy of a strict page permits it', needsChromium, async (t) => {
  const { app } = createHost(t)
  app.register(paymentRooms, { ...QUICK, prefix: '/payments' })
  const server = await listenOn(app)
  const policy = `default-src 'none'; script-src http://${server}; connect-src http://${server} ws://${server}; img-src data:`
  const { page, lines } = await openPage(t, await site(t, `<link rel="icon" href="data:,"><meta http-equiv="content-security-policy" content="${policy}">
    <payment-status room="r" lang="en"></payment-status><script type="module" src="http://${server}/payments/payment-status.js"></script>`))
  await page.getByText('Waiting for the payer').waitFor()
  await app.inject({ method: 'POST', url: '/payments/api/rooms/r/events', payload: { type: 'PAYMENT_SUCCESS', payload: {} } })
  await page.getByText('Paid, not confirmed yet').waitFor()
  t.strictSame(lines, [])
})
