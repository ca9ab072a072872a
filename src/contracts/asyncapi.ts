// AsyncAPI 3.0 document of the socket, generated from the schemas that validate its messages.
import { isDeepStrictEqual } from 'node:util'
import { Type, type TObject, type TSchema } from '@sinclair/typebox'
import { CLOSE, ERRORS } from '../errors.js'
import { MAX_STRING } from '../protocol/fields.js'
import { MAX_DEPTH, MAX_ITEMS, MAX_KEYS } from '../protocol/limits.js'
import { COMMANDS, EVENTS, DEVICE_EVENT_TYPES, PAYMENT_EVENT_TYPES, type CommandType, type EventType } from '../protocol/events.js'
import { FRAME_EXAMPLES } from './frame-examples.js'
import { FrameId } from '../protocol/identifiers.js'
import { BroadcastType } from '../protocol/rest.js'
import { BroadcastPayload, LOGGED, SERVER_FRAMES, type ServerFrameType } from '../protocol/server-frames.js'

/** A message of the protocol, as published. */
interface Message {
  /** The `type` of the message. The type of a broadcast is chosen by the backend, so a fixed name stands here. */
  readonly name: string
  readonly summary: string
  /** Schema of the whole message. */
  readonly schema: TObject
  /** JSON pointer to the `id` that correlates an event with its reply. */
  readonly id?: string
}

const named = <T extends TSchema>(schema: T, $id: string): T => ({ ...schema, $id })
const ownId = Type.Optional(FrameId)

/** Converts a type to a class name: `PAYMENT_SUCCESS` to `PaymentSuccess`. */
const nameOf = (type: string) => type.toLowerCase().replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())
const relayed = (type: EventType) => `Relayed${nameOf(type)}`

function eventMessage (type: EventType): Message {
  const { schema } = EVENTS[type]
  return { name: type, summary: schema.description!, schema: Type.Object({ type: Type.Literal(type), payload: named(schema, `${nameOf(type)}Payload`), id: ownId }), id: '/id' }
}

function relayedMessage (type: EventType): Message {
  const { schema } = EVENTS[type]
  return {
    name: type,
    summary: `${schema.description!.slice(0, -1)}, as relayed to the other members.`,
    schema: Type.Object({ type: Type.Literal(type), payload: named(schema, `${nameOf(type)}Payload`), ...LOGGED }),
    id: '/id'
  }
}

function commandMessage (type: CommandType): Message {
  const schema: TObject = COMMANDS[type]
  const payload = named(schema, `${nameOf(type)}Payload`)
  return { name: type, summary: schema.description!, schema: Type.Object({ type: Type.Literal(type), payload: schema.required ? payload : Type.Optional(payload), id: ownId }) }
}

function serverMessage (type: ServerFrameType): Message {
  const { schema, when } = SERVER_FRAMES[type]
  const message = { name: type, summary: when, schema: Type.Object({ type: Type.Literal(type), payload: named(schema as TObject, `${nameOf(type)}Payload`) }) }
  return 'id' in schema.properties ? { ...message, id: '/payload/id' } : message
}

const COMMAND_TYPES = Object.keys(COMMANDS) as CommandType[]
const SERVER_TYPES = Object.keys(SERVER_FRAMES) as ServerFrameType[]

/** All messages, by published name. */
const MESSAGES: Readonly<Record<string, Message>> = {
  ...Object.fromEntries(DEVICE_EVENT_TYPES.map((type) => [nameOf(type), eventMessage(type)])),
  ...Object.fromEntries(COMMAND_TYPES.map((type) => [nameOf(type), commandMessage(type)])),
  ...Object.fromEntries(PAYMENT_EVENT_TYPES.map((type) => [relayed(type), relayedMessage(type)])),
  Broadcast: {
    name: 'Broadcast',
    summary: 'A message from a backend to all members of the room.',
    schema: Type.Object({ type: BroadcastType, payload: named(BroadcastPayload, 'BroadcastPayload'), ...LOGGED, source: Type.Literal('api') })
  },
  ...Object.fromEntries(SERVER_TYPES.map((type) => [nameOf(type), serverMessage(type)]))
}

