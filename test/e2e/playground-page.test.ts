// The playground's page: the keyboard, the languages, the requests of the backend, keys and tokens.
import t, { type Test } from 'tap'
import decodeQR from 'qr/decode.js'
import type { Page } from 'playwright-core'
import { needsChromium } from '../chromium.js'
import { violations } from '../axe.js'
import { event, fillIn, heading, inEachLook, linkOf, notes, overflow, PHONE, report, roomOf, setUp, timeline, unfold, updateLink } from '../playground.js'
import { until } from '../until.js'

t.test('The page can be used with the keyboard alone', needsChromium, async (t) => {
  const { desk, lines } = await setUp(t)
  await linkOf(desk)
  /** Presses Tab until an element has the focus; every element with the focus must show it. */
  const tabTo = async (selector: string) => {
    for (let presses = 0; presses < 60; presses++) {
      const { reached, outline } = await focused(selector)
      if (reached) return t.ok(outline, `${selector} shows that it has the focus`)
      await desk.keyboard.press('Tab')
    }
    throw new Error(`the Tab key never leads to ${selector}`)
  }
  // Elements in the frame of the phone count, too.
  const focused = (selector: string) => desk.evaluate(`(() => {
    let at = document.activeElement
    while (at?.contentDocument?.activeElement) at = at.contentDocument.activeElement
    return { reached: at?.matches(${JSON.stringify(selector)}), outline: at && at.ownerDocument.defaultView.getComputedStyle(at).outlineStyle !== 'none' }
  })()`) as Promise<{ reached: boolean, outline: boolean }>
  const phone = desk.frameLocator('#phone iframe')

  await tabTo('#open')
  await desk.keyboard.press('Enter')
  await heading(phone, 'Your order')
  await tabTo('#proceed')
  await desk.keyboard.press('Enter')
  await heading(phone, 'How do you want to pay?')
  await tabTo('input[name="method"]')
  await desk.keyboard.press('Space')
  await desk.keyboard.press('ArrowRight')
  t.ok(await phone.locator('input[value="card"]').isChecked())
  await tabTo('#sample')
  await desk.keyboard.press('Enter')
  await tabTo('#filled')
  await desk.keyboard.press('Enter')
  await heading(phone, 'Review your payment')
  await tabTo('#pay')
  await desk.keyboard.press('Space')
  await tabTo('#approve')
  await desk.keyboard.press('Enter')
  await heading(phone, 'Paid')
  await tabTo('[data-name="getRoom"] summary')
  await desk.keyboard.press('Enter')
  await tabTo('[data-name="getRoom"] .primary')
  await desk.keyboard.press('Enter')
  await desk.locator('[data-name="getRoom"] .answer', { hasText: '"status": "succeeded"' }).waitFor()
  t.strictSame(lines, [])
})

t.test('The page is in the language of the browser, and in the other one on demand', needsChromium, async (t) => {
  const { desk, open, origin, lines } = await setUp(t)
  const brazilian = await open(`${origin}/playground/`, { locale: 'pt-BR' })
  await heading(brazilian, 'Laboratório de pagamentos')
  t.equal(await brazilian.evaluate('document.documentElement.lang'), 'pt-BR')

  await linkOf(desk)
  await desk.locator('#open').click()
  const phone = desk.frameLocator('#phone iframe')
  await heading(phone, 'Your order')
  await event(desk, 1)
  await desk.locator('[data-name="broadcastToRoom"] .primary').click()
  await event(desk, 2)
  await desk.getByRole('button', { name: 'Português' }).click()
  await heading(desk, 'Laboratório de pagamentos')
  await heading(phone, 'Seu pedido')
  t.equal(await phone.locator('dd').first().innerText(), 'R$ 99,90'.replace(' ', '\u00a0'))
  t.match(await desk.locator('#steps').innerText(), /Viu o resumo/)
  await unfold(desk)
  t.match(await desk.locator('#timeline1').innerText(), /Entrou na sala[^]*dispositivo/, 'earlier entries are translated, too')
  t.match(await desk.locator('[data-name="broadcastToRoom"] .curl').innerText(), 'Pagamento processado com sucesso!')
  t.match(await desk.locator('[data-name="broadcastToRoom"] .answer').innerText(), '"message": "Payment processed!"', 'the earlier answer stays')
  await desk.reload()
  await heading(desk, 'Laboratório de pagamentos')
  t.strictSame(lines, [])
})

