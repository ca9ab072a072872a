// Connections as a server accepts them, before a stream is made.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'
import { acceptorOf, isTcpHandle, type Handle } from '../../src/websocket/node/internals.js'

/** Returns the handle of the next connection that a listening server accepts, before any other listener. */
export function nextHandle (server: Server, see: (handle: Handle) => void = () => {}): Promise<Handle> {
  const acceptor = acceptorOf(server)!
  const { onconnection } = acceptor
  return new Promise((resolve, reject) => {
    acceptor.onconnection = (error, handle) => {
      acceptor.onconnection = onconnection
      if (isTcpHandle(handle)) {
        see(handle)
        resolve(handle)
      } else {
        reject(new Error('The handle is not that of a TCP connection.'))
      }
      onconnection!.call(acceptor, error, handle)
    }
  })
}

/** Returns both ends of a connection. The accepted end is not read yet, so a reset is noticed only by a write or after reading starts. */
export async function accepted (t: Pick<Test, 'teardown'>, from: { localAddress?: string } = {}): Promise<{ handle: Handle, peer: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const handles = new Promise<Handle>((resolve, reject) => {
    acceptorOf(server)!.onconnection = (_error, handle) => {
      if (isTcpHandle(handle)) resolve(handle)
      else reject(new Error('The handle is not that of a TCP connection.'))
    }
  })
  const peer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ...from }).setNoDelay().on('error', () => {})
  const handle = await handles
  t.teardown(() => {
    peer.destroy()
    handle.close(() => {})
    server.close()
  })
  return { handle, peer }
}
