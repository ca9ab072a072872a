// Schemas of the REST API: the envelope of every response, the server's status, and the broadcast.
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { ERROR_CODES, type Failure } from '../errors.js'
import { MAX_STRING, Timestamp } from './fields.js'
import { RoomId } from './identifiers.js'
import { RESERVED_TYPES } from './server-frames.js'
import { Nullable, Ref, StringEnum } from './schema.js'

export const ErrorResponse = Type.Object({
  success: Type.Literal(false),
  error: Type.String({ description: 'What went wrong, as a sentence.', examples: ['There is no such room.'] }),
  code: StringEnum(ERROR_CODES, { description: 'What went wrong, for programs.', examples: ['ROOM_NOT_FOUND'] }),
  details: Type.Optional(Type.Array(Type.Object({
    key: Type.String({ examples: ['message'] }), rule: Type.String({ examples: ['is required'] })
  }), { description: 'Each broken rule.' })),
  requestId: Type.String({ description: 'Names this request in the server\'s log.', examples: ['Zm9vYmFyYmF6'] }),
  timestamp: Timestamp
}, { $id: 'ErrorResponse', description: 'Every error of the API has this shape.' })
export type ErrorResponse = Static<typeof ErrorResponse>

export const ServerInfo = Type.Object({
  message: Type.String({ examples: ['WebSocket Payment Server'] }),
  version: Type.String({ examples: ['1.0.0'] }),
  endpoints: Type.Record(Type.String(), Type.String(), { examples: [{ health: 'GET /health' }] }),
  docs: Nullable(Type.String(), { description: 'Where the documentation is, if it is served.', examples: ['/docs'] }),
  timestamp: Timestamp
}, { $id: 'ServerInfo' })

export const Health = Type.Object({
  status: Type.Literal('ok'),
  timestamp: Timestamp
}, { $id: 'Health' })

export const Readiness = Type.Object({
  status: StringEnum(['ready', 'not ready']),
  checks: Type.Object({
    broker: StringEnum(['up', 'down'], { description: 'Whether rooms can be read and written.' }),
    draining: Type.Boolean({ description: 'The process is on its way out.' }),
    eventLoop: StringEnum(['ok', 'delayed'], { description: 'Whether the process keeps up with its work.' })
  }),
  reason: Type.Optional(Type.String({ description: 'Why rooms cannot be read and written.', examples: ['it refuses writes: out of memory (maxmemory)'] }))
}, { $id: 'Readiness' })
export type Readiness = Static<typeof Readiness>

export const ServerStatus = Type.Object({
  status: StringEnum(['running', 'draining'], { examples: ['running'] }),
  uptime: Type.Integer({ description: 'Milliseconds since the start.', examples: [3600000] }),
  totalConnections: Type.Integer({ description: 'Sockets and event streams that are open now.', examples: [5] }),
  totalRooms: Type.Integer({ description: 'Rooms with somebody in them now.', examples: [2] }),
  timestamp: Timestamp,
  version: Type.String({ examples: ['1.0.0'] })
}, { $id: 'ServerStatus' })
export type ServerStatus = Static<typeof ServerStatus>

/** The `type` of a backend's broadcast. */
export const BroadcastType = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: `^(?!(?:${[...RESERVED_TYPES].join('|')}|__proto__|constructor|prototype)$)[A-Za-z0-9_.:-]+$`,
  description: 'The `type` of the frame that the clients get: 1–64 characters of `A-Z a-z 0-9 _ . : -`, and no name that the protocol itself uses.',
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
  sentToClients: Type.Integer({ description: 'Sockets that it was handed to. 0: the event waits in the log.', examples: [2] }),
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
    minLength: 1, maxLength: 255, description: 'The same key with the same body is done once and answered alike; with another body it is a 409.', examples: ['order-1234-paid']
  }))
})

/** Named OpenAPI components of this file. */
export const SERVER_COMPONENTS = [
  ErrorResponse, ServerInfo, Health, Readiness, ServerStatus, ServerStatusResponse, BroadcastRequest, BroadcastResult, BroadcastResponse
]

const ERROR_ANSWERS = {
  400: 'The request breaks a rule; `details` names each.',
  401: 'An API key is needed.',
  403: 'This is not allowed here.',
  404: 'There is no such room.',
  409: 'It conflicts with what is there.',
  410: 'The room is closed.',
  413: 'The body is too large.',
  414: 'The address is too long.',
  415: 'The body is not JSON.',
  429: 'Too many requests; `Retry-After` says when the next one may come.',
  500: 'The server failed.',
  503: 'The rooms cannot be reached; try again, an event with the same id or key.'
}

/** Error responses of a route, for its `response` schema. */
export function errorResponses<const S extends keyof typeof ERROR_ANSWERS> (...statuses: S[]): Record<S, typeof ErrorResponse> {
  return Object.fromEntries(statuses.map((status) => [status, Ref(ErrorResponse, ERROR_ANSWERS[status])])) as Record<S, typeof ErrorResponse>
}

/** Wraps data in the success envelope of the REST API. */
export function success<T> (data: T, timestamp: number): { success: true, data: T, timestamp: number } {
  return { success: true, data, timestamp }
}

/** Wraps a failure in the error envelope of the REST API. */
export function errorResponse ({ code, message, details }: Failure, requestId: string, timestamp: number): ErrorResponse {
  return { success: false, error: message, code, ...(details && { details: [...details] }), requestId, timestamp }
}
