// One session: a bug while it reads costs one answer and neither the socket nor the process, and a closing socket gets no further frames.
import t from 'tap'
import { MemoryBroker } from '../../src/broker/memory/memory-broker.js'
import { CLOSE } from '../../src/errors.js'
import { Metrics } from '../../src/metrics/metrics.js'
import { Rooms } from '../../src/rooms/rooms.js'
import { FrameDispatcher } from '../../src/sessions/frame-dispatcher.js'
import { SocketSession } from '../../src/sessions/socket-session.js'
import { payloadOf } from '../../src/websocket/frame-writer.js'
import { Transport } from '../../src/websocket/transport.js'

/** A session on a socket of the test, and all its output: messages, and pings as an empty text. */
function setUp (): { session: SocketSession, receive: (bytes: Buffer) => void, sent: string[], failed: unknown[], closed: number[] } {
  const clocks = { now: () => 1000, monotonic: () => 1000 }
  const failed: unknown[] = []
  const log = { level: 'info', debug: () => {}, info: () => {}, warn: () => {}, error: (fields: object) => { failed.push(fields) } }
  const metrics = new Metrics()
  const broker = new MemoryBroker({ logSize: 10, retention: 1000, ...clocks, newEpoch: () => 'e' })
  const rooms = new Rooms({ broker, metrics, log, ...clocks, maxMembers: 5, maxRoomsPerSocket: 5, maxPayers: 0, isOpen: true, presenceGrace: 0, resultsFrom: 'any' })
  const transport = new Transport(clocks)
  const { batch } = transport
  const sent: string[] = []
  const handle = {
    writeBuffer: (_request: unknown, bytes: Uint8Array) => {
      sent.push(String(payloadOf(bytes)))
      return 0
    },
  }
  const closed: number[] = []
  const socket = { isPaused: false, pause: () => {}, resume: () => {}, close: (code: number) => { closed.push(code) } }
  const session = new SocketSession({ clientId: 'client_1', address: '192.0.2.1', socket, connection: { handle, writableLength: 0, openStream: () => undefined } }, {
    rooms,
    metrics,
    log,
    transport,
    dispatcher: new FrameDispatcher({ rooms, metrics, log, batch, ...clocks, verify: undefined }),
    ...clocks,
    maxOutboxBytes: 1_000_000,
    messageRates: undefined,
    joinTimeout: undefined
  })
  return { session, receive: (bytes) => batch.run(() => session.onMessage(bytes, 0, bytes.length, batch)), sent, failed, closed }
}

t.test('a bug while bytes are read is answered with INTERNAL and logged once, and the next frame is handled', async (t) => {
  const { receive, sent, failed, closed } = setUp()
  receive(new Proxy(Buffer.alloc(1), { get (bytes, key) { if (key === 'length') return bytes.length; throw new Error('a bug') } }))
  receive(Buffer.from('{"type":"PING","payload":{}}'))
  t.match(sent.map((text) => JSON.parse(text)), [{ type: 'ERROR', payload: { code: 'INTERNAL' } }, { type: 'PONG' }])
  t.match(failed, [{ err: { message: 'a bug' }, clientId: 'client_1' }])
  t.strictSame([failed.length, closed], [1, []])
})

t.test('a socket that its client has closed is neither pinged nor closed by the server', async (t) => {
  const { session, sent, closed } = setUp()
  session.ping(1)
  await new Promise<void>((resolve) => { process.nextTick(resolve) })
  t.strictSame([sent, session.unansweredPing], [[''], 1])
  session.onClosing()
  session.ping(2)
  session.close(CLOSE.NO_PONG)
  await new Promise<void>((resolve) => { process.nextTick(resolve) })
  t.strictSame([sent, session.isClosedByServer, closed], [[''], false, []])
})

t.test('a socket is closed once, for the first reason', async (t) => {
  const { session, closed } = setUp()
  session.close(CLOSE.RESTARTING)
  session.close(CLOSE.NO_PONG)
  t.strictSame([closed, session.isClosedByServer], [[1012], true])
})

t.test('an error about a message whose id cannot be repeated tells its number on the socket', async (t) => {
  const { receive, sent } = setUp()
  const event = (id: unknown) => Buffer.from(JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: 'r', deviceId: 'd' }, id }))
  for (const id of ['a', 'b 4111 1111 1111 1111 visa card', 'ç', 7, null, 'x'.repeat(65), 'a']) receive(event(id))
  receive(Buffer.from('{"type":"NONSENSE","id":"c"}'))
  receive(Buffer.from('{"type":"NONSENSE"}'))
  receive(Buffer.from('['))
  const answers = sent.map((text) => JSON.parse(text)).map(({ type, payload: { id, number } }) => [type, id, number])
  t.strictSame(answers, [
    ['ACK', 'a', undefined], ...[2, 3, 4, 5, 6].map((number) => ['ERROR', undefined, number]), ['ACK', 'a', undefined],
    ['ERROR', 'c', undefined], ['ERROR', undefined, undefined], ['ERROR', undefined, undefined]
  ])
  t.notMatch(sent.join(''), /4111/)
})
