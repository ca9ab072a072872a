// A session by itself: a bug while it reads costs one answer and neither the socket nor the process, and a socket that is closing is left alone.
import t from 'tap'
import type { WebSocket } from 'ws'
import { MemoryBroker } from '../../src/broker/memory/memory-broker.js'
import { CLOSE } from '../../src/errors.js'
import { Metrics } from '../../src/metrics/metrics.js'
import { Rooms } from '../../src/rooms/rooms.js'
import { SocketSession } from '../../src/sessions/socket-session.js'

/** A session on a socket of the test, and everything that the session sends. */
function session (socket: object): { session: SocketSession, sent: string[], failed: unknown[] } {
  const clocks = { now: () => 1000, monotonic: () => 1000 }
  const failed: unknown[] = []
  const log = { level: 'info', debug: () => {}, info: () => {}, warn: () => {}, error: (fields: object) => { failed.push(fields) } }
  const metrics = new Metrics()
  const broker = new MemoryBroker({ logSize: 10, retention: 1000, ...clocks, newEpoch: () => 'e' })
  const rooms = new Rooms({ broker, metrics, log, ...clocks, maxMembers: 5, maxRoomsPerSocket: 5, isOpen: true, presenceGrace: 0, resultsFrom: 'any' })
  const sent: string[] = []
  const whole = Object.assign(socket, { bufferedAmount: 0, isPaused: false, send: (text: string) => { sent.push(String(text)) }, ping: () => { sent.push('ping') } })
  const session = new SocketSession('client_1', whole as unknown as WebSocket, undefined, {
    rooms, metrics, log, ...clocks, maxOutboxBytes: 1_000_000, messageRates: undefined, verify: undefined, joinTimeout: 0
  })
  return { session, sent, failed }
}

t.test('a bug while bytes are read becomes INTERNAL, is logged once, and the next frame is taken', async (t) => {
  const { session: broken, sent, failed } = session({ readyState: 1, close: () => t.fail('closed') })
  broken.onMessage(new Proxy(Buffer.alloc(1), { get () { throw new Error('a bug') } }), 0, 1)
  broken.onMessage(Buffer.from('{"type":"PING","payload":{}}'))
  t.match(sent.map((text) => JSON.parse(text)), [{ type: 'ERROR', payload: { code: 'INTERNAL' } }, { type: 'PONG' }])
  t.match(failed, [{ err: { message: 'a bug' }, clientId: 'client_1' }])
  t.equal(failed.length, 1)
})

t.test('a socket that its client has closed is neither pinged nor closed by the server', async (t) => {
  const socket = { readyState: 1, close: () => t.fail('closed') }
  const { session: closing, sent } = session(socket)
  closing.ping(1)
  t.strictSame([sent, closing.unansweredPing], [['ping'], 1])
  socket.readyState = 2
  closing.ping(2)
  closing.close(CLOSE.NO_PONG)
  t.strictSame(sent, ['ping'])
  t.equal(closing.isClosedByServer, false)
})
