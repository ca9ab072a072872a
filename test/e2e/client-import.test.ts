// First example of the README in a browser: a page of another origin imports the client from the server.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { needsChromium, openPage } from '../chromium.js'

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
