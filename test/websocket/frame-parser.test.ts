// Plain frames read past ws: for bytes cut and mixed in any way, the outcome equals that of ws alone.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { WebSocketServer, type WebSocket } from 'ws'
import { FrameParser, type FrameSource } from '../../src/websocket/frame-parser.js'
import { newTransport } from './transport.js'

const MAX_BYTES = 1024
const UPGRADE = [
  'GET / HTTP/1.1', 'host: x', 'connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==', '', ''
].join('\r\n')

/** Outcome of the bytes that a peer sent. */
interface Outcome { readonly received: string[], readonly past: number, readonly code: number, readonly error: string | undefined, readonly goodbyes: number }

/** Passes a chunk to a socket exactly as it is cut, without a real network. */
type Hand = (chunk: Buffer) => void

/** Creates a server whose sockets are read past ws, or by ws alone. */
async function serve (how: 'reader' | 'ws'): Promise<{ server: Server, opened: () => Promise<{ network: Socket, hand: Hand, outcome: Promise<Outcome> }> }> {
  const server = createServer()
  const options = { server, maxPayload: MAX_BYTES, maxFragments: 4, maxBufferedChunks: 16, closeTimeout: 100, autoPong: false }
  const sockets = new WebSocketServer(options)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, opened }

  async function opened () {
    const [socket, { socket: network }] = await once(sockets, 'connection') as [WebSocket, { socket: Socket }]
    const received: string[] = []
    let past = 0
    let error: string | undefined
    socket.on('message', (data, isBinary) => received.push(`${isBinary ? 'binary' : 'text'} ${String(data)}`))
    socket.on('ping', (data) => received.push(`ping ${data.toString('latin1')}`))
    socket.on('pong', () => received.push('pong'))
    socket.on('error', ({ message }) => { error = message })
    const outcome = closed(socket).then((code) => ({ received, past, code, error }))
    if (how === 'ws') return { network, hand: (chunk: Buffer) => network.emit('data', Buffer.from(chunk)), outcome: outcome.then((outcome) => ({ ...outcome, goodbyes: 0 })) }

    const hear = (what: string) => {
      past++
      received.push(what)
    }
    const byWs = network.listeners('data')[0] as (bytes: Buffer) => void
    network.off('data', byWs)
    let isLeft = false
    let goodbye: Buffer | undefined
    const reader = new FrameParser({ maxBytes: MAX_BYTES, transport: newTransport() })
    const source: FrameSource = {
      session: {
        onMessage: (bytes, start, end) => hear(`text ${bytes.toString('utf8', start, end)}`), onPing: (data) => hear(`ping ${data.toString('latin1')}`), onPong: () => hear('pong')
      },
      partialFrame: undefined,
      get isPaused () { return network.isPaused() },
      onUnsupported: (bytes) => {
        assert.equal(isLeft, false)
        isLeft = true
        network.on('data', byWs).emit('data', bytes)
      },
      onCloseFrame: (data) => {
        goodbye = data
        return false
      }
    }
    // Shared memory is overwritten at once.
    const memory = Buffer.alloc(65_536)
    const hand = (chunk: Buffer) => {
      if (isLeft) return network.emit('data', Buffer.from(chunk))
      chunk.copy(memory)
      reader.read(source, memory, chunk.length)
      memory.fill(0xff)
    }
    const judged = outcome.then((outcome) => {
      // Pings answered past ws are compared with those that ws answers.
      if (goodbye) assert.deepEqual([outcome.code, outcome.error], [goodbye.length > 0 ? goodbye.readUInt16BE(0) : 1005, undefined])
      return { ...outcome, goodbyes: goodbye ? 1 : 0 }
    })
    return { network, hand, outcome: judged }
  }
}

/** Kept listening, unlike `once`, which an error would end. */
function closed (socket: WebSocket): Promise<number> { return new Promise((resolve) => socket.on('close', resolve)) }

interface Part { readonly first: number, readonly payload: Buffer, readonly mask?: number, readonly isMasked?: boolean, readonly length?: number }

/** Builds a client's frame, or an invalid one. @param length differs from the payload's if given */
function frame ({ first, payload, mask = 0x5a17c3f0, isMasked = true, length = payload.length }: Part): Buffer {
  const bit = isMasked ? 0x80 : 0
  const long = Buffer.alloc(8)
  long.writeBigUInt64BE(BigInt(length))
  const head = length < 126 ? [first, bit | length] : length < 65_536 ? [first, bit | 126, ...long.subarray(6)] : [first, bit | 127, ...long]
  if (!isMasked) return Buffer.from([...head, ...payload])
  const key = Buffer.alloc(4)
  key.writeUInt32BE(mask)
  return Buffer.concat([Buffer.from(head), key, payload.map((byte, i) => byte ^ key[i % 4]!)])
}

