// Room tokens: tokens of the server are accepted, and no others.
import { createHmac, createSecretKey, generateKeyPairSync } from 'node:crypto'
import { CompactSign, SignJWT, UnsecuredJWT } from 'jose'
import t from 'tap'
import { RoomTokens } from '../../src/auth/room-tokens.js'
import { Failure } from '../../src/errors.js'

const OLD = 'the old secret with at least 32 bytes long'
const NEW = 'the new secret with at least 32 bytes long'
const NOW = 1_795_500_000_500
const clocks = { now: () => NOW, monotonic: () => 5000 }
const tokens = new RoomTokens(NEW, clocks)

const GOOD = { room: 'r', role: 'device2', iss: 'ws-payment-server', aud: 'ws-payment-server/room', exp: Math.floor(NOW / 1000) + 60 }
const HEADER = { alg: 'HS256', typ: 'room+jwt' }

/** Builds a token by hand. */
function forge (payload: object, header: object = HEADER, secret = NEW): string {
  const body = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
}

async function codeOf (token: string, subject = tokens): Promise<string> {
  const answer = await subject.verify(token)
  return answer instanceof Failure ? answer.code : 'accepted'
}

t.test('a token holds room, role, device and expiry, and gives these as claims', async (t) => {
  const { token, expiresAt } = await tokens.sign({ roomId: 'r', role: 'device2', deviceId: 'téléphone' }, 60_000)
  t.equal(expiresAt, 1_795_500_060_000, 'the expiry is rounded down to a second')
  t.strictSame(await tokens.verify(token), { principal: 'device2', roomId: 'r', deviceId: 'téléphone', endsAt: 5000 + expiresAt - NOW })
  const [header, payload] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  t.strictSame(JSON.parse(header!), HEADER)
  t.strictSame(JSON.parse(payload!), { room: 'r', role: 'device2', deviceId: 'téléphone', iss: GOOD.iss, aud: GOOD.aud, iat: 1_795_500_000, exp: 1_795_500_060 })
  const deviceless = await tokens.sign({ roomId: 'r', role: 'device1' }, 60_000)
  t.strictSame(await tokens.verify(deviceless.token), { principal: 'device1', roomId: 'r', deviceId: undefined, endsAt: 5000 + expiresAt - NOW })
  t.equal(await codeOf(forge(GOOD)), 'accepted', 'a token built by hand is accepted, so the ones below are refused for their faults')
})

t.test('of several secrets the first signs, and all verify', async (t) => {
  const before = new RoomTokens(OLD, clocks)
  const between = new RoomTokens(`${NEW} , ${OLD}`, clocks)
  const after = new RoomTokens(NEW, clocks)
  const old = (await before.sign({ roomId: 'r', role: 'device1' }, 60_000)).token
  const fresh = (await between.sign({ roomId: 'r', role: 'device1' }, 60_000)).token
  t.strictSame(await Promise.all([codeOf(old, between), codeOf(fresh, between), codeOf(fresh, after)]), ['accepted', 'accepted', 'accepted'])
  t.strictSame(await Promise.all([codeOf(old, after), codeOf(fresh, before)]), ['INVALID_TOKEN', 'INVALID_TOKEN'])
})

t.test('a token is accepted until its expiry, and then refused with TOKEN_EXPIRED', async (t) => {
  let time = NOW
  const moving = new RoomTokens(NEW, { ...clocks, now: () => time })
  const { token, expiresAt } = await moving.sign({ roomId: 'r', role: 'device1' }, 60_000)
  time = expiresAt - 1
  t.equal(await codeOf(token, moving), 'accepted')
  time = expiresAt
  t.equal(await codeOf(token, moving), 'TOKEN_EXPIRED')
  t.equal(await codeOf(forge({ ...GOOD, exp: 1 }, HEADER, OLD), moving), 'INVALID_TOKEN', 'an expired token with a wrong signature is invalid')
})

t.test('every token with a fault is refused with INVALID_TOKEN', async (t) => {
  const [head, body, signature] = forge(GOOD).split('.') as [string, string, string]
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const asPayload = (change: object) => forge({ ...GOOD, ...change })
  const asHeader = (change: object) => forge(GOOD, { ...HEADER, ...change })
  const rows: Record<string, string> = {
    nothing: '',
    'no token': 'hello',
    'two parts': `${head}.${body}`,
    'four parts': `${head}.${body}.${signature}.`,
    'no signature': `${head}.${body}.`,
    'another signature': `${head}.${body}.${signature.slice(0, -2)}AA`,
    'another payload under the signature': `${head}.${Buffer.from(JSON.stringify({ ...GOOD, room: 'other' })).toString('base64url')}.${signature}`,
    'alg none': new UnsecuredJWT(GOOD).encode(),
    'alg none, signed': asHeader({ alg: 'none' }),
    'alg NoNe': `${Buffer.from(JSON.stringify({ alg: 'NoNe', typ: HEADER.typ })).toString('base64url')}.${body}.`,
    'no alg': asHeader({ alg: undefined }),
    'HS512 under our secret': await new SignJWT(GOOD).setProtectedHeader({ alg: 'HS512', typ: HEADER.typ }).sign(createSecretKey(Buffer.from(NEW.repeat(2)))),
    'RS256, with a key of one\'s own': await new SignJWT(GOOD).setProtectedHeader({ alg: 'RS256', typ: HEADER.typ }).sign(privateKey),
    'a public key as the secret': forge(GOOD, HEADER, pem),
    'an unknown crit': asHeader({ crit: ['exp2'], exp2: 1 }),
    'a crit of nothing': asHeader({ crit: [] }),
    'unencoded payload (b64: false)': asHeader({ b64: false, crit: ['b64'] }),
    'another type': asHeader({ typ: 'JWT' }),
    'no type': asHeader({ typ: undefined }),
    'a key that it brings along': forge(GOOD, { ...HEADER, jwk: { kty: 'oct', k: Buffer.from(OLD).toString('base64url') } }, OLD),
    'another issuer': asPayload({ iss: 'somebody' }),
    'no issuer': asPayload({ iss: undefined }),
    'another audience': asPayload({ aud: 'ws-payment-server' }),
    'no audience': asPayload({ aud: undefined }),
    'no end': asPayload({ exp: undefined }),
    'an end that is no number': asPayload({ exp: '9999999999' }),
    'an end in the middle of a second': asPayload({ exp: GOOD.exp + 0.5 }),
    'not yet': asPayload({ nbf: GOOD.exp }),
    'no room': asPayload({ room: undefined }),
    'a room that is none': asPayload({ room: '../r' }),
    'a list of rooms': asPayload({ room: ['r'] }),
    'no role': asPayload({ role: undefined }),
    'another role': asPayload({ role: 'backend' }),
    'a role of the prototype': asPayload({ role: '__proto__' }),
    'a device that is no text': asPayload({ deviceId: 7 }),
    'no object': await new CompactSign(Buffer.from('"r"')).setProtectedHeader(HEADER).sign(createSecretKey(Buffer.from(NEW))),
    'no JSON': await new CompactSign(Buffer.from('{')).setProtectedHeader(HEADER).sign(createSecretKey(Buffer.from(NEW))),
    'a long text': 'x'.repeat(100_000),
    'strange characters': `${head}.${body}.\u0000é`
  }
  for (const [fault, token] of Object.entries(rows)) t.equal(await codeOf(token), 'INVALID_TOKEN', fault)
})
