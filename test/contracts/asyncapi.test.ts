// Published contract of the socket: current, valid, complete, true in every example, and fulfilled by the server.
import { Parser } from '@asyncapi/parser'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { CLOSE, ERRORS } from '../../src/errors.js'
import { asyncapi } from '../../src/contracts/asyncapi.js'
import { decodeFrame } from '../../src/protocol/decode.js'
import { draftEvent } from '../../src/broker/event-draft.js'
import { COMMANDS, DEVICE_EVENT_TYPES, EVENTS, isDeviceEvent, PAYMENT_EVENT_TYPES, PUBLISHED_EVENT_TYPES } from '../../src/protocol/events.js'
import { RESERVED_TYPES, SERVER_FRAMES } from '../../src/protocol/server-frames.js'
import { VERSION } from '../../src/root.js'
import { build } from '../build.js'
import { checker, document as documentOf, read } from '../contracts.js'
import { Peer, type Frame } from '../peer.js'

interface Ref { $ref: string }
interface Message { name: string, title: string, summary: string, payload: Ref, examples: { summary: string, payload: any }[] }
interface Operation { action: string, channel: Ref, messages: Ref[], reply?: { channel: Ref, messages: Ref[] }, security?: Ref[] }

const document = documentOf('asyncapi.yaml')
const messages = document.components.messages as Record<string, Message>
const operations = document.operations as Record<string, Operation>
const keyOf = ({ $ref }: Ref) => $ref.split('/').at(-1)!
/** Messages of one direction; replies count as sent. */
const travelling = (action: string) => [...new Set(Object.values(operations).flatMap((operation) => [
  ...(operation.action === action ? operation.messages : []), ...(action === 'send' ? operation.reply?.messages ?? [] : [])
]).map(keyOf))]
const checkPlace = checker(document)
const check = (key: string, frame: unknown) => checkPlace(['components', 'schemas', keyOf(messages[key]!.payload)], frame)

t.test('asyncapi.yaml equals the document made from the schemas', async (t) => {
  t.ok(read('asyncapi.yaml') === stringify(asyncapi(VERSION), { aliasDuplicateObjects: false }), 'run `npm run contracts`')
  t.match(document, { asyncapi: '3.0.0', info: { version: VERSION } })
})

const parsing = new Parser().parse(read('asyncapi.yaml'))

t.test('AsyncAPI\'s own parser reports no finding', async (t) => {
  const findings = async (result: ReturnType<Parser['parse']>) => (await result).diagnostics
    // A newer version of AsyncAPI is no fault.
    .filter(({ code }) => code !== 'asyncapi-latest-version').map(({ code, message, path }) => `${code} at ${path.join('.')}: ${message}`)
  t.strictSame(await findings(parsing), [])
  t.not((await findings(new Parser().parse('asyncapi: 3.0.0\ninfo: {}\n'))).length, 0, 'the parser reports an invalid document')
})

t.test('every message, object and enum has a name, from which generators derive class names', async (t) => {
  const { document } = await parsing
  const anonymous = document!.allSchemas().all().filter((schema) => schema.id().startsWith('<anonymous-schema'))
  t.strictSame(anonymous.filter((schema) => schema.enum() || [schema.type()].flat().includes('object')).map((schema) => schema.json()), [])
  t.strictSame(document!.allMessages().all().map((message) => [message.id(), message.payload()!.id()]), Object.keys(messages).map((key) => [key, key]))
  const enums = document!.allSchemas().all().filter((schema) => schema.enum()).map((schema) => schema.id())
  t.strictSame([...new Set(enums)].sort(), ['DisputeOutcome', 'ErrorCode', 'EventType', 'PaymentBalance', 'PaymentStatus', 'PaymentStep', 'Role', 'RoomClosedReason', 'Source'])
})

t.test('the document has every frame, each in an operation of its direction', async (t) => {
  const namesOf = (keys: string[]) => keys.map((key) => messages[key]!.name).sort()
  t.strictSame(namesOf(travelling('receive')), [...DEVICE_EVENT_TYPES, ...Object.keys(COMMANDS)].sort())
  t.strictSame(namesOf(travelling('send')), [...PAYMENT_EVENT_TYPES, 'Broadcast', ...Object.keys(SERVER_FRAMES)].sort())
  t.strictSame([...travelling('receive'), ...travelling('send')].sort(), Object.keys(messages).sort())
  t.strictSame(Object.keys(document.channels.room.messages).sort(), Object.keys(messages).sort())
  t.strictSame([...new Set(Object.values(messages).map(({ name }) => name))].filter((name) => name !== 'Broadcast').sort(), [...RESERVED_TYPES].sort())
})

t.test('each request has its reply, and the join documents the token that it may need', async (t) => {
  const repliesTo = (key: string) => operations[key]!.reply?.messages.map((message) => messages[keyOf(message)]!.name)
  t.strictSame(repliesTo('joinRoom'), ['ROOM_JOINED', 'ERROR'])
  t.strictSame(repliesTo('publishEvent'), ['ACK', 'ERROR'])
  t.strictSame(repliesTo('leaveRoom'), ['ROOM_LEFT', 'ERROR'])
  t.strictSame(repliesTo('ping'), ['PONG'])
  t.strictSame(operations.joinRoom!.security!.map(keyOf), ['roomToken'])
  t.match(document.components.securitySchemes.roomToken.description, /payload\.token/)
})

