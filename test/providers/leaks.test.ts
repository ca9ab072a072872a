// Bodies and secrets of webhooks: nothing of them is in the log, for deliveries that are taken, refused, forged or broken.
import t from 'tap'
import { API_KEY, FORMATS, PAYLOAD, search, start } from '../log-marks.js'
import { until } from '../until.js'
import { ROOM } from './bodies.js'
import { fakeApi, mercadopago, senders, settingsOf } from './senders.js'

/** Puts marks into a message: free text, names, and keys that are not read. */
const marked = (message: object): object => JSON.parse(JSON.stringify(message)
  .replace(/"(?:description|reason|infoPagador|client_secret|paymentMethod|message)":"[^"]*"/g, (pair) => `${pair.split(':')[0]}:"${PAYLOAD.email} ${PAYLOAD.cpf}"`)
  .replace(/^\{/, `{"buyer":${JSON.stringify(PAYLOAD)},`)) as object

for (const NODE_ENV of FORMATS) {
  t.test(`${NODE_ENV}: webhooks leave no mark in the log`, async (t) => {
    const api = await fakeApi(t)
    const all = [...(await senders(t)).filter(({ name }) => name !== 'mercadopago'), mercadopago(api)]
    const server = await start(t, { NODE_ENV, ...Object.assign({}, ...all.map(settingsOf)) as Record<string, string> })
    const post = async ({ url, payload, headers }: ReturnType<typeof all[0]['deliver']>) => (await fetch(server.http + url, { method: 'POST', headers, body: payload })).status
    const key = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' }
    for (const sender of all) {
      const messages = [sender.paid, sender.refunded, sender.pending ?? sender.paid, sender.disputed?.message ?? sender.paid]
      for (const message of messages) t.equal(await post(sender.deliver(marked(message))), 200, sender.name)
      t.ok([400, 401].includes(await post(sender.deliver(marked(sender.paid), { secret: sender.secrets[1] }))), `${sender.name}: another secret`)
      t.equal(await post(sender.deliver(marked(sender.paid), { raw: `{"x":"${PAYLOAD.email}` })), 400, `${sender.name}: no JSON`)
      t.equal(await post(sender.deliver(marked(sender.paid), { raw: `{"x":"${PAYLOAD.email.repeat(40_000)}"}` })), 413, `${sender.name}: too large`)
    }
    api.answer = (_request, response) => response.writeHead(401).end(JSON.stringify(PAYLOAD))
    const stranger = all.at(-1)!
    t.equal(await post(stranger.deliver(marked(stranger.paid))), 503)
    api.answer = undefined
    await fetch(`${server.http}/api/rooms/${ROOM}`, { method: 'DELETE', headers: key })
    for (const sender of all) t.equal(await post(sender.deliver(marked(sender.paid))), 422, sender.name)
    await until('the refusals are logged', () => server.output().split('result of a provider refused').length > all.length)
    search(t, server, all.flatMap(({ secrets, env }) => [...secrets, env?.MERCADOPAGO_ACCESS_TOKEN ?? secrets[0]]))
  })
}
