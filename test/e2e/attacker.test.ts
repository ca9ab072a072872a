// Attacks by a stranger and by a dishonest payer: what they can see and do, and the effect on a paying pair in another room.
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { Peer } from '../peer.js'
import { plainNode } from '../plain-node.js'
import { freePort } from '../free-port.js'
import { startProcess } from '../server-process.js'
import { until } from '../until.js'
import type { PairFigures } from './paying-pair.js'

const SECRET = 'the secret of the server under attack'
const KEY = { authorization: 'Bearer the-key', 'content-type': 'application/json' }
const SETTINGS = {
  NODE_ENV: 'production',
  LOG_LEVEL: 'info',
  API_KEYS: 'the-key',
  TOKEN_SECRET: SECRET,
  ALLOWED_ORIGINS: 'https://shop.example',
  MAX_CONNECTIONS_PER_IP: '2000',
  MESSAGES_PER_SECOND: '20',
  MESSAGES_BURST: '40'
}
/** Addresses of the attacker, all on this machine, and the number of sockets opened from each. */
const ADDRESSES = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6']
const SOCKETS = 2_500

interface Room { roomId: string, tokens: { device1: string, device2: string } }

t.test('An attacker cannot affect or see the rooms of others', { timeout: 170_000 }, async (t) => {
  const port = await freePort()
  const server = startProcess({ ...SETTINGS, PORT: String(port) })
  t.teardown(async () => {
    server.child.kill('SIGKILL')
    await server.exit
  })
  const api = `http://127.0.0.1:${port}/api`
  const url = `ws://127.0.0.1:${port}`
  await until(() => `the server listens; its output: ${server.output()}`, () => fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok, () => false), 40_000)
  const ask = async (path: string, body?: object): Promise<any> =>
    (await (await fetch(`${api}${path}`, { headers: KEY, ...(body && { method: 'POST', body: JSON.stringify(body) }) })).json() as { data: unknown }).data
  const create = (): Promise<Room> => ask('/rooms', {})
  const connections = async (): Promise<number> => (await ask('/server/status')).totalConnections
  const [victim, mine, pairs] = await Promise.all([create(), create(), create()])
  const pair = await startPair(t, url, pairs)
  const witness = await Peer.connect(t, url)
  witness.send('JOIN_ROOM', { roomId: victim.roomId, token: victim.tokens.device1, presence: true })
  await witness.next('ROOM_JOINED')
  const calm: PairFigures[] = []
  await sleep(3_000)
  calm.push(await pair.figures())

  /** Runs one attack, then checks that the witness in the victim's room received nothing and that the pair kept paying. */
  const entry = (name: string, attack: (t: Test) => Promise<void>) => t.test(name, async (t) => {
    const enough = sleep(1_000)
    await attack(t)
    await enough
    await witness.settled()
    t.strictSame(witness.frames.slice(2).filter(({ type }) => type !== 'PONG'), [], 'the victim\'s till saw nothing')
    const { sent, delivered, latencies, troubles } = await pair.figures()
    t.strictSame(troubles, [], 'the pair had no trouble')
    t.ok(Math.abs(sent - delivered) <= 30, 'the pair kept paying')
    t.comment(`the pair meanwhile: ${sent} events, p50 ${quantile(latencies, 0.5)} ms, p99 ${quantile(latencies, 0.99)} ms (calm: p50 ${quantile(calm[0]!.latencies, 0.5)}, p99 ${quantile(calm[0]!.latencies, 0.99)})`)
  })

  /** Joins with the attacker's token. @returns the refusal, and the close code */
  const join = async (t: Test, payload: object): Promise<[string, number]> => {
    const peer = await Peer.connect(t, url)
    peer.send('JOIN_ROOM', payload)
    return [(await peer.next('ERROR')).payload.code, await peer.closed]
  }

  await entry('I join the victim\'s room without a token: 4500', async (t) => {
    t.strictSame(await join(t, { roomId: victim.roomId }), ['INVALID_TOKEN', 4500])
  })

  await entry('I publish into the victim\'s room without joining: refused, and no member receives it', async (t) => {
    const peer = await Peer.connect(t, url)
    peer.send('PAYMENT_SUCCESS', { roomId: victim.roomId, amount: 1 }, 'false')
    t.match((await peer.next('ERROR')).payload, { code: 'NOT_JOINED', id: 'false' })
    t.equal(await peer.closed, 4502, 'the socket is closed soon after')
  })

  await entry('I join with the token of my own room: 4503', async (t) => {
    t.strictSame(await join(t, { roomId: victim.roomId, token: mine.tokens.device2 }), ['FORBIDDEN', 4503])
  })

  await entry('I keep a token until it has expired: 4005', async (t) => {
    const { token, expiresAt } = await ask(`/rooms/${victim.roomId}/tokens`, { role: 'device2', ttlSeconds: 1 })
    await sleep(expiresAt - Date.now() + 20)
    t.strictSame(await join(t, { roomId: victim.roomId, token }), ['TOKEN_EXPIRED', 4005])
  })

  await entry('I write tokens of my own, with alg none and with another secret: 4500', async (t) => {
    const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
    const claims = part({ room: victim.roomId, role: 'device2', iss: 'ws-payment-server', aud: 'ws-payment-server/room', exp: Math.floor(Date.now() / 1000) + 600 })
    const signed = (head: object, secret: string) => `${part(head)}.${claims}.${createHmac('sha256', secret).update(`${part(head)}.${claims}`).digest('base64url')}`
    for (const token of [
      `${part({ alg: 'none', typ: 'room+jwt' })}.${claims}.`, signed({ alg: 'none', typ: 'room+jwt' }, SECRET),
      signed({ alg: 'HS256', typ: 'room+jwt' }, 'a secret that I made up myself, long enough'), `${mine.tokens.device2.split('.')[0]}.${claims}.${mine.tokens.device2.split('.')[2]}`
    ]) t.strictSame(await join(t, { roomId: victim.roomId, token }), ['INVALID_TOKEN', 4500])
  })

  await entry('I am a shop, and report a success myself: forbidden', async (t) => {
    const peer = await Peer.connect(t, url)
    peer.send('JOIN_ROOM', { roomId: mine.roomId, token: mine.tokens.device1 })
    await peer.next('ROOM_JOINED')
    peer.send('PAYMENT_SUCCESS', { roomId: mine.roomId, amount: 1 }, 'false')
    t.match((await peer.next('ERROR')).payload, { code: 'FORBIDDEN', id: 'false' })
    const answer = await fetch(`${api}/rooms/${mine.roomId}/events`, { method: 'POST', headers: { ...KEY, authorization: `Bearer ${mine.tokens.device1}` }, body: '{"type":"PAYMENT_SUCCESS"}' })
    t.equal(answer.status, 403, 'over REST alike')
    t.match(await ask(`/rooms/${mine.roomId}`), { seq: 0, state: { status: 'pending' } })
  })

  await entry('my page opens a socket in a visitor\'s browser: 403 at the handshake', async (t) => {
    for (const origin of ['https://evil.example', 'null', 'https://shop.example.evil.example', 'http://shop.example']) {
      const socket = new WebSocket(url, { origin })
      const [, response] = await once(socket, 'unexpected-response')
      t.equal(response.statusCode, 403, origin)
      response.resume()
    }
  })

  await entry('I guess room ids: the answer for an existing and a missing room is the same', async (t) => {
    const answers = new Set<string>()
    for (const roomId of [victim.roomId, 'payment_123', 'no-such-room', mine.roomId.slice(1), '1']) {
      const over = await fetch(`${api}/rooms/${roomId}/events`, { headers: { authorization: `Bearer ${mine.tokens.device2}` } })
      const { requestId, timestamp, ...body } = await over.json() as Record<string, unknown>
      answers.add(JSON.stringify([await join(t, { roomId, token: mine.tokens.device2 }), over.status, body]))
    }
    t.equal(answers.size, 1, [...answers].join(' '))
  })

  await entry('I guess API keys: 401, and soon 429', async (t) => {
    const statuses = await Promise.all(Array.from({ length: 400 }, (_, i) =>
      fetch(`${api}/rooms`, { headers: { authorization: `Bearer guess-${i}` } }).then(async (response) => {
        await response.arrayBuffer()
        return response.status
      })))
    t.strictSame([...new Set(statuses)].sort(), [401, 429])
    // The pair and the witness stay within their limits, but share my address: their next requests must not be refused.
    await sleep(1_100)
  })

  await entry('I flood, from 50 sockets, with a token and without: each is closed with 4004', async (t) => {
    const codes = await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const socket = new WebSocket(url, { localAddress: ADDRESSES[i % ADDRESSES.length]! })
      t.teardown(() => socket.terminate())
      socket.on('error', () => {})
      await once(socket, 'open')
      if (i % 2 === 0) socket.send(JSON.stringify({ type: 'JOIN_ROOM', payload: { roomId: mine.roomId, token: mine.tokens.device2 } }))
      const text = JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId: mine.roomId } })
      const network = (socket as unknown as { _socket: net.Socket })._socket
      const closed = once(socket, 'close')
      // Twice the burst of a flood at once: sent with pauses, a slow machine would stretch it to a rate that is allowed.
      for (let bursts = 0; bursts < 5 && socket.readyState === WebSocket.OPEN; bursts++) {
        // In one write: thousands would keep this process from reading the close frames.
        network.cork()
        for (let n = 0; n < 400; n++) socket.send(text)
        network.uncork()
        // Nothing is sent after the close frame: the server ends the connection two seconds later, then a write would fail and the code be lost.
        await Promise.race([closed, sleep(3_000)])
      }
      return (await closed)[0] as number
    }))
    t.strictSame([...new Set(codes)], [4004])
  })

  await entry('I do not read the events that I joined for: 4001', async (t) => {
    const socket = new WebSocket(url)
    t.teardown(() => socket.terminate())
    socket.on('error', () => {})
    await once(socket, 'open')
    socket.send(JSON.stringify({ type: 'JOIN_ROOM', payload: { roomId: mine.roomId, token: mine.tokens.device1 } }))
    await sleep(200)
    socket.pause()
    // Ten phones of mine send as fast as their limit allows, which is more than the network buffers hold.
    const long = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`x${i}`, 'x'.repeat(2000)]))
    const phones = await Promise.all(Array.from({ length: 10 }, async () => {
      const phone = await Peer.connect(t, url, { localAddress: ADDRESSES[0]! })
      phone.send('JOIN_ROOM', { roomId: mine.roomId, token: mine.tokens.device2 })
      await phone.next('ROOM_JOINED')
      return phone
    }))
    const sending = setInterval(() => { for (const phone of phones) phone.send('CLICKED_PAY', { roomId: mine.roomId, ...long }) }, 55)
    await until('the slow socket is cut', () => server.output().includes('"closedWith":4001'), 40_000)
    clearInterval(sending)
    for (const phone of phones) phone.socket.terminate()
  })

  await entry(`I open ${ADDRESSES.length * SOCKETS} sockets from ${ADDRESSES.length} addresses and leave them idle: 429 past 2,000 each, the others out with 4502`, async (t) => {
    const before = await connections()
    const outcomes: Record<string, number> = {}
    const count = (what: string) => { outcomes[what] = (outcomes[what] ?? 0) + 1 }
    let most = 0
    const watch = setInterval(() => { void connections().then((count) => { most = Math.max(most, count) }) }, 250)
    for (const address of ADDRESSES) {
      for (let n = 0; n < SOCKETS; n += 100) await Promise.all(Array.from({ length: 100 }, () => idle(t, port, address, count)))
    }
    await until(() => `all are out: ${JSON.stringify(outcomes)}`, async () => (outcomes.closed ?? 0) + (outcomes['429'] ?? 0) === ADDRESSES.length * SOCKETS, 60_000)
    clearInterval(watch)
    t.comment(`outcomes ${JSON.stringify(outcomes)}, at most ${most} connections at once`)
    t.equal(outcomes['4502']! + (outcomes['4003'] ?? 0), outcomes['101'], 'accepted sockets were closed for not joining, or for answering no ping')
    t.equal(outcomes.closed, outcomes['101'], 'each accepted socket was closed')
    t.ok(outcomes['429']! > 0, 'the limit for each address applies')
    await until('the number of connections is as before', async () => await connections() === before)
  })

  await t.test('The server\'s log has no error and no secret after all attacks', async (t) => {
    t.notMatch(server.output(), /"level":(50|60)/, 'no error was logged')
    for (const secret of [SECRET, 'the-key', victim.tokens.device1.split('.')[2]!, mine.tokens.device2.split('.')[2]!, 'guess-']) t.notOk(server.output().includes(secret), 'no secret was logged')
    witness.send('LEAVE_ROOM', { roomId: victim.roomId })
    await witness.next('ROOM_LEFT')
  })
})