t.test('The shop reads the amount, the progress, the time since and the payer in large, and what happened is folded away', needsChromium, async (t) => {
  const { app, desk, openPhone, lines } = await setUp(t)
  await linkOf(desk)
  const glance = async () => (await desk.locator('.glance').innerText()).replaceAll('\u00a0', ' ')
  t.match(await glance(), /R\$99\.90\s+Waiting for the payer\s+The payer has not opened the link yet\./)
  const phone = await openPhone()
  await desk.locator('#who', { hasText: 'The payer is here.' }).waitFor()
  await phone.locator('#proceed').click()
  await desk.locator('#now', { hasText: 'Continued to payment' }).waitFor()
  await desk.locator('#since', { hasText: /^\d+ s ago$/ }).waitFor()
  await updateLink(app, roomOf(phone), { amount: 250, currency: 'USD' })
  await desk.locator('#amount', { hasText: '$250.00' }).waitFor()
  for (const page of [desk, phone]) {
    t.ok(await page.locator('.timeline').isHidden())
    await unfold(page)
    t.ok(await page.locator('.timeline').isVisible())
    t.ok(await page.locator('.timeline').evaluate((log: any) => log.scrollHeight - log.scrollTop - log.clientHeight < 2), 'the latest event is in view')
  }
  await phone.context().close()
  await desk.locator('#who', { hasText: 'The payer has left.' }).waitFor()
  await report(app, new URLSearchParams(new URL((await desk.getAttribute('#link', 'href'))!).hash.slice(1)).get('room')!, 'PAYMENT_SUCCESS')
  await desk.locator('#now[data-mood="done"]', { hasText: 'Paid' }).waitFor()
  t.strictSame(lines, [])
})

t.test('Both pages are clean for axe and need no sideways scrolling, in every width and both themes', needsChromium, async (t) => {
  const { origin, open, lines } = await setUp(t)
  for (const [locale, looks] of [['en-US', [[1440, 'light'], [320, 'dark']]], ['pt-BR', [[768, 'dark'], [320, 'light']]]] as const) {
    const desk = await open(`${origin}/playground/`, { locale })
    const phone = await open(await linkOf(desk), { locale })
    await phone.locator('#proceed').click()
    await phone.locator('input[value="card"]').check()
    await event(desk, 3)
    for (const [name, page] of Object.entries({ desk, phone })) {
      await unfold(page)
      await inEachLook(page, looks, async (look) => {
        t.strictSame(await violations(page), [], `${name} ${look}`)
        t.equal(await overflow(page), 0, `${name} ${look}`)
      })
      await page.context().close()
    }
  }
  t.strictSame(lines, [])
})

t.test('Each request of the page runs as its curl command shows', needsChromium, async (t) => {
  const { desk, openPhone, origin, lines } = await setUp(t)
  const phone = await openPhone()
  await event(desk, 1)
  const room = new URLSearchParams(new URL(phone.url()).hash.slice(1)).get('room')!
  const run = async (name: string) => {
    const request = desk.locator(`[data-name="${name}"]`)
    if (await request.getAttribute('open') === null) await request.locator('summary').click()
    await request.locator('.primary').click()
    await request.locator('.answer:not([hidden])').waitFor()
    return { curl: await request.locator('.curl').innerText(), answer: await request.locator('.answer').innerText() }
  }
  t.match(await run('getRoom'), { curl: `curl ${origin}/api/rooms/${room}`, answer: /^200\n[^]*"step": "ENTERED_SUMMARY"/ })
  t.match(await run('listRoomEvents'), { answer: /^200\n[^]*"recovered": true/ })
  const { curl, answer } = await run('broadcastToRoom')
  t.equal(curl, `curl -X POST ${origin}/api/message/room/${room}/broadcast \\\n  -H 'Content-Type: application/json' \\\n  -d '{"eventType":"PAYMENT_UPDATE","message":"Payment processed!","idSeguro":"seguro_123456"}'`)
  t.match(answer, /^200\n[^]*"sentToClients": 2/)
  await event(phone, 2)
  t.match(await run('publishError'), { answer: /^201/ })
  await heading(phone, 'Payment failed')
  t.match(await run('publishSuccess'), { answer: /^201/ })
  await heading(phone, 'Paid')
  t.match(await run('getServerStatus'), { answer: /^200/ })
  t.equal(await desk.locator('[data-name="createRoomToken"]').count(), 0, 'a server without tokens has no request for one')

  await desk.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await desk.locator('[data-name="getRoom"]').getByRole('button', { name: 'Copy' }).click()
  t.equal(await desk.evaluate('navigator.clipboard.readText()'), `curl ${origin}/api/rooms/${room}`)

  t.match(await run('closeRoom'), { answer: '204' })
  await desk.locator('#status1[data-status="closed"]').waitFor()
  t.match((await notes(desk)).at(-1), 'The room has ended: closed.')
  await desk.locator('#new').click()
  await desk.locator('#status1[data-status="online"]').waitFor()
  t.strictSame(await timeline(desk), [], 'a new payment begins with an empty timeline')
  t.strictSame(lines, [])
})