/** True if a client must reconnect after this close code: 1012, or the range 4000–4499. */
const reconnects = (code: number) => code === CLOSE.RESTARTING.code || (code >= 4000 && code < 4500)
const CLOSES = Object.values(CLOSE).map(({ code, reason }) => ({ code, reason, reconnect: reconnects(code) }))
const CLOSE_TABLE = ['| Code | Reason | Reconnect |', '| --- | --- | --- |', ...CLOSES.map(({ code, reason, reconnect }) => `| ${code} | ${reason} | ${reconnect ? 'yes' : 'no'} |`)].join('\n')

const DESCRIPTION = `Messages between the server and the two devices of a payment by link. Both devices connect over WebSocket and join the room of the payment. \
This document describes the server: it **receives** the messages of clients, and **sends** messages to them. Backends use the REST API \
(openapi.yaml).

A message is one text frame (UTF-8) with one JSON object. \`roomId\` is the only required key of a payload. A documented key must have its documented type; \
other keys of a payload are relayed, other keys of a message are ignored. A message may have ${MAX_DEPTH} levels, ${MAX_KEYS} keys, ${MAX_ITEMS} array items \
and strings of ${MAX_STRING} characters.`

const CHANNEL = `One socket for several rooms. There is no subprotocol and no query string: a token is sent in \`JOIN_ROOM\`, never in the URL.

The server closes a socket with these codes. After 1012 and 4000–4499, reconnect and join with \`recover\`; after 4500–4999, do not reconnect. The server also \
closes with 1007 (a message is not UTF-8), 1008 (too many fragments), 1009 (a message is too large) and 1002 (any other violation of RFC 6455).

${CLOSE_TABLE}`

const TOKEN = 'Room token (JWT, HS256) in `payload.token` of `JOIN_ROOM`; of the locations that AsyncAPI defines, `password` is the closest. A server with `TOKEN_SECRET` ' +
  'requires it. A token is for one room and one role; a backend creates it over REST. A server without a secret accepts every join.'

const channelMessage = (key: string) => ({ $ref: `#/channels/room/messages/${key}` })

interface Operation { readonly action: 'receive' | 'send', readonly summary: string, readonly description?: string, readonly messages: string[], readonly reply?: string[], readonly isGuarded?: true }

const OPERATIONS: Readonly<Record<string, Operation>> = {
  joinRoom: {
    action: 'receive',
    summary: 'Join a room.',
    description: 'With `recover`, the missed events follow the reply; `replayed` is their number. With `presence`, the reply has `members`.',
    messages: ['JoinRoom'],
    reply: ['RoomJoined', 'Error'],
    isGuarded: true
  },
  publishEvent: {
    action: 'receive',
    summary: 'Publish a payment event.',
    description: 'The event is relayed to all other members of the room. An event with an `id` is confirmed with `ACK`; the same event with the same `id` is relayed once. ' +
      'On a server without tokens the first event joins its sender to the room, as `device2`.',
    messages: DEVICE_EVENT_TYPES.filter((type) => type !== 'JOIN_ROOM').map(nameOf),
    reply: ['Ack', 'Error']
  },
  leaveRoom: { action: 'receive', summary: 'Leave a room; the socket stays open.', messages: ['LeaveRoom'], reply: ['RoomLeft', 'Error'] },
  ping: { action: 'receive', summary: 'Check that the server responds.', messages: ['Ping'], reply: ['Pong'] },
  greet: { action: 'send', summary: 'The first message on every socket.', messages: ['ConnectionEstablished'] },
  relayEvent: {
    action: 'send',
    summary: 'The events of a room, in the same order for all members.',
    description: 'An event from a device goes to all members except its sender, an event from a backend to all members. `seq` increases by one; clients detect duplicates after a recovery by `epoch` and `seq`.',
    messages: [...PAYMENT_EVENT_TYPES.map(relayed), 'Broadcast']
  },
  tellPresence: { action: 'send', summary: 'Changes of the members, sent to members with `presence`.', messages: ['DeviceJoined', 'DeviceLeft'] },
  tellStall: { action: 'send', summary: 'The payer has paused, sent to device 1 with `stalls`.', messages: ['PaymentStalled'] },
  endRoom: { action: 'send', summary: 'The room has ended.', messages: ['RoomClosed'] },
  refuseFrame: { action: 'send', summary: 'A message was rejected.', description: 'The error refers to a particular message only if it has the `id` of that message.', messages: ['Error'] }
}

