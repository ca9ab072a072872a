// Steps of the wall clock, back and forward, under every duration of one node: they begin, end, refuse and retain nothing.
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { mock } from 'node:test'
import t from 'tap'
import { until } from '../until.js'
import { event, KEY, MINUTE, start, START, STEPS, tick, TOKENS, wall, type Timer } from './steps.js'

const TIMERS: readonly Timer[] = [
  {
    what: 'REST requests over the limit are refused for exactly the rest of the second',
    env: { REQUESTS_PER_SECOND: '2' },
    holds: async (t, { rest, step, pass }) => {
      const ask = async () => (await rest('GET', '/api/server/status')).status
      t.strictSame([await ask(), await ask(), await ask()], [200, 200, 429])
      step()
      t.equal(await ask(), 429)
      pass(999)
      t.equal(await ask(), 429)
      pass(1)
      t.strictSame([await ask(), await ask(), await ask()], [200, 200, 429])
    }
  },
  {
    what: 'messages over the limit of a socket are refused until the next one is due',
    env: { MESSAGES_PER_SECOND: '1', MESSAGES_BURST: '2' },
    holds: async (t, { connect, step, pass }) => {
      const phone = await connect()
      const send = async (id: string) => {
        phone.send('CLICKED_PAY', { roomId: 'r' }, id)
        // Answers come at once, as ACK or as ERROR.
        await until('the message is answered', () => phone.frames.some(({ payload }) => payload.id === id))
        return phone.frames.find(({ payload }) => payload.id === id)!.type
      }
      t.strictSame([await send('a'), await send('b'), await send('c')], ['ACK', 'ACK', 'ERROR'])
      step()
      t.equal(await send('d'), 'ERROR')
      pass(1_000)
      t.strictSame([await send('e'), await send('f')], ['ACK', 'ERROR'])
    }
  },
  {
    what: 'invalid frames are counted over a minute',
    holds: async (t, { connect, step, pass }) => {
      const [one, other] = [await connect(), await connect()]
      for (const peer of [one, other]) for (let n = 0; n < 10; n++) peer.socket.send('{')
      await Promise.all([one.settled(), other.settled()])
      step()
      one.socket.send('{')
      t.equal(await one.closed, 4501)
      pass(MINUTE)
      for (let n = 0; n < 10; n++) other.socket.send('{')
      await other.settled()
      t.equal(other.socket.readyState, 1)
    }
  },
  {
    what: 'a socket has JOIN_TIMEOUT_SECONDS to join',
    env: { ...TOKENS, JOIN_TIMEOUT_SECONDS: '10' },
    holds: async (t, { app, connect, step, pass }) => {
      const peer = await connect()
      step()
      pass(9_999)
      await tick(app)
      await peer.settled()
      pass(1)
      await tick(app)
      t.equal(await peer.closed, 4502)
    }
  },
  {
    what: 'a socket and a stream with a token stay until the token expires',
    env: TOKENS,
    holds: async (t, { app, connect, rest, step, pass }) => {
      await rest('POST', '/api/rooms', { roomId: 'r' }, KEY)
      const { data: { token } } = await rest('POST', '/api/rooms/r/tokens', { role: 'device1', ttlSeconds: 60 }, KEY)
      const peer = await connect()
      peer.send('JOIN_ROOM', { roomId: 'r', token })
      await peer.next('ROOM_JOINED')
      await app.listen({ port: 0, host: '127.0.0.1' })
      const { port } = app.server.address() as AddressInfo
      const request = http.get({ port, host: '127.0.0.1', agent: false, path: '/api/rooms/r/events', headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` } })
      const [answer] = await once(request, 'response') as [http.IncomingMessage]
      t.equal(answer.statusCode, 200)
      const ended = once(answer.resume(), 'end')
      step()
      pass(59_999)
      await tick(app)
      await peer.settled()
      t.notOk(answer.readableEnded)
      t.equal(app.sessions.size, 2)
      pass(1)
      await tick(app)
      t.equal(await peer.closed, 4005)
      await ended
    }
  },
  {
    what: 'every heartbeat sends a ping, and a pong in time keeps the socket open',
    env: { HEARTBEAT_SECONDS: '25' },
    holds: async (t, { connect, step, pass }) => {
      const peer = await connect()
      let pings = 0
      peer.socket.on('ping', () => { pings++ })
      step()
      pass(25_000)
      mock.timers.tick(25_000)
      await until('the server sent a ping', () => pings === 1)
      await peer.settled()
      t.equal(peer.socket.readyState, 1)
    }
  },
  {
    what: 'the departure of a member is announced after PRESENCE_GRACE_SECONDS',
    env: { PRESENCE_GRACE_SECONDS: '1' },
    holds: async (t, { connect, step, pass }) => {
      const [shop, phone] = [await connect(), await connect()]
      shop.send('JOIN_ROOM', { roomId: 'r', deviceId: 'shop', presence: true })
      await shop.next('ROOM_JOINED')
      await phone.join('r', 'phone')
      phone.socket.terminate()
      await phone.closed
      step()
      await shop.settled()
      t.notOk(shop.frames.some(({ type }) => type === 'DEVICE_LEFT'))
      pass(1_000)
      t.equal((await shop.next('DEVICE_LEFT')).payload.deviceId, 'phone')
    }
  },
  {
    what: 'an empty room is kept for its retention',
    env: { ROOM_RETENTION_SECONDS: '60' },
    holds: async (t, { app, rest, step, pass }) => {
      await rest('POST', '/api/rooms/r/events', event)
      step()
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 200)
      pass(59_999)
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 200)
      pass(1)
      t.equal((await rest('GET', '/api/rooms/r')).status, 404)
    }
  },
  {
    what: 'an occupied room is kept, and its retention begins when the last member leaves',
    env: { ROOM_RETENTION_SECONDS: '60' },
    holds: async (t, { app, connect, rest, step, pass }) => {
      const peer = await connect()
      await peer.join('r')
      pass(600_000)
      step()
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 200)
      peer.send('LEAVE_ROOM', { roomId: 'r' })
      await peer.next('ROOM_LEFT')
      pass(59_999)
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 200)
      pass(1)
      t.equal((await rest('GET', '/api/rooms/r')).status, 404)
    }
  },
  {
    what: 'a link expires at its deadline and its room ends after the time for late results, keeps its announced expiresAt, and is remembered for its retention',
    env: { ROOM_RETENTION_SECONDS: '60', LATE_RESULTS_SECONDS: '100' },
    holds: async (t, { app, connect, rest, step, pass }) => {
      const { data: { expiresAt } } = await rest('POST', '/api/rooms', { roomId: 'r', ttlSeconds: 300 })
      t.equal(expiresAt, START + 300_000)
      const peer = await connect()
      await peer.join('r')
      step()
      pass(299_999)
      await tick(app)
      t.match(await rest('GET', '/api/rooms/r'), { status: 200, data: { expiresAt } })
      t.notOk(peer.frames.some(({ type }) => type === 'ROOM_CLOSED'))
      pass(1)
      await tick(app)
      t.match(await peer.next('PAYMENT_EXPIRED'), { timestamp: expiresAt })
      pass(99_999)
      await tick(app)
      t.match(await rest('GET', '/api/rooms/r'), { status: 200, data: { expiresAt, state: { status: 'expired' } } })
      pass(1)
      await tick(app)
      t.equal((await peer.next('ROOM_CLOSED')).payload.reason, 'expired')
      step()
      pass(59_999)
      await tick(app)
      t.equal((await rest('GET', '/api/rooms/r')).status, 410)
      pass(1)
      t.equal((await rest('GET', '/api/rooms/r')).status, 404)
    }
  },
  {
    what: 'a closed room is remembered for its retention',
    env: { ROOM_RETENTION_SECONDS: '60' },
    holds: async (t, { app, rest, step, pass }) => {
      await rest('POST', '/api/rooms', { roomId: 'r' })
      t.equal((await rest('DELETE', '/api/rooms/r')).status, 204)
      step()
      await tick(app)
      t.equal((await rest('POST', '/api/rooms/r/events', event)).status, 410)
      pass(59_999)
      await tick(app)
      t.equal((await rest('POST', '/api/rooms/r/events', event)).status, 410)
      pass(1)
      t.equal((await rest('POST', '/api/rooms/r/events', event)).status, 201)
    }
  },
  {
    what: 'a repeated request gets its first answer',
    holds: async (t, { rest, step, pass }) => {
      const send = () => rest('POST', '/api/rooms/r/events', event, { 'idempotency-key': 'k' })
      const first = await send()
      step()
      t.strictSame(await send(), first)
      pass(MINUTE)
      t.strictSame(await send(), first)
    }
  },
  {
    what: 'uptime only grows, and reported timestamps are those of the wall clock',
    holds: async (t, { connect, rest, step, pass }) => {
      const peer = await connect()
      await peer.join('r')
      pass(1_000)
      step()
      t.match((await rest('GET', '/api/server/status')).data, { uptime: 1_000, timestamp: wall() })
      await rest('POST', '/api/rooms/r/events', event)
      t.equal((await peer.next('CLICKED_PAY')).timestamp, wall())
      pass(1_000)
      t.match((await rest('GET', '/api/server/status')).data, { uptime: 2_000, timestamp: wall() })
    }
  }
]

for (const { what, env, holds } of TIMERS) {
  t.test(what, async (t) => {
    for (const step of STEPS) {
      await t.test(step.name, async (t) => {
        // Enabled before the app starts, so that its intervals are mocked; its one-shot timers are real.
        mock.timers.enable({ apis: ['setInterval'] })
        try {
          await holds(t, await start(t, step, env))
        } finally {
          mock.timers.reset()
        }
      })
    }
  })
}
