// Internals of sockets: used only if they are as expected.
import { once } from 'node:events'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { constants } from 'node:os'
import { TLSSocket } from 'node:tls'
import t from 'tap'
import { acceptorOf, addressOfPeer, findInternals, handleOf, internals, isTcpHandle, hasKnownHandle, type Handle } from '../../../src/websocket/node/internals.js'
import { accepted } from '../accepted.js'
import { setReadLength } from '../read-length.js'

t.test('the handle of a socket is known if the socket is connected and of the common kind', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [socket] = await once(server, 'connection') as [Socket]
  t.teardown(() => peer.destroy())
  t.ok(hasKnownHandle(socket))
  t.ok(handleOf(socket))
  t.notOk(hasKnownHandle(new TLSSocket(socket)), 'a TLS socket')
  t.notOk(hasKnownHandle(new Socket()), 'an unconnected socket')
  t.ok(acceptorOf(server)!.onconnection)
  socket.destroy()
  t.equal(handleOf(socket), undefined)
  server.close()
  t.equal(acceptorOf(server), undefined, 'of a server that does not listen')
})

t.test('a handle that lacks a method is not as expected', async (t) => {
  const { handle } = await accepted(t)
  t.ok(isTcpHandle(handle))
  for (const method of ['useUserBuffer', 'readStart', 'writeBuffer', 'shutdown', 'getpeername', 'setNoDelay', 'close']) {
    t.notOk(isTcpHandle(Object.create(handle, { [method]: { value: undefined } }) as Handle), `without ${method}`)
  }
  for (const none of [null, undefined]) t.notOk(isTcpHandle(none))
})

t.test('each connection has its own peer address, and none once the peer is gone', async (t) => {
  const [one, other] = [await accepted(t), await accepted(t, { localAddress: '127.0.0.2' })]
  t.equal(addressOfPeer(one.handle), '127.0.0.1')
  t.equal(addressOfPeer(other.handle), '127.0.0.2')
  t.equal(addressOfPeer(one.handle), '127.0.0.1')
  other.handle.close(() => {})
  t.equal(addressOfPeer(other.handle), undefined)
})

t.test('the length of a read is known: bytes, none, the end, and several errors in a row', async (t) => {
  for (const length of [1, 65_536, 0, -4095, -constants.errno.ECONNRESET, -constants.errno.ETIMEDOUT, 5]) {
    setReadLength(length)
    t.equal(internals!.readLength(), length)
    t.equal(internals!.readLength(), length, 'the length can be read again')
  }
})

t.test('a connection that is cut makes no stack of an error, and the limit of stacks stays as it was', async (t) => {
  // As onread of net.Socket ends: it destroys the socket with an error.
  const stacks: Array<string | undefined> = []
  class Cut extends Socket {
    constructor (options: object) {
      super(options)
      const { handle } = options as { handle: { onread: () => void } }
      handle.onread = () => {
        const error = Object.assign(new Error('read ECONNRESET'), { errno: -104 })
        stacks.push(error.stack)
        this.destroy(error)
      }
    }
  }
  const { readLength } = findInternals(Cut)!
  const { stackTraceLimit } = Error
  t.teardown(() => { Error.stackTraceLimit = stackTraceLimit })
  Error.stackTraceLimit = 7
  t.equal(readLength(), -104)
  t.strictSame(stacks, ['Error: read ECONNRESET'])
  t.equal(Error.stackTraceLimit, 7)
})

t.test('the handle is unknown if a socket treats it in another way than expected', async (t) => {
  t.ok(findInternals())
  const others: Record<string, new (options: object) => Socket> = {
    'refuses a handle that is not its own': class extends Socket { constructor () { super(); throw new Error('not a handle') } },
    'ignores the handle': class extends Socket { constructor () { super(); this.on('error', () => {}) } override write () { return true } },
    'reads in another way': class extends Socket { constructor (options: object) { super({ ...options, handle: { ...(options as { handle: object }).handle } } as object) } },
    'passes another request': class extends Socket { override write () { return (this as unknown as { _handle: { writeBuffer: (request: object) => number } })._handle.writeBuffer({}) === 0 } },
    'writes in another way': class extends Socket { override write () { return true } },
    'ends in another way': class extends Socket { override _final (done: () => void) { done() } }
  }
  for (const [what, SocketClass] of Object.entries(others)) t.equal(findInternals(SocketClass), undefined, what)
})
