// What is known of sockets from the inside is left alone where it is not as expected.
import { once } from 'node:events'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import t from 'tap'
import { addressOfPeer, findStreamWrap, isKnown, isTried, streamWrap } from '../../src/rooms/node-sockets.js'

t.test('this version of Node.js is one of those that were tried, and others are not', async (t) => {
  t.ok(isTried(process.versions.node))
  for (const version of ['120.0.0', '2.0.0', '19.9.0', '']) t.notOk(isTried(version), version)
  t.ok(streamWrap)
})

t.test('a socket of another kind is not known', async (t) => {
  const socket = new Socket()
  t.ok(isKnown(socket))
  t.notOk(isKnown(socket, false))
  t.notOk(isKnown(new TLSSocket(socket)))
})

t.test('the address of a peer is what the socket says it is, for each its own, and none once it is gone', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const accepted = async (localAddress: string): Promise<Socket> => {
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', localAddress })
    t.teardown(() => client.destroy())
    return (await once(server, 'connection'))[0] as Socket
  }
  const [one, other] = [await accepted('127.0.0.1'), await accepted('127.0.0.2')]
  t.equal(addressOfPeer(one), '127.0.0.1')
  t.equal(addressOfPeer(other), '127.0.0.2')
  t.equal(addressOfPeer(one), one.remoteAddress)
  other.destroy()
  await once(other, 'close')
  t.equal(addressOfPeer(other), undefined)
  t.equal(addressOfPeer(new Socket()), undefined)
  const { remoteAddress } = one
  t.equal(addressOfPeer({ remoteAddress, _handle: {} } as unknown as Socket), remoteAddress, 'of a handle that does not say')
  t.equal(addressOfPeer({ _handle: { getpeername: () => -107 } } as unknown as Socket), undefined, 'of a peer that has just gone')
})

t.test('a part of Node.js that is missing, refused or another one is none', async (t) => {
  t.equal(findStreamWrap({ binding: () => { throw new Error('No such binding') } }), undefined)
  t.equal(findStreamWrap({} as unknown as Parameters<typeof findStreamWrap>[0]), undefined)
  t.ok(findStreamWrap({ binding: () => streamWrap! }))
  for (const lacking of Object.keys(streamWrap!)) t.equal(findStreamWrap({ binding: () => ({ ...streamWrap!, [lacking]: undefined }) }), undefined, `without ${lacking}`)
})
