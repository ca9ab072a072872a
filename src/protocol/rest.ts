// Schemas of the REST API: the envelope of every response, the server's status, and the broadcast.
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { ERROR_CODES, Failure } from '../errors.js'
import { MAX_STRING, Timestamp } from './fields.js'
import { RoomId } from './identifiers.js'
import { moneyFault, type Amount } from './money.js'
import { RESERVED_TYPES } from './server-frames.js'
import { Nullable, Ref, StringEnum } from './schema.js'

export const ErrorResponse = Type.Object({
  success: Type.Literal(false),
  error: Type.String({ description: 'Error message for people.', examples: ['The room does not exist.'] }),
  code: StringEnum(ERROR_CODES, { description: 'Error code for programs.', examples: ['ROOM_NOT_FOUND'] }),
  details: Type.Optional(Type.Array(Type.Object({
    key: Type.String({ examples: ['message'] }), rule: Type.String({ examples: ['is required'] })
  }), { description: 'The violated rules.' })),
  requestId: Type.String({ description: 'ID of the request in the log of the server.', examples: ['Zm9vYmFyYmF6'] }),
  timestamp: Timestamp
}, { $id: 'ErrorResponse', description: 'Envelope of every error response.' })
export type ErrorResponse = Static<typeof ErrorResponse>

export const ServerInfo = Type.Object({
  message: Type.String({ examples: ['WebSocket Payment Server'] }),
  version: Type.String({ examples: ['1.0.0'] }),
  endpoints: Type.Record(Type.String(), Type.String(), { examples: [{ health: 'GET /health' }] }),
  docs: Nullable(Type.String(), { description: 'Path of the documentation; null if it is not served.', examples: ['/docs'] }),
  timestamp: Timestamp
}, { $id: 'ServerInfo' })

export const Health = Type.Object({
  status: Type.Literal('ok'),
  timestamp: Timestamp
}, { $id: 'Health' })

export const Readiness = Type.Object({
  status: StringEnum(['ready', 'not ready']),
  checks: Type.Object({
    broker: StringEnum(['up', 'down'], { description: '`up` if rooms can be read and written.' }),
    draining: Type.Boolean({ description: 'True if the process is shutting down.' }),
    eventLoop: StringEnum(['ok', 'delayed'], { description: '`delayed` if the event loop is overloaded.' })
  }),
  reason: Type.Optional(Type.String({ description: 'Reason why rooms cannot be read and written.', examples: ['it refuses writes: out of memory (maxmemory)'] }))
}, { $id: 'Readiness' })
export type Readiness = Static<typeof Readiness>

export const ServerStatus = Type.Object({
  status: StringEnum(['running', 'draining'], { examples: ['running'] }),
  uptime: Type.Integer({ description: 'Milliseconds since the start of the server.', examples: [3600000] }),
  totalConnections: Type.Integer({ description: 'Open sockets and event streams.', examples: [5] }),
  totalRooms: Type.Integer({ description: 'Rooms with members.', examples: [2] }),
  timestamp: Timestamp,
  version: Type.String({ examples: ['1.0.0'] })
}, { $id: 'ServerStatus' })
export type ServerStatus = Static<typeof ServerStatus>

/** The `type` of a backend's broadcast. */
export const BroadcastType = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: `^(?!(?:${[...RESERVED_TYPES].join('|')}|__proto__|constructor|prototype)$)[A-Za-z0-9_.:-]+$`,
  description: 'The `type` of the message that the clients receive: 1–64 characters of `A-Z a-z 0-9 _ . : -`, except the types of the protocol.',
  examples: ['PAYMENT_UPDATE']
})

export const BroadcastRequest = Type.Object({
  eventType: BroadcastType,
  message: Type.String({ minLength: 1, maxLength: MAX_STRING, examples: ['Pagamento processado com sucesso!'] }),
  idSeguro: Type.String({ minLength: 1, maxLength: MAX_STRING, examples: ['seguro_123456'] })
}, { $id: 'BroadcastRequest' })

export const BroadcastResult = Type.Object({
  roomId: RoomId,
  eventType: Type.String({ examples: ['PAYMENT_UPDATE'] }),
  message: Type.String({ examples: ['Pagamento processado com sucesso!'] }),
  idSeguro: Type.String({ examples: ['seguro_123456'] }),
  sentToClients: Type.Integer({ description: 'Number of members that the message was sent to. 0: the message is only in the log.', examples: [2] }),
  timestamp: Timestamp
}, { $id: 'BroadcastResult' })

export const RoomParams = Type.Object({ roomId: RoomId })

/** Wraps the schema of a response's data in the success envelope, as a named component. */
export const successEnvelope = <T extends TSchema & { $id?: string }>(data: T) => Type.Object({
  success: Type.Literal(true),
  data: Ref(data),
  timestamp: Timestamp
}, { $id: `${data.$id}Response` })

export const ServerStatusResponse = successEnvelope(ServerStatus)
export const BroadcastResponse = successEnvelope(BroadcastResult)

/** Makes a request idempotent: the same key and body get the first response again, another body is a conflict. */
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({
    minLength: 1, maxLength: 255, description: 'Makes the request idempotent: the same key with the same body returns the first result, with another body 409. A text of your choice, such as `order-1234-paid`.'
  }))
})

/** Named OpenAPI components of this file. */
export const SERVER_COMPONENTS = [
  ErrorResponse, ServerInfo, Health, Readiness, ServerStatus, ServerStatusResponse, BroadcastRequest, BroadcastResult, BroadcastResponse
]

const ERROR_ANSWERS = {
  400: 'The request is invalid; `details` lists the violated rules.',
  401: 'The API key or room token is missing or invalid.',
  403: 'The credentials do not allow this operation.',
  404: 'The room does not exist.',
  409: 'The request conflicts with the state of the room.',
  410: 'The room is closed.',
  413: 'The request body is too large.',
  414: 'The URL is too long.',
  415: 'The content type is not `application/json`.',
  422: 'A result breaks a rule of the server.',
  429: 'Too many requests; `Retry-After` has the seconds to wait.',
  500: 'An internal error occurred.',
  503: 'The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`.'
}

/** Error responses of a route, for its `response` schema. */
export function errorResponses<const S extends keyof typeof ERROR_ANSWERS> (...statuses: S[]): Record<S, typeof ErrorResponse> {
  return Object.fromEntries(statuses.map((status) => [status, Ref(ErrorResponse, ERROR_ANSWERS[status])])) as Record<S, typeof ErrorResponse>
}

/** Checks the money in the terms of a payment link. */
export function termsFault ({ amount, currency }: { amount?: Amount | undefined, currency?: string | undefined }): Failure | undefined {
  const fault = amount !== undefined && currency === undefined ? { key: 'currency', rule: 'is required with an amount' } : moneyFault({ amount, currency })
  return fault && new Failure('INVALID_REQUEST', `${fault.key} ${fault.rule}`, [fault])
}

/** Wraps data in the success envelope of the REST API. */
export function success<T> (data: T, timestamp: number): { success: true, data: T, timestamp: number } {
  return { success: true, data, timestamp }
}

/** Wraps a failure in the error envelope of the REST API. */
export function errorResponse ({ code, message, details }: Failure, requestId: string, timestamp: number): ErrorResponse {
  return { success: false, error: message, code, ...(details && { details: [...details] }), requestId, timestamp }
}
