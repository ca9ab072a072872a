// The frame parser with random input: valid frames arrive unchanged wherever they are split; garbage ends only its own socket.
import fc from 'fast-check'
import t from 'tap'
import { listen } from '../../build.js'
import { Peer } from '../../peer.js'
import { backTo, besideAPayment, openThings } from './bystanders.js'
import { fragments, frame, PING, RawPeer } from './raw.js'

/** Runs of a property; each is a conversation over a socket of its own. */
const RUNS = 60

/** Cuts bytes at these places, which are fractions of the length. */
function cut (bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => Math.floor(place * (bytes.length + 1))).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

const places = (maxLength: number) => fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength })
/** Text of an event, the places where it is cut into fragments, and true if a ping follows the first of them. */
const message = fc.record({ note: fc.string({ unit: 'grapheme', maxLength: 200 }), fragmented: places(5), pinged: fc.boolean() })
const conversation = fc.record({ messages: fc.array(message, { minLength: 1, maxLength: 10 }), packets: places(30), together: fc.boolean() })

const tick = () => new Promise((resolve) => setImmediate(resolve))

t.test('Events arrive complete and in order, wherever their bytes are cut into fragments and packets', async (t) => {
  const server = await listen(t)
  let runs = 0
  await fc.assert(fc.asyncProperty(conversation, async ({ messages, packets, together }) => {
    const roomId = `r${runs++}`
    const [shop, phone] = await Promise.all([Peer.connect(t, server.url), RawPeer.open(t, server.port)])
    await shop.join(roomId)
    const bytes = messages.flatMap(({ note, fragmented, pinged }) => {
      const parts = fragments(cut(Buffer.from(JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId, note } })), fragmented))
      return pinged ? [parts[0]!, frame('?', { opcode: PING }), ...parts.slice(1)] : parts
    })
    for (const packet of cut(Buffer.concat(bytes), packets)) {
      phone.write(packet)
      if (!together) await tick()
    }
    await phone.answersPing()
    await shop.settled()
    const received = shop.events.map(({ seq, payload }) => [seq, payload.note])
    const isRight = JSON.stringify(received) === JSON.stringify(messages.map(({ note }, i) => [i + 1, note]))
    shop.socket.terminate()
    phone.leave()
    return isRight && phone.frames.every(({ type }) => type !== 'ERROR')
  }), { numRuns: RUNS })
  t.ok(runs >= RUNS)
})

t.test('Garbage after the handshake ends its own socket at most', async (t) => {
  const server = await listen(t)
  const before = openThings(server)
  const frameLike = fc.record({
    opcode: fc.nat(15),
    fin: fc.boolean(),
    rsv: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) }),
    masked: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.boolean() }),
    payload: fc.uint8Array({ maxLength: 130 }),
    announced: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined, freq: 4 })
  }).map(({ payload, announced, ...options }) => frame(Buffer.from(payload), announced === undefined ? options : { ...options, announced }))
  const noise = fc.uint8Array({ minLength: 1, maxLength: 2_000 }).map((bytes) => Buffer.from(bytes))
  const garbage = fc.oneof(noise, fc.array(frameLike, { minLength: 1, maxLength: 8 }).map((frames) => Buffer.concat(frames)))
  const codes = new Set<number | undefined>()
  await besideAPayment(t, server, 'garbage of every kind', async () => {
    await fc.assert(fc.asyncProperty(garbage, places(4), async (bytes, packets) => {
      const peer = await RawPeer.open(t, server.port)
      for (const packet of cut(bytes, packets)) {
        peer.write(packet)
        await tick()
      }
      peer.socket.end()
      await peer.over(10_000)
      peer.leave()
      codes.add(peer.closeCode)
      return peer.closeCode === undefined || [1000, 1001, 1002, 1003, 1005, 1007, 1009].includes(peer.closeCode) || peer.closeCode >= 3000
    }), { numRuns: RUNS * 3 })
  })
  t.ok(codes.has(1002), `close codes: ${[...codes].join(', ')}`)
  await backTo(before, server)
  t.strictSame(server.logs.filter(({ level }) => level > 40), [])
})
