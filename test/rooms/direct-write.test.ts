// Bytes past the stream: they arrive whole and before what is written to the stream after them, and a socket that fails does so as it always did.
import { once } from 'node:events'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { canWriteDirectly, writeDirectly, type Outcome } from '../../src/rooms/direct-write.js'
import { isTried } from '../../src/rooms/node-sockets.js'
import { until } from '../until.js'

const OF_OTHER_VERSION = isTried('120.0.0')

/** Both ends of a connection, of which the accepted one does not read: so it learns of a reset when it writes. */
async function pair (t: Test): Promise<{ accepted: Socket, peer: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay()
  const [accepted] = await once(server, 'connection') as [Socket]
  t.teardown(() => {
    peer.destroy()
    accepted.destroy()
    server.close()
  })
  return { accepted, peer }
}

/** Writes to a peer that does not read, until something stays under way. @returns all that was written */
function fill (network: Socket, writer = { written: () => {} }): { text: string, outcomes: Set<Outcome> } {
  const outcomes = new Set<Outcome>()
  let text = ''
  for (let n = 0; n < 1_000 && !outcomes.has('under way'); n++) {
    const part = `${n} `.repeat(20_000)
    text += part
    outcomes.add(writeDirectly(network, Buffer.from(part), writer))
  }
  return { text, outcomes }
}

t.test('what the network takes at once is written, and arrives', async (t) => {
  const { accepted, peer } = await pair(t)
  t.ok(canWriteDirectly(accepted), 'this version of Node.js is one of those that were tried')
  const writer = { written: () => t.fail('it was written long ago') }
  for (const part of ['one ', 'two ', 'three']) t.equal(writeDirectly(accepted, Buffer.from(part), writer), 'written')
  t.equal(accepted.writableLength, 0)
  t.equal(accepted.bytesWritten, 13)
  accepted.end()
  t.equal(String(await buffer(peer)), 'one two three')
})

t.test('what a peer has no room for is under way, comes before what is written to the stream then, and its end is told', async (t) => {
  const { accepted, peer } = await pair(t)
  let written = 0
  const { text, outcomes } = fill(accepted, { written: () => { written++ } })
  t.strictSame([...outcomes], ['written', 'under way'])
  accepted.end(' and the end')
  t.equal(written, 0)
  const other = await pair(t)
  t.equal(writeDirectly(other.accepted, Buffer.from('x'), { written: () => t.fail('that was another one') }), 'written', 'nobody else has to wait')
  const heard = String(await buffer(peer))
  t.ok(heard === `${text} and the end`, `${heard.length} bytes`)
  t.equal(written, 1)
})

t.test('what is under way when the peer is gone ends the socket', async (t) => {
  for (const how of ['reset', 'destroyed'] as const) {
    const { accepted, peer } = await pair(t)
    t.ok(fill(accepted, { written: () => t.fail('nobody read it') }).outcomes.has('under way'))
    accepted.on('error', () => {})
    const closed = once(accepted, 'close')
    if (how === 'reset') peer.resetAndDestroy()
    else accepted.destroy()
    await closed
    t.equal(writeDirectly(accepted, Buffer.from('x'), { written: () => {} }), 'refused', how)
  }
})

t.test('a write that fails was not written: the stream fails with it as it always did', async (t) => {
  const { accepted, peer } = await pair(t)
  peer.resetAndDestroy()
  await until('the reset has come', () => writeDirectly(accepted, Buffer.from('x'), { written: () => {} }) === 'refused')
  t.notOk(accepted.destroyed)
  const failed = once(accepted, 'error') as Promise<[NodeJS.ErrnoException]>
  accepted.write('x')
  t.equal((await failed)[0].code, 'EPIPE')
  const other = await pair(t)
  t.equal(writeDirectly(other.accepted, Buffer.from('well'), { written: () => {} }), 'written', 'the next one is none the worse')
  other.accepted.end()
  t.equal(String(await buffer(other.peer)), 'well')
})

t.test('where it is not known how, it is not done', async (t) => {
  const { accepted } = await pair(t)
  t.notOk(canWriteDirectly(accepted, OF_OTHER_VERSION), 'a version that nobody has tried')
  const encrypted = new TLSSocket(new Socket())
  t.notOk(canWriteDirectly(encrypted), 'a socket of another kind')
  encrypted.destroy()
  t.notOk(canWriteDirectly(new Socket()), 'one that is not connected')
  const { _handle: handle } = accepted as unknown as { _handle: { writeBuffer: unknown } }
  handle.writeBuffer = undefined
  t.notOk(canWriteDirectly(accepted), 'one that cannot do it')
})
