// Send queue of one socket: frames in order, and no frame once too many bytes are queued or the socket is closing.
import { Writable } from 'node:stream'
import t from 'tap'
import { SendQueue } from '../../src/sessions/send-queue.js'
import { BatchWriter, StreamConnection, type WritableConnection } from '../../src/websocket/batch-writer.js'
import { encodePong, encodeTextFrame } from '../../src/websocket/frame-writer.js'
import { newTransport } from '../websocket/transport.js'

const LIMIT = 1_000

/** A queue in front of a peer that reads on command of the test, and the number of frames that the full queue refused. */
function setUp () {
  const written: string[] = []
  let release: Array<() => void> = []
  const stream = new Writable({
    decodeStrings: false,
    highWaterMark: 1,
    write: (chunk, _encoding, done) => {
      written.push(String(chunk))
      release.push(done)
    }
  })
  const transport = newTransport()
  const refused = { count: 0 }
  const connection: WritableConnection = new StreamConnection(stream)
  const queue = new SendQueue(new BatchWriter(connection, transport), LIMIT, { onFull: () => { refused.count++ } })
  /** Makes the peer read everything. */
  const read = async () => {
    while (release.length > 0) {
      const done = release
      release = []
      for (const next of done) next()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const send = (text: string) => transport.batch.run(() => queue.send(Buffer.from(text)))
  return { queue, transport, written, refused, read, send }
}

t.test('frames of one batch are one write, in order', async (t) => {
  const { queue, transport, written, refused } = setUp()
  transport.batch.run(() => {
    queue.send(encodeTextFrame('{"n":1}'))
    queue.ping()
    queue.send(encodePong(Buffer.from('c')))
    t.strictSame(written, [])
  })
  t.strictSame(written, [String(Buffer.concat([encodeTextFrame('{"n":1}'), Buffer.from([0x89, 0]), Buffer.from([0x8a, 1, 0x63])]))])
  t.equal(refused.count, 0)
})

t.test('a slow peer receives frames up to the limit; later frames are refused until the peer has read', async (t) => {
  const { written, refused, read, send } = setUp()
  send('x'.repeat(LIMIT))
  send('at the limit')
  t.equal(refused.count, 0)
  send('past it')
  t.equal(refused.count, 1)
  await read()
  t.strictSame(written.map((text) => text.length), [LIMIT, 12])
  send('again')
  await read()
  t.equal(written.at(-1), 'again')
  t.equal(refused.count, 1)
})

t.test('a full queue accepts pings', async (t) => {
  const { queue, written, refused, read, send } = setUp()
  send('x'.repeat(LIMIT + 1))
  queue.ping()
  await read()
  t.equal(written.at(-1), String(Buffer.from([0x89, 0])))
  t.equal(refused.count, 0)
})

t.test('a replay waits for the peer once half of the limit is queued', async (t) => {
  const { queue, written, read, send } = setUp()
  t.equal(queue.sendPaced(Buffer.from('at once')), undefined)
  send('x'.repeat(LIMIT / 2))
  let isDone = false
  const paced = queue.sendPaced(Buffer.from('later'))!.then(() => { isDone = true })
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(isDone)
  await read()
  await paced
  t.equal(written.at(-1), 'later')
})

t.test('a closing socket sends the queued frames, and no more', async (t) => {
  const { queue, transport, written, refused } = setUp()
  t.ok(queue.isOpen)
  transport.batch.run(() => {
    queue.send(Buffer.from('queued'))
    queue.close()
    t.strictSame(written, ['queued'], 'the queued frame is written before the close frame')
    queue.send(Buffer.from('too late'))
    queue.ping()
    t.equal(queue.sendPaced(Buffer.from('too late')), undefined)
  })
  t.strictSame([written, refused.count, queue.isOpen], [['queued'], 0, false])
})