t.test('With keys and tokens the page asks for the key, and the link carries the token where no server sees it', needsChromium, async (t) => {
  const { desk, openPhone, requested, lines, logs } = await withKeys(t)
  await desk.locator('#key-field').fill('wrong')
  await desk.keyboard.press('Enter')
  await desk.getByText('The server rejected this key.').waitFor()
  await desk.locator('#key-field').fill('a-key')
  await desk.keyboard.press('Enter')
  const link = new URL(await linkOf(desk))
  const token = new URLSearchParams(link.hash.slice(1)).get('token')!
  t.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  t.equal(link.search, '')
  t.ok(await desk.locator('#key').isHidden())

  t.equal(await scan(desk), link.href, 'a camera reads the same link')

  const phone = await openPhone()
  await fillIn(phone)
  await phone.locator('#pay').click()
  await phone.locator('#approve').click()
  await phone.getByText('This server accepts the result only from a backend').waitFor()
  await desk.locator('[data-name="publishSuccess"] summary').click()
  t.match(await desk.locator('[data-name="publishSuccess"] .curl').innerText(), '-H "Authorization: Bearer $KEY"')
  await desk.locator('[data-name="publishSuccess"] .primary').click()
  await heading(phone, 'Paid')
  await desk.locator('#steps', { hasText: 'confirmed by the backend' }).waitFor()
  t.ok(requested.length > 20)
  t.strictSame(requested.filter((url) => url.split('#')[0]!.includes(token)), [], 'no requested address holds the token')
  t.notOk(JSON.stringify(logs).includes(token))

  await desk.locator('#open').click()
  await heading(desk.frameLocator('#phone iframe'), 'Paid')
  await desk.locator('[data-name="createRoomToken"] summary').click()
  await desk.locator('[data-name="createRoomToken"] .primary').click()
  await desk.locator('[data-name="createRoomToken"] .answer', { hasText: '201' }).waitFor()
  await until('the link has the new token', async () => (await desk.getAttribute('#link', 'href')) !== link.href)
  const renewed = await linkOf(desk)
  await until('the phone on the desk has the new token, too', () => desk.frames().some((frame) => frame.url() === renewed))
  await heading(desk.frameLocator('#phone iframe'), 'Paid')
  await desk.locator('#network1 [data-do="drop"]').click()
  await desk.locator('#status1[data-status="offline"]').waitFor()
  await desk.locator('#status1[data-status="online"]').waitFor()
  t.strictSame(lines.filter((line) => !/status of 401/.test(line)), [], 'the browser reports only the wrong key')
})

t.test('A link that is cut short or has another room\'s token is reported differently from a network failure', needsChromium, async (t) => {
  const { desk, open } = await withKeys(t)
  await desk.locator('#key-field').fill('a-key')
  await desk.keyboard.press('Enter')
  const link = await linkOf(desk)
  for (const broken of [link.split('#')[0]!, link.slice(0, -5), link.replace(/room=[^&]+/, 'room=another')]) {
    const phone = await open(broken, PHONE)
    await heading(phone, 'This link is no longer valid')
    await phone.getByText('It does not lead to a payment').waitFor()
    await phone.close()
  }
  await desk.locator('[data-name="closeRoom"] summary').click()
  const phone = await open(link, PHONE)
  await heading(phone, 'Your order')
  await desk.locator('[data-name="closeRoom"] .primary').click()
  await phone.getByText('The shop closed this payment.').waitFor()
})

/** Text that a camera reads from the QR code, in its size on the page. */
async function scan (desk: Page): Promise<string> {
  const { width, height, data } = await desk.locator('#qr').evaluate((image: any) => {
    const { width, height } = image
    const context = image.ownerDocument.createElement('canvas').getContext('2d')
    Object.assign(context.canvas, { width, height })
    context.fillStyle = '#fff'
    context.fillRect(0, 0, width, height)
    context.drawImage(image, 0, 0, width, height)
    return { width, height, data: [...context.getImageData(0, 0, width, height).data] as number[] }
  })
  return decodeQR({ width, height, data: Uint8Array.from(data) })
}

async function withKeys (t: Test) {
  const setup = await setUp(t, { API_KEYS: 'a-key', TOKEN_SECRET: 'x'.repeat(32), RESULTS_FROM: 'backend' })
  await setup.desk.getByLabel('This server requires an API key').waitFor()
  return setup
}