t.test('the document has the socket\'s address, close codes and error codes', async (t) => {
  const { address, bindings, description, 'x-close-codes': closes } = document.channels.room
  t.equal(address, '/')
  t.match(bindings.ws, { method: 'GET' })
  t.strictSame(closes.map(({ code, reason }: { code: number, reason: string }) => ({ code, reason })), Object.values(CLOSE))
  t.strictSame(closes.filter(({ reconnect }: { reconnect: boolean }) => reconnect).map(({ code }: { code: number }) => code), [1012, 4001, 4002, 4003, 4004, 4005])
  for (const { code, reason } of Object.values(CLOSE)) t.ok(description.includes(`| ${code} | ${reason} |`))
  t.strictSame(document.components.schemas.ErrorCode.enum, Object.keys(ERRORS))
  t.strictSame(Object.keys(document['x-error-codes']), Object.keys(ERRORS))
})

t.test('every example fits its schema, and the server accepts the examples of client frames', async (t) => {
  for (const [key, { title, summary, examples }] of Object.entries(messages)) {
    t.ok(title === key && summary)
    t.ok(examples.length > 0, `${key} has an example`)
    for (const example of examples) {
      t.ok(example.summary)
      t.strictSame(check(key, example.payload), [], key)
      if (travelling('receive').includes(key)) t.notOk('failure' in decodeFrame(Buffer.from(JSON.stringify(example.payload))), `${key} is accepted`)
    }
    t.not(check(key, { type: 'NONE' }).length, 0, `${key} does not match an unknown frame`)
  }
})

t.test('every frame that the server sends fits the document', async (t) => {
  let time = 1_000_000
  const { app } = await build(t, { now: () => time })
  const shop = await Peer.inject(t, app)
  const payer = await Peer.inject(t, app)
  const room = { roomId: 'r' }
  shop.send('JOIN_ROOM', { ...room, deviceId: 'till', presence: true, stalls: true, recover: { seq: 0 } })
  await shop.next('ROOM_JOINED')
  payer.send('ENTERED_SUMMARY', room)
  await payer.settled()
  for (const seconds of [1, app.config.STALL_SECONDS]) {
    time += seconds * 1000
    await app.broker.tick()
  }
  await shop.next('PAYMENT_STALLED')
  const client = Object.keys(messages).filter((key) => (DEVICE_EVENT_TYPES as string[]).includes(messages[key]!.name) && !key.startsWith('Relayed') && key !== 'JoinRoom')
  for (const key of client) {
    const { type, payload, id } = messages[key]!.examples[1]!.payload as Frame
    payer.send(type, { ...payload, ...room }, id)
  }
  payer.send('CLICKED_PAY', room, 'evt-1')
  await payer.next('ERROR')
  for (const type of PUBLISHED_EVENT_TYPES.filter((type) => !isDeviceEvent(type))) {
    await app.rooms.publishFromApi({ type, payload: room }, { principal: 'backend' })
  }
  for (const type of PAYMENT_EVENT_TYPES.filter((type) => EVENTS[type].sentBy === 'server')) {
    await app.broker.publish('r', draftEvent({ type, payload: room }, { source: 'server', verified: true, timestamp: 1 }), false)
  }
  await app.inject({ method: 'POST', url: '/api/message/room/r/broadcast', payload: { eventType: 'PAYMENT_UPDATE', message: 'm', idSeguro: 'i' } })
  payer.send('LEAVE_ROOM', room)
  await payer.next('ROOM_LEFT')
  await shop.next('DEVICE_LEFT')
  await payer.settled()
  await app.inject({ method: 'DELETE', url: '/api/rooms/r' })
  await shop.next('ROOM_CLOSED')

  const sent = travelling('send')
  const met = new Set<string>()
  for (const frame of [...shop.frames, ...payer.frames]) {
    const key = sent.find((key) => messages[key]!.name === frame.type) ?? 'Broadcast'
    t.strictSame(check(key, frame), [], frame.type)
    met.add(key)
  }
  t.strictSame([...met].sort(), sent.sort(), 'the server sent every documented frame')
})

t.test('/docs serves the document as JSON and as YAML', async (t) => {
  const { app } = await build(t)
  const inJson = await app.inject('/docs/asyncapi.json')
  t.match(inJson.headers['content-type'], /^application\/json/)
  t.strictSame(inJson.json(), document)
  const inYaml = await app.inject('/docs/asyncapi.yaml')
  t.match(inYaml.headers['content-type'], /yaml/)
  t.strictSame(parse(inYaml.body), document)
  t.notOk(Object.keys((await app.inject('/docs/json')).json().paths).some((path) => path.startsWith('/docs')), 'the path is not part of the API')
})

t.test('/docs/asyncapi.json and .yaml answer 404 with DOCS=false', async (t) => {
  const { app } = await build(t, { env: { DOCS: 'false' } })
  for (const kind of ['json', 'yaml']) t.equal((await app.inject(`/docs/asyncapi.${kind}`)).statusCode, 404)
})