const texts = fc.oneof(
  { weight: 5, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  { weight: 2, arbitrary: fc.integer({ min: 100, max: 700 }).map((length) => 'ação'.repeat(length / 6)) }
)
const masks = fc.nat(0xffffffff)
const plain = fc.record({ text: texts, mask: masks })
  .map(({ text, mask }) => frame({ first: 0x81, payload: Buffer.from(text.toWellFormed()), mask }))
const control = fc.record({ first: fc.constantFrom(0x89, 0x8a), payload: fc.uint8Array({ maxLength: 125 }), mask: masks })
  .map(({ first, payload, mask }) => frame({ first, payload: Buffer.from(payload), mask }))
const close = fc.constantFrom([3, 232], [15, 160, 97], [], [3], [0, 1]).map((bytes) => frame({ first: 0x88, payload: Buffer.from(bytes) }))
const inFragments = texts.map((text) => {
  const payload = Buffer.from(text.toWellFormed())
  const half = payload.length >> 1
  const [start, ping, rest] = [[0x01, payload.subarray(0, half)], [0x89, Buffer.from('between')], [0x80, payload.subarray(half)]] as const
  return Buffer.concat([start, ping, rest].map(([first, payload]) => frame({ first, payload })))
})
const broken = fc.oneof(
  fc.constant(frame({ first: 0x81, payload: Buffer.from([0xc3, 0x28]) })),
  fc.constant(frame({ first: 0x81, payload: Buffer.from('{"x":1}'), isMasked: false })),
  fc.constant(frame({ first: 0x81, payload: Buffer.alloc(MAX_BYTES + 1, 97) })),
  fc.constant(frame({ first: 0x81, payload: Buffer.alloc(0), length: 70_000 })),
  fc.constant(frame({ first: 0xc1, payload: Buffer.from('compressed') })),
  fc.constant(frame({ first: 0x83, payload: Buffer.from('reserved') })),
  fc.constant(frame({ first: 0x80, payload: Buffer.from('goes on with nothing') })),
  fc.constant(frame({ first: 0x89, payload: Buffer.alloc(126, 97) })),
  fc.constant(frame({ first: 0x09, payload: Buffer.from('a ping in fragments') })),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))
)
const binary = texts.map((text) => frame({ first: 0x82, payload: Buffer.from(text.toWellFormed()) }))
const rare = [close, inFragments, broken, binary].map((arbitrary) => ({ weight: 1, arbitrary }))
const frames = fc.array(fc.oneof({ weight: 12, arbitrary: plain }, { weight: 3, arbitrary: control }, ...rare), { minLength: 1, maxLength: 12 })
/** Offsets at which the bytes are cut, as shares of the total. */
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 })

t.test('ws and the frame parser receive the same frames for bytes cut, mixed and broken in any way', async (t) => {
  const [past, alone] = [await serve('reader'), await serve('ws')]
  t.teardown(() => [past, alone].forEach(({ server }) => server.closeAllConnections() ?? server.close()))
  const seen = { past: 0, closed: 0, failed: 0, leftToWs: 0, goodbyes: 0 }

  async function outcome ({ server, opened }: typeof alone, chunks: Buffer[], isPaused: boolean): Promise<Outcome> {
    const open = opened()
    const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {}).setNoDelay().resume()
    peer.write(UPGRADE)
    const { network, hand, outcome } = await open
    if (isPaused) network.pause()
    for (const chunk of chunks) {
      if (network.destroyed) break
      hand(chunk)
    }
    network.resume()
    peer.end()
    return outcome
  }

  await fc.assert(fc.asyncProperty(frames, fc.option(close), cuts, fc.boolean(), async (parts, last, cuts, isPaused) => {
    const bytes = Buffer.concat(last ? [...parts, last] : parts)
    const edges = [0, ...cuts.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b), bytes.length]
    const chunks = edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge)).filter(({ length }) => length > 0)
    const [ours, theirs] = await Promise.all([past, alone].map((server) => outcome(server, chunks, isPaused))) as [Outcome, Outcome]
    assert.deepEqual({ ...ours, past: 0, goodbyes: 0 }, theirs)
    seen.goodbyes += ours.goodbyes
    if (ours.past > 0) seen.past++
    if (ours.error !== undefined) seen.failed++
    if (ours.code !== 1006) seen.closed++
    if (ours.received.length > ours.past) seen.leftToWs++
  }), { numRuns: 400 })
  for (const [what, count] of Object.entries(seen)) t.ok(count > 20, `${what}: ${count}`)
})
