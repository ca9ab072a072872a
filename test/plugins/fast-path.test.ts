// Setting FAST_PATH: the path of the sockets, as metrics and log show it.
import t from 'tap'
import { listen } from '../build.js'
import { Peer } from '../peer.js'

for (const [FAST_PATH, upgradesExpected] of [['auto', 0], ['off', 2]] as const) {
  t.test(`with FAST_PATH=${FAST_PATH}, ${upgradesExpected} of 2 sockets go through HTTP and ws`, async (t) => {
    const { app, logs, url } = await listen(t, { env: { FAST_PATH } })
    let upgrades = 0
    app.server.on('upgrade', () => { upgrades++ })
    const [shop, phone] = [await Peer.connect(t, url), await Peer.connect(t, url)]
    await shop.join('r')
    phone.send('PAYMENT_SUCCESS', { roomId: 'r', transactionId: 'tx' }, 'x')
    t.match(await shop.next('PAYMENT_SUCCESS'), { seq: 1 })
    await phone.next('ACK')
    t.equal(upgrades, upgradesExpected)
    t.match((await app.inject('/metrics')).body, new RegExp(`^wsp_fast_path ${Number(FAST_PATH === 'auto')}$`, 'm'))
    t.equal(logs.filter(({ msg }) => msg.startsWith('the fast path is off')).length, Number(FAST_PATH === 'off'), 'the log names the slow path only when it is used')
  })
}

t.test('no hook of the server itself keeps sockets from the fast path', async (t) => {
  const { app, logs } = await listen(t, {
    env: { TRUST_PROXY: 'loopback', API_KEYS: 'a-key-of-many-characters', REQUESTS_PER_SECOND: '5', ALLOWED_ORIGINS: 'https://shop.example', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }
  })
  const { body } = await app.inject({ url: '/metrics', headers: { authorization: 'Bearer a-key-of-many-characters' } })
  t.match(body, /^wsp_fast_path 1$/m)
  t.strictSame(logs.filter(({ msg }) => msg.startsWith('the fast path is off')), [])
})
