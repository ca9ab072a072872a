// Socket on a raw connection and a reader, until a frame needs ws: then ws takes over the connection in its current state.
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { ClosingSockets } from '../../src/websocket/closing-sockets.js'
import { FastWebSocket, type SocketListener } from '../../src/websocket/fast-socket.js'
import { FrameParser } from '../../src/websocket/frame-parser.js'
import { RawConnection } from '../../src/websocket/node/raw-connection.js'
import { CLOSE, closing, fragments, frame } from '../e2e/hostile/raw.js'
import { until } from '../until.js'
import { accepted } from './accepted.js'
import { newTransport } from './transport.js'

type Adopting = new (address: null, protocols: undefined, options: object) => WebSocket & { setSocket: (network: Socket, head: Buffer, options: object) => void }

interface Pair { socket: FastWebSocket<SocketListener>, connection: RawConnection, peer: Socket, received: string[], answers: Buffer[], adopted: WebSocket[] }

/**
 * Creates a connection, the plain socket on it, and a record of all events: past ws, by ws, and of its end.
 * @param closeTimeout time for the answer to a close, ms; the default is more than a busy machine needs
 */
async function pair (t: Test, closeTimeout = 20_000): Promise<Pair> {
  const { handle, peer } = await accepted(t)
  const sockets = new WebSocketServer({ noServer: true, closeTimeout } as object)
  const answers: Buffer[] = []
  peer.on('data', (bytes) => answers.push(bytes))
  const received: string[] = []
  const adopted: WebSocket[] = []
  const connection = new RawConnection(handle, { onData: () => t.fail('data without a receiver'), onClose: () => {} })
  const socket = new FastWebSocket<SocketListener>(connection, {
    parser: new FrameParser({ maxBytes: 1000, transport: newTransport() }),
    adopt: (_socket, network) => {
      const { options } = sockets
      const ws = new (WebSocket as unknown as Adopting)(null, undefined, options)
      ws.on('message', (data) => received.push(`ws: ${String(data)}`)).on('close', (code) => received.push(`ws: closed ${code}`)).on('error', () => {})
      ws.setSocket(network, Buffer.alloc(0), options)
      adopted.push(ws)
      return ws
    },
    onClose: (_socket, code) => { received.push(`closed ${code}`) },
    closing: new ClosingSockets()
  })
  const receiver: SocketListener = {
    onMessage: (bytes, start, end) => received.push(bytes.toString('utf8', start, end)),
    onPing: (data) => received.push(`ping ${String(data)}`),
    onPong: () => received.push('pong'),
    onClosing: () => received.push('closing')
  }
  socket.start(receiver, frame('behind the handshake'))
  return { socket, connection, peer, received, answers, adopted }
}

/** True once ws has told the end of the connection: 'closing' may come a while before. */
const isClosed = (received: readonly string[]): boolean => received.some((event) => event.startsWith('ws: closed'))

t.test('plain messages arrive without ws, and not while the socket is paused; the end of the connection is a close without a code', async (t) => {
  const { socket, connection, peer, received, adopted } = await pair(t)
  t.equal(socket.isPaused, false)
  t.strictSame(received.splice(0), ['behind the handshake'])
  peer.write(frame('a'))
  await until('a arrived', () => received.length === 1)
  socket.pause()
  t.ok(socket.isPaused)
  peer.write(frame('b'))
  await sleep(50)
  t.strictSame(received, ['a'])
  socket.resume()
  t.notOk(socket.isPaused)
  peer.end(frame('c'))
  await until('the socket is closed', () => received.includes('closed 1006'))
  t.strictSame(received, ['a', 'b', 'c', 'closed 1006'])
  t.ok(connection.destroyed)
  socket.close(1000, '')
  t.strictSame(adopted, [], 'no socket is left to close')
})

t.test('a connection that is cut is a close without a code, and no error', async (t) => {
  const { peer, received, adopted } = await pair(t)
  peer.resetAndDestroy()
  await until('the socket is closed', () => received.includes('closed 1006'))
  t.strictSame(adopted, [])
})

