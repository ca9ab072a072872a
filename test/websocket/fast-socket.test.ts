// A socket that is a connection and a reader, until there is something for ws: then ws has the connection, in the state that it is in.
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { ClosingSockets } from '../../src/websocket/closing-sockets.js'
import { FastWebSocket, type SocketListener } from '../../src/websocket/fast-socket.js'
import { RawConnection } from '../../src/websocket/node/raw-connection.js'
import { CLOSE, closing, fragments, frame } from '../e2e/hostile/raw.js'
import { until } from '../until.js'
import { accepted } from './accepted.js'
import { newTransport } from './transport.js'

type Adopting = new (address: null, protocols: undefined, options: object) => WebSocket & { setSocket: (network: Socket, head: Buffer, options: object) => void }

interface Pair { socket: FastWebSocket<SocketListener>, connection: RawConnection, peer: Socket, heard: string[], answers: Buffer[], adopted: WebSocket[] }

/** A connection, the plain socket on it, and all that is heard: past ws, by ws, and of its end. */
async function pair (t: Test): Promise<Pair> {
  const { handle, peer } = await accepted(t)
  const sockets = new WebSocketServer({ noServer: true, closeTimeout: 200 } as object)
  const answers: Buffer[] = []
  peer.on('data', (bytes) => answers.push(bytes))
  const heard: string[] = []
  const adopted: WebSocket[] = []
  const connection = new RawConnection(handle, { onData: () => t.fail('heard by nobody'), onClose: () => {} })
  const socket = new FastWebSocket<SocketListener>(connection, {
    maxBytes: 1000,
    transport: newTransport(),
    adopt: (_socket, network) => {
      const { options } = sockets
      const ws = new (WebSocket as unknown as Adopting)(null, undefined, options)
      ws.on('message', (data) => heard.push(`ws: ${String(data)}`)).on('close', (code) => heard.push(`ws: closed ${code}`)).on('error', () => {})
      ws.setSocket(network, Buffer.alloc(0), options)
      adopted.push(ws)
      return ws
    },
    onClose: (_socket, code) => { heard.push(`closed ${code}`) },
    closing: new ClosingSockets()
  })
  const receiver: SocketListener = {
    onMessage: (bytes, start, end) => heard.push(bytes.toString('utf8', start, end)),
    onPing: (data) => heard.push(`ping ${String(data)}`),
    onPong: () => heard.push('pong'),
    onClosing: () => heard.push('closing')
  }
  socket.start(receiver, frame('behind the handshake'))
  return { socket, connection, peer, heard, answers, adopted }
}

t.test('plain messages are heard without ws, and not while it is paused; its end is a close without a code', async (t) => {
  const { socket, connection, peer, heard, adopted } = await pair(t)
  t.equal(socket.isPaused, false)
  t.strictSame(heard.splice(0), ['behind the handshake'])
  peer.write(frame('a'))
  await until('a is heard', () => heard.length === 1)
  socket.pause()
  t.ok(socket.isPaused)
  peer.write(frame('b'))
  await sleep(50)
  t.strictSame(heard, ['a'])
  socket.resume()
  t.notOk(socket.isPaused)
  peer.end(frame('c'))
  await until('it is over', () => heard.includes('closed 1006'))
  t.strictSame(heard, ['a', 'b', 'c', 'closed 1006'])
  t.ok(connection.destroyed)
  socket.close(1000, '')
  t.strictSame(adopted, [], 'nothing is left to be closed')
})

t.test('a connection that is cut is a close without a code, and no error', async (t) => {
  const { peer, heard, adopted } = await pair(t)
  peer.resetAndDestroy()
  await until('it is over', () => heard.includes('closed 1006'))
  t.strictSame(adopted, [])
})

