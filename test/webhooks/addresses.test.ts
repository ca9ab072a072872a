// Addresses that webhooks may be sent to, in all the ways in which a URL can name one.
import type { LookupAddress } from 'node:dns'
import http from 'node:http'
import t, { type Test } from 'tap'
import { isPublic, literalIn } from '../../src/webhooks/addresses.js'
import { destinationFault } from '../../src/webhooks/destination.js'
import { HttpPost, type Answer } from '../../src/webhooks/http-post.js'
import { startReceiver } from './receiver.js'

const PUBLIC = ['8.8.8.8', '203.0.114.1', '2606:4700:4700::1111', '::ffff:8.8.8.8']

const PRIVATE = [
  '127.0.0.1', '127.255.255.254', '0.0.0.0', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '192.0.0.1', '192.0.2.1', '192.88.99.1',
  '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255',
  '::', '::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'fc00::1', 'fd12:3456::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '::127.0.0.1', '::7f00:1',
  '::ffff:0:127.0.0.1', '64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::1', '2002:7f00:1::', '2001::1', '2001:db8::1', '100::1', '3fff::1', '4000::1', 'not an address', ''
]

/** Hosts of URLs that the parser turns into an address. */
const SPELLINGS: Record<string, string> = {
  2130706433: '127.0.0.1',
  '0x7f000001': '127.0.0.1',
  '0x7f.1': '127.0.0.1',
  '0177.0.0.1': '127.0.0.1',
  '017700000001': '127.0.0.1',
  127.1: '127.0.0.1',
  '127.0.1': '127.0.0.1',
  '127.0.0.1.': '127.0.0.1',
  '１２７.0.0.1': '127.0.0.1',
  0: '0.0.0.0',
  '0xa9fea9fe': '169.254.169.254',
  2852039166: '169.254.169.254',
  '[::ffff:169.254.169.254]': '::ffff:a9fe:a9fe',
  '[::FFFF:7F00:1]': '::ffff:7f00:1',
  '[0:0:0:0:0:0:0:1]': '::1'
}

t.test('public addresses pass, and all others are refused', async (t) => {
  for (const address of PUBLIC) t.ok(isPublic(address), address)
  for (const address of PRIVATE) t.notOk(isPublic(address), address)
})

t.test('every spelling of a private address is refused, in a setting and when it is dialled', async (t) => {
  const post = new HttpPost({ allowPrivate: false, resolve: async () => t.fail('no name is looked up') as never })
  t.teardown(() => post.close())
  for (const [host, address] of Object.entries(SPELLINGS)) {
    t.equal(literalIn(new URL(`https://${host}/`)), address, host)
    t.equal(destinationFault(`https://${host}:8443/hook`, false), 'must not be an address of a private network', host)
    t.strictSame(await post.send(new URL(`http://${host}/`), {}, ''), { error: 'private_address' }, host)
  }
  for (const name of ['https://shop.example/', 'https://localhost/', 'https://127.0.0.1.nip.example/']) t.equal(destinationFault(name, false), undefined, `${name} is a name`)
  t.equal(destinationFault('http://10.0.0.1/', true), undefined)
})

/** Sends to a name, with a resolver of the test. @returns the answer, and the names that were looked up */
async function sendTo (t: Test, url: string, addresses: Record<string, string[][]>, allowPrivate = false): Promise<{ answer: Answer, asked: string[] }> {
  const asked: string[] = []
  const resolve = async (name: string): Promise<LookupAddress[]> => {
    asked.push(name)
    return (addresses[name]?.shift() ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  }
  const post = new HttpPost({ allowPrivate, resolve })
  t.teardown(() => post.close())
  return { answer: await post.send(new URL(url), { 'webhook-id': 'x' }, '{}'), asked }
}

t.test('a name is refused if one of its addresses is private', async (t) => {
  const cases: Record<string, string[]> = {
    'localhost.': ['127.0.0.1'], localhost: ['::1', '127.0.0.1'], 'metadata.example': ['169.254.169.254'], 'mixed.example': ['8.8.8.8', '10.0.0.1'], 'mapped.example': ['::ffff:10.0.0.1'], 'none.example': []
  }
  for (const [name, addresses] of Object.entries(cases)) {
    t.strictSame(await sendTo(t, `http://${name}/`, { [name]: [addresses] }), { answer: { error: 'private_address' }, asked: [name] }, name)
  }
})

t.test('the address that was checked is the one that is dialled: a name is resolved once', async (t) => {
  const receiver = await startReceiver(t)
  // A second look-up would give the address of the receiver, which is private.
  const changing = await sendTo(t, `http://rebind.example:${receiver.port}/`, { 'rebind.example': [['10.255.255.1'], ['127.0.0.1']] })
  t.strictSame(changing, { answer: { error: 'private_address' }, asked: ['rebind.example'] })
  // With private addresses allowed, the first answer is dialled, and no other is asked for.
  const allowed = await sendTo(t, `http://rebind.example:${receiver.port}/`, { 'rebind.example': [['127.0.0.1'], ['10.255.255.1']] }, true)
  t.strictSame(allowed, { answer: { status: 401, retryAfter: undefined }, asked: ['rebind.example'] })
  t.equal(receiver.refused(), 1)
})

t.test('a redirect to another address is not followed', async (t) => {
  let visited = false
  const inner = await new Promise<http.Server>((resolve) => { const server = http.createServer(() => { visited = true }).listen(0, '127.0.0.1', () => resolve(server)) })
  t.teardown(() => { inner.close() })
  const outer = await new Promise<http.Server>((resolve) => {
    const server = http.createServer((_request, response) => response.writeHead(307, { location: `http://127.0.0.1:${(inner.address() as { port: number }).port}/` }).end()).listen(0, '127.0.0.1', () => resolve(server))
  })
  t.teardown(() => { outer.close() })
  const { answer } = await sendTo(t, `http://shop.example:${(outer.address() as { port: number }).port}/`, { 'shop.example': [['127.0.0.1']] }, true)
  t.strictSame(answer, { status: 307, retryAfter: undefined })
  t.notOk(visited)
})
