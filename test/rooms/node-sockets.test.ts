// What is known of sockets from the inside is left alone where it is not as expected.
import { once } from 'node:events'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import t from 'tap'
import { acceptorOf, addressOfPeer, findStreamWrap, handleOf, isComplete, isKnown, isKnownHere, isTried, streamWrap, type Handle } from '../../src/rooms/node-sockets.js'
import { accepted } from './accepted.js'

t.test('this version of Node.js is one of those that were tried, and others are not', async (t) => {
  t.ok(isTried(process.versions.node))
  for (const version of ['120.0.0', '2.0.0', '19.9.0', '']) t.notOk(isTried(version), version)
  t.ok(isKnownHere)
})

t.test('a socket is known where it is connected, and of the common kind', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [socket] = await once(server, 'connection') as [Socket]
  t.teardown(() => peer.destroy())
  t.ok(isKnown(socket))
  t.ok(handleOf(socket))
  t.notOk(isKnown(socket, isTried('120.0.0')), 'on a version that nobody has tried')
  t.notOk(isKnown(new TLSSocket(socket)), 'one that encrypts')
  t.notOk(isKnown(new Socket()), 'one that is not connected')
  t.ok(acceptorOf(server)!.onconnection)
  socket.destroy()
  t.equal(handleOf(socket), undefined)
  server.close()
  t.equal(acceptorOf(server), undefined, 'of a server that does not listen')
})

t.test('a handle that lacks something is not as expected', async (t) => {
  const { handle } = await accepted(t)
  t.ok(isComplete(handle))
  for (const method of ['useUserBuffer', 'readStart', 'writeBuffer', 'shutdown', 'getpeername', 'setNoDelay', 'close']) {
    t.notOk(isComplete(Object.create(handle, { [method]: { value: undefined } }) as Handle), `without ${method}`)
  }
  for (const none of [null, undefined]) t.notOk(isComplete(none))
})

t.test('the address of a peer is for each its own, and none once it is gone', async (t) => {
  const [one, other] = [await accepted(t), await accepted(t, { localAddress: '127.0.0.2' })]
  t.equal(addressOfPeer(one.handle), '127.0.0.1')
  t.equal(addressOfPeer(other.handle), '127.0.0.2')
  t.equal(addressOfPeer(one.handle), '127.0.0.1')
  other.handle.close(() => {})
  t.equal(addressOfPeer(other.handle), undefined)
})

t.test('a part of Node.js that is missing, refused or another one is none', async (t) => {
  t.equal(findStreamWrap({ binding: () => { throw new Error('No such binding') } }), undefined)
  t.equal(findStreamWrap({} as unknown as Parameters<typeof findStreamWrap>[0]), undefined)
  t.ok(findStreamWrap({ binding: () => streamWrap! }))
  for (const lacking of Object.keys(streamWrap!)) t.equal(findStreamWrap({ binding: () => ({ ...streamWrap!, [lacking]: undefined }) }), undefined, `without ${lacking}`)
})