function quantile (values: number[], q: number): string {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN).toFixed(1)
}

async function startPair (t: Test, url: string, { roomId, tokens }: Room): Promise<{ figures: () => Promise<PairFigures> }> {
  const child = spawn(...plainNode(join(import.meta.dirname, 'paying-pair.js'), url, roomId, tokens.device1, tokens.device2), {
    env: { PATH: process.env.PATH }, stdio: ['inherit', 'inherit', 'inherit', 'ipc']
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child, 'message')
  return {
    figures: async () => {
      const answer = once(child, 'message')
      child.send('figures')
      return (await answer)[0] as PairFigures
    }
  }
}

/** Opens a socket by hand and leaves it idle. Resolves with the answer to its handshake, and counts that, its close code and its end. */
async function idle (t: Test, port: number, localAddress: string, count: (what: string) => void): Promise<void> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
  let answered = false
  await new Promise<void>((resolve) => {
    socket.on('data', (data) => {
      if (!answered) {
        answered = true
        const answer = data.toString('latin1', 9, 12)
        count(answer)
        if (answer === '101') socket.on('close', () => count('closed'))
        resolve()
        if (answer !== '101') socket.destroy()
        return
      }
      // Close frame of the server: FIN and opcode 8, and the code in the first two bytes of the payload.
      const at = data.indexOf(0x88)
      if (at >= 0) {
        count(String(data.readUInt16BE(at + 2)))
        socket.end()
      }
    })
    socket.on('close', () => resolve())
  })
}
