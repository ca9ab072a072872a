// Messages of one socket whose answers take time: events overlap, everything else waits for its turn, and all answers keep the order of the messages.
import fc from 'fast-check'
import t from 'tap'
import { MemoryBroker } from '../../src/broker/memory/memory-broker.js'
import { Failure } from '../../src/errors.js'
import { Metrics } from '../../src/metrics/metrics.js'
import { Rooms } from '../../src/rooms/rooms.js'
import { FrameDispatcher } from '../../src/sessions/frame-dispatcher.js'
import { Inbox, INBOX_SIZE, MAX_IN_PROGRESS, type Arrival } from '../../src/sessions/inbox.js'
import { SocketSession } from '../../src/sessions/socket-session.js'
import { payloadOf } from '../../src/websocket/frame-writer.js'
import { Transport } from '../../src/websocket/transport.js'

const settled = () => new Promise<void>((resolve) => { setImmediate(resolve) })

/** An inbox of numbered messages, of which those in `overlapping` are events, and the order of all that happens. */
function setUpInbox (overlapping: (n: number) => boolean) {
  const happened: string[] = []
  const done = new Map<number, () => void>()
  const inbox = new Inbox({
    handle: ({ number }, before) => {
      happened.push(`begin ${number}`)
      const own = new Promise<void>((resolve) => { done.set(number, resolve) })
      return Promise.all([own, before]).then(() => { happened.push(`answer ${number}`) })
    },
    mayOverlap: ({ number }) => overlapping(number),
    onProgress: () => {},
    onBug: (error) => t.fail(String(error))
  })
  return { inbox, happened, done, push: (number: number) => inbox.push({ number } as Arrival) }
}

t.test('messages begin and are answered in their order, and only events overlap, however late the answers are', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), fc.array(fc.nat(11), { maxLength: 60 }), async (kinds, order) => {
    const { inbox, happened, done, push } = setUpInbox((n) => kinds[n]!)
    for (const n of kinds.keys()) push(n)
    for (const n of [...order, ...Array.from({ length: 12 }, () => [...kinds.keys()]).flat()]) {
      done.get(n)?.()
      await settled()
    }
    const of = (what: string) => happened.filter((text) => text.startsWith(what)).map((text) => Number(text.split(' ')[1]))
    const all = [...kinds.keys()]
    const isOverlapping = (n: number) => happened.indexOf(`begin ${n}`) < happened.indexOf(`answer ${n - 1}`)
    return JSON.stringify([of('begin'), of('answer')]) === JSON.stringify([all, all]) && !inbox.isBusy &&
      all.slice(1).every((n) => !isOverlapping(n) || (kinds[n]! && kinds[n - 1]!))
  }), { numRuns: 60 })
})

t.test('a bounded number of messages is in progress, and one behind a message that waits does not overtake it', async (t) => {
  const { inbox, happened, done, push } = setUpInbox((n) => n !== MAX_IN_PROGRESS + 1)
  for (let n = 0; n < MAX_IN_PROGRESS + 1 + INBOX_SIZE; n++) push(n)
  t.equal(happened.length, MAX_IN_PROGRESS)
  t.ok(inbox.isFull)
  done.get(0)!()
  await settled()
  t.strictSame(happened.slice(MAX_IN_PROGRESS), ['answer 0', `begin ${MAX_IN_PROGRESS}`])
  inbox.clear()
  t.notOk(inbox.isFull)
  for (let n = 1; n <= MAX_IN_PROGRESS; n++) done.get(n)!()
  await settled()
  t.notOk(inbox.isBusy)
})

