// A signed webhook of a provider, sent by curl, reaches the shop's page and the payer's page as a verified result.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { needsChromium } from '../chromium.js'
import { fillIn, heading, linkOf, PHONE, roomOf, setUp } from '../playground.js'
import { ROOM } from '../providers/bodies.js'
import { senders, settingsOf, type Delivery } from '../providers/senders.js'

const run = promisify(execFile)

async function curl (origin: string, { url, headers, payload }: Delivery): Promise<string> {
  const options = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`])
  const { stdout } = await run('curl', ['--silent', '--max-time', '20', '--output', '/dev/null', '--write-out', '%{http_code}', ...options, '--data-binary', payload, origin + url])
  return stdout
}

t.test('A signed webhook of each provider shows as paid and confirmed on both pages', needsChromium, async (t) => {
  const all = await senders(t)
  const { app, origin, desk, open, lines } = await setUp(t, Object.assign({}, ...all.map(settingsOf)) as Record<string, string>)
  let link = await linkOf(desk)
  for (const sender of all) {
    const phone = await open(link, PHONE)
    await fillIn(phone)
    await phone.locator('#pay').click()
    // The order number of the webhook is the reference of the link, as createRoom sets it.
    await app.broker.nameRoom(ROOM, roomOf(phone))
    const sentAt = performance.now()
    t.equal(await curl(origin, sender.deliver(sender.paid)), '200', sender.name)
    await Promise.all([heading(phone, 'Paid'), desk.locator('#steps').getByText('Paid').waitFor()])
    t.comment(`${sender.name}: on both pages ${Math.round(performance.now() - sentAt)} ms after curl was started`)
    t.match((await desk.locator('#steps [data-step="RESULT"] .detail').innerText()).replaceAll('\u00a0', ' '), /^Paid · R\$99\.90 · .*confirmed by the backend$/, sender.name)
    await phone.context().close()
    await desk.locator('#new').click()
    await desk.locator(`#link:not([href="${link}"])`).waitFor()
    link = await linkOf(desk)
  }
  t.strictSame(lines, [])
})
