// Router constraint for WebSocket upgrades: the requests that count as upgrades, and the routes that they reach.
import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { strictUpgradeConstraint, upgradeConstraint } from '../../src/http/upgrade-constraint.js'

t.test('a WebSocket upgrade is a request with both headers, in any spelling', async (t) => {
  const derived = (headers: IncomingHttpHeaders, httpVersion = '1.1') => upgradeConstraint.deriveConstraint({ httpVersion, headers })
  for (const headers of [
    { upgrade: 'websocket', connection: 'Upgrade' }, { upgrade: 'WebSocket', connection: 'upgrade' }, { upgrade: 'WEBSOCKET', connection: 'keep-alive, Upgrade' },
    { upgrade: 'websocket', connection: 'UPGRADE,keep-alive' }, { upgrade: 'h2c, websocket', connection: 'Upgrade' }, { upgrade: 'websocket ,h2c', connection: 'Upgrade' }
  ]) t.equal(derived(headers), 'websocket', JSON.stringify(headers))
  for (const headers of [
    {}, { upgrade: 'websocket' }, { connection: 'Upgrade' }, { upgrade: '', connection: 'Upgrade' }, { upgrade: 'websocket', connection: 'keep-alive' },
    { upgrade: 'websocket', connection: 'close' }, { upgrade: 'websocket', connection: 'upgraded' }, { upgrade: 'websocket', connection: '' }
  ]) t.equal(derived(headers), undefined, JSON.stringify(headers))
  for (const upgrade of ['h2c', 'TLS/1.0', 'HTTP/2.0, SHTTP/1.3', 'websocket/13', 'websockets', 'web socket', ',', '__proto__']) {
    t.equal(derived({ upgrade, connection: 'Upgrade' }), undefined, `${upgrade}: another protocol does not match`)
  }
  t.equal(derived({ upgrade: 'websocket', connection: 'Upgrade' }, '1.0'), undefined, 'HTTP/1.0 has no upgrades')
})

t.test('the router finds a route under its own kind of upgrade and no other', async (t) => {
  const routes = upgradeConstraint.storage<string>()
  routes.set('websocket', 'the socket')
  t.equal(routes.get('websocket'), 'the socket')
  for (const kind of ['h2c', '', 'toString', '__proto__']) t.equal(routes.get(kind), null, kind)
  t.equal(upgradeConstraint.storage<string>().get('websocket'), null, 'each router has its own constraint')
  t.match(upgradeConstraint, { name: 'upgrade', mustMatchWhenDerived: false })
  t.match(strictUpgradeConstraint, { name: 'upgrade', mustMatchWhenDerived: true })
  t.equal(upgradeConstraint.validate(), true)
})