t.test('it is closed by ws, which waits for the answer and then for no longer than it may', async (t) => {
  const { socket, peer, heard, answers, adopted } = await pair(t)
  heard.length = 0
  socket.close(4001, 'no pong')
  socket.close(4002, 'again')
  t.equal(adopted.length, 1)
  t.equal(adopted[0]!.readyState, WebSocket.CLOSING)
  await until('the close frame has come', () => answers.length > 0)
  t.strictSame(Buffer.concat(answers), Buffer.concat([Buffer.from([0x88, 9]), closing(4001, 'no pong')]))
  peer.write(frame(closing(4001), { opcode: CLOSE }))
  await until('it is over', () => heard.length > 0)
  t.strictSame(heard, ['ws: closed 4001'])
  t.equal(adopted[0]!.readyState, WebSocket.CLOSED)

  const silent = await pair(t)
  silent.socket.close(1012, 'restarting')
  await until('it is over', () => silent.heard.includes('ws: closed 1006'))
})

t.test('a peer that says goodbye is answered in its own words, and is gone without ws', async (t) => {
  for (const [code, data] of [[1001, closing(1001)], [4000, closing(4000, 'até logo')], [1005, Buffer.alloc(0)]] as const) {
    const { socket, peer, heard, answers, adopted } = await pair(t)
    heard.length = 0
    peer.write(Buffer.concat([frame('the last'), frame(data, { opcode: CLOSE })]))
    await until('it is over for both', () => peer.readableEnded && heard.includes(`closed ${code}`))
    t.strictSame(heard, ['the last', 'closing', `closed ${code}`])
    t.strictSame(Buffer.concat(answers), Buffer.concat([Buffer.from([0x88, data.length]), data]))
    socket.close(1012, 'restarting')
    t.strictSame(adopted, [])
  }
})

t.test('a goodbye with something behind it, one that may not be, and one of a peer that was behind are for ws', async (t) => {
  const goodbye = frame(closing(1001), { opcode: CLOSE })
  const behind = await pair(t)
  behind.peer.write(Buffer.concat([goodbye, frame('behind it')]))
  const strange = await pair(t)
  strange.peer.write(frame(closing(1005), { opcode: CLOSE }))
  const slow = await pair(t)
  slow.connection.openStream()
  slow.peer.write(goodbye)
  for (const [{ heard, adopted }, code] of [[behind, 1001], [strange, 1006], [slow, 1001]] as const) {
    await until('it is over', () => heard.length > 1)
    t.equal(adopted.length, 1)
    t.strictSame(heard, ['behind the handshake', `ws: closed ${code}`])
  }
})

t.test('from the first byte that is not plain, ws reads, also what is plain', async (t) => {
  const { peer, heard, adopted } = await pair(t)
  heard.length = 0
  peer.write(Buffer.concat([frame('plain'), ...fragments([Buffer.from('in '), Buffer.from('two')]), frame('behind it')]))
  await until('all is heard', () => heard.length === 3)
  for (const text of ['later', 'and later']) {
    peer.write(frame(text))
    await until('it is heard', () => heard.at(-1) === `ws: ${text}`)
  }
  t.strictSame(heard, ['plain', 'ws: in two', 'ws: behind it', 'ws: later', 'ws: and later'])
  t.equal(adopted.length, 1)
  peer.write(frame(closing(1001), { opcode: CLOSE }))
  await until('it is over', () => heard.at(-1) === 'ws: closed 1001')
})

t.test('ws takes over a socket that is paused as one, and pauses and resumes it from then on', async (t) => {
  const { socket, connection, peer, heard, adopted } = await pair(t)
  heard.length = 0
  socket.pause()
  socket.onUnsupported(fragments([Buffer.from('a'), Buffer.from('b')])[0]!)
  t.strictSame([adopted[0]!.isPaused, socket.isPaused, connection.isPaused], [true, true, true])
  peer.write(fragments([Buffer.from('a'), Buffer.from('b')])[1]!)
  await sleep(50)
  t.strictSame(heard, [])
  socket.resume()
  await until('it is heard', () => heard.length > 0)
  t.strictSame(heard, ['ws: ab'])
  socket.pause()
  t.ok(adopted[0]!.isPaused)
})