function operation ({ action, summary, description, messages, reply, isGuarded }: Operation): object {
  const channel = { $ref: '#/channels/room' }
  return {
    action,
    channel,
    summary,
    ...(description !== undefined && { description }),
    ...(isGuarded && { security: [{ $ref: '#/components/securitySchemes/roomToken' }] }),
    messages: messages.map(channelMessage),
    ...(reply && { reply: { channel, messages: reply.map(channelMessage) } })
  }
}

/**
 * Converts a schema to plain JSON. Each schema in it with an `$id`, or else a `title`, becomes a component of that name: generators name classes and enums by it.
 * @throws if two different schemas have the same name
 */
function published (schema: unknown, components: Record<string, unknown>): unknown {
  if (Array.isArray(schema)) return schema.map((item) => published(item, components))
  if (typeof schema !== 'object' || schema === null) return schema
  const { $id, ...rest } = schema as { $id?: string, title?: unknown }
  const plain = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, published(value, components)]))
  const name = $id ?? (typeof rest.title === 'string' ? rest.title : undefined)
  if (name === undefined) return plain
  if (!isDeepStrictEqual(components[name] ??= plain, plain)) throw new Error(`two schemas are called ${name}`)
  return { $ref: `#/components/schemas/${name}` }
}

/** Describes each message. @param schemas receives the named schemas of the payloads */
function messagesWith (schemas: Record<string, unknown>): Record<string, object> {
  return Object.fromEntries(Object.entries(MESSAGES).map(([key, { name, summary, schema, id }]) => [key, {
    name,
    title: key,
    summary,
    contentType: 'application/json',
    ...(id !== undefined && { correlationId: { description: 'The `id` of the event, if it has one.', location: `$message.payload#${id}` } }),
    payload: published(named(schema, key), schemas),
    examples: FRAME_EXAMPLES[key]
  }]))
}

/** WebSocket binding of the channel. */
const HANDSHAKE = {
  method: 'GET',
  headers: { type: 'object', properties: { Origin: { type: 'string', description: 'Sent by browsers; must be one of `ALLOWED_ORIGINS`.' } } },
  bindingVersion: '0.1.0'
}

/**
 * Builds the AsyncAPI document of the socket.
 * @param version version of the server
 * @param path of the socket
 */
export function asyncapi (version: string, path = '/'): Record<string, unknown> {
  const schemas: Record<string, unknown> = {}
  const messages = messagesWith(schemas)
  const host = { host: '{host}', variables: { host: { default: 'localhost:8080', description: 'Host and port of the server.' } } }
  return {
    asyncapi: '3.0.0',
    id: 'urn:ws-payment-server:socket',
    info: {
      title: 'WebSocket Payment Server',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
      contact: { name: 'ws-payment-server' },
      tags: [{ name: 'Rooms', description: 'The rooms of the payments and their events.' }]
    },
    defaultContentType: 'application/json',
    servers: {
      tls: { ...host, protocol: 'wss', description: 'Behind a TLS proxy, as in production.' },
      plain: { ...host, protocol: 'ws', description: 'Directly to the process, without TLS.' }
    },
    channels: {
      room: {
        address: path,
        title: 'Socket',
        description: CHANNEL,
        messages: Object.fromEntries(Object.keys(MESSAGES).map((key) => [key, { $ref: `#/components/messages/${key}` }])),
        bindings: { ws: HANDSHAKE },
        'x-close-codes': CLOSES
      }
    },
    operations: Object.fromEntries(Object.entries(OPERATIONS).map(([key, value]) => [key, operation(value)])),
    components: {
      securitySchemes: { roomToken: { type: 'apiKey', in: 'password', description: TOKEN } },
      messages,
      schemas
    },
    'x-error-codes': Object.fromEntries(Object.entries(ERRORS).map(([code, { message, retryable }]) => [code, { message, retryable }]))
  }
}