t.test('a close by the server goes through ws, which waits for the answer until its timeout', async (t) => {
  const { socket, peer, received, answers, adopted } = await pair(t)
  received.length = 0
  socket.close(4001, 'no pong')
  socket.close(4002, 'again')
  t.equal(adopted.length, 1)
  t.equal(adopted[0]!.readyState, WebSocket.CLOSING)
  const expected = Buffer.concat([Buffer.from([0x88, 9]), closing(4001, 'no pong')])
  await until('the close frame arrived', () => Buffer.concat(answers).length >= expected.length)
  t.strictSame(Buffer.concat(answers), expected)
  peer.write(frame(closing(4001), { opcode: CLOSE }))
  await until('the socket is closed', () => isClosed(received))
  t.strictSame(received, ['closing', 'ws: closed 4001'])
  t.equal(adopted[0]!.readyState, WebSocket.CLOSED)

  const silent = await pair(t, 200)
  silent.socket.close(1012, 'restarting')
  await until('the socket is closed', () => silent.received.includes('ws: closed 1006'))
})

t.test('a peer that closes receives its own close frame, without ws', async (t) => {
  for (const [code, data] of [[1001, closing(1001)], [4000, closing(4000, 'até logo')], [1005, Buffer.alloc(0)]] as const) {
    const { socket, peer, received, answers, adopted } = await pair(t)
    received.length = 0
    peer.write(Buffer.concat([frame('the last'), frame(data, { opcode: CLOSE })]))
    await until('both sides are closed', () => peer.readableEnded && received.includes(`closed ${code}`))
    t.strictSame(received, ['the last', 'closing', `closed ${code}`])
    t.strictSame(Buffer.concat(answers), Buffer.concat([Buffer.from([0x88, data.length]), data]))
    socket.close(1012, 'restarting')
    t.strictSame(adopted, [])
  }
})

t.test('ws handles a close with bytes after it, an invalid close, and a close of a peer that is behind', async (t) => {
  const goodbye = frame(closing(1001), { opcode: CLOSE })
  const behind = await pair(t)
  behind.peer.write(Buffer.concat([goodbye, frame('behind it')]))
  const strange = await pair(t)
  strange.peer.write(frame(closing(1005), { opcode: CLOSE }))
  const slow = await pair(t)
  slow.connection.openStream()
  slow.peer.write(goodbye)
  for (const [{ received, adopted }, code] of [[behind, 1001], [strange, 1006], [slow, 1001]] as const) {
    await until('the socket is closed', () => isClosed(received))
    t.equal(adopted.length, 1)
    t.strictSame(received.filter((what) => what !== 'closing'), ['behind the handshake', `ws: closed ${code}`])
  }
})

t.test('ws reads all frames from the first byte that is not plain', async (t) => {
  const { peer, received, adopted } = await pair(t)
  received.length = 0
  peer.write(Buffer.concat([frame('plain'), ...fragments([Buffer.from('in '), Buffer.from('two')]), frame('behind it')]))
  await until('all messages arrived', () => received.length === 3)
  for (const text of ['later', 'and later']) {
    peer.write(frame(text))
    await until('the message arrived', () => received.at(-1) === `ws: ${text}`)
  }
  t.strictSame(received, ['plain', 'ws: in two', 'ws: behind it', 'ws: later', 'ws: and later'])
  t.equal(adopted.length, 1)
  peer.write(frame(closing(1001), { opcode: CLOSE }))
  await until('the socket is closed', () => received.at(-1) === 'ws: closed 1001')
})

t.test('ws takes over a paused socket as paused, and pauses and resumes it from then on', async (t) => {
  const { socket, connection, peer, received, adopted } = await pair(t)
  received.length = 0
  socket.pause()
  socket.onUnsupported(fragments([Buffer.from('a'), Buffer.from('b')])[0]!)
  t.strictSame([adopted[0]!.isPaused, socket.isPaused, connection.isPaused], [true, true, true])
  peer.write(fragments([Buffer.from('a'), Buffer.from('b')])[1]!)
  await sleep(50)
  t.strictSame(received, [])
  socket.resume()
  await until('the message arrived', () => received.length > 0)
  t.strictSame(received, ['ws: ab'])
  socket.pause()
  t.ok(adopted[0]!.isPaused)
})