/** A session in room `r` over a broker that answers a publish when the test says so. */
async function setUpSession () {
  const clocks = { now: () => 1000, monotonic: () => 1000 }
  const log = { level: 'info', debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const metrics = new Metrics()
  const answers: Array<(failure?: Failure) => void> = []
  class LateBroker extends MemoryBroker {
    override publish (...args: Parameters<MemoryBroker['publish']>): ReturnType<MemoryBroker['publish']> {
      const published = super.publish(...args)
      return new Promise((resolve) => { answers.push((failure) => resolve(failure ?? published)) }) as never
    }
  }
  const broker = new LateBroker({ logSize: 10, retention: 1000, ...clocks, newEpoch: () => 'e' })
  const rooms = new Rooms({ broker, metrics, log, ...clocks, maxMembers: 5, maxPayers: 0, maxRoomsPerSocket: 5, isOpen: true, presenceGrace: 0, resultsFrom: 'any' })
  const transport = new Transport(clocks)
  const { batch } = transport
  const sent: Array<{ type: string, payload: { id?: string, code?: string } }> = []
  const handle = {
    writeBuffer: (_request: unknown, bytes: Uint8Array) => {
      // Several frames in one write, each with its length in one byte or in three.
      for (let at = 0; at < bytes.length;) {
        const end = at + (bytes[at + 1]! < 126 ? 2 + bytes[at + 1]! : 4 + bytes[at + 2]! * 256 + bytes[at + 3]!)
        sent.push(JSON.parse(String(payloadOf(bytes.subarray(at, end)))) as typeof sent[number])
        at = end
      }
      return 0
    }
  }
  const socket = { isPaused: false, pause: () => {}, resume: () => {}, close: () => {} }
  const session = new SocketSession({ clientId: 'client_1', address: '192.0.2.1', socket, connection: { handle, writableLength: 0, openStream: () => undefined } }, {
    ...{ rooms, metrics, log, transport, ...clocks, maxOutboxBytes: 1_000_000, messageRates: undefined, joinTimeout: undefined },
    dispatcher: new FrameDispatcher({ rooms, metrics, log, batch, ...clocks, verify: undefined })
  })
  const send = (type: string, id?: string, roomId = 'r') => {
    const bytes = Buffer.from(JSON.stringify({ type, payload: type === 'PING' ? {} : { roomId }, id }))
    batch.run(() => session.onMessage(bytes, 0, bytes.length, batch))
  }
  const results = () => sent.map(({ type, payload }) => payload.id ?? payload.code ?? type)
  return { session, send, answers, results, rooms }
}

t.test('events of a member are published before those in front are answered, and the answers keep their order', async (t) => {
  const { send, answers, results } = await setUpSession()
  send('JOIN_ROOM')
  await settled()
  for (const id of ['a', 'b', 'c']) send('CLICKED_PAY', id)
  send('PING')
  send('CLICKED_PAY', 'd')
  t.equal(answers.length, 3, 'not the event behind another message')
  answers[2]!()
  answers[1]!(new Failure('UNAVAILABLE'))
  await settled()
  t.strictSame(results(), ['ROOM_JOINED'])
  answers[0]!()
  await settled()
  t.strictSame(results(), ['ROOM_JOINED', 'a', 'b', 'c', 'PONG'])
  answers[3]!()
  await settled()
  t.strictSame(results().slice(5), ['d'])
})

t.test('events wait for the first one of a socket, with which it joins, and for that of another room', async (t) => {
  const { send, answers, results } = await setUpSession()
  send('CLICKED_PAY', 'a')
  send('CLICKED_PAY', 'b')
  t.equal(answers.length, 1)
  answers[0]!()
  await settled()
  send('CLICKED_PAY', 'c', 'other')
  t.equal(answers.length, 2)
  answers[1]!()
  await settled()
  t.equal(answers.length, 3)
  answers[2]!()
  await settled()
  t.strictSame(results(), ['a', 'b', 'c'])
})

t.test('events in progress when the socket closes are counted as its own until they are answered', async (t) => {
  const { session, send, answers, rooms } = await setUpSession()
  send('JOIN_ROOM')
  await settled()
  send('CLICKED_PAY', 'a')
  send('CLICKED_PAY', 'b')
  session.onClose(1006)
  t.equal(rooms.size, 1)
  answers[0]!()
  await settled()
  t.equal(rooms.size, 1)
  answers[1]!()
  await settled()
  t.equal(rooms.size, 0)
})
