// Examples of every REST operation, and headers of its error responses, added to the OpenAPI document.
import type { Static, TSchema } from '@sinclair/typebox'
import { ERRORS, type ErrorCode, type ErrorDetail } from '../errors.js'
import {
  CreatedRoom, CreateRoomRequest, CreateTokenRequest, PublishBatchRequest, PublishBatchResult, PublishRequest, PublishResult, RoomDetails, RoomEvents, RoomList, RoomState,
  RoomToken, UpdateRoomRequest
} from '../protocol/rest-rooms.js'
import { FunnelReport } from '../protocol/rest-funnel.js'
import { ServerNodeList } from '../protocol/rest-nodes.js'
import { ChangeList } from '../protocol/notifications.js'
import { WebhookDeliveries, WebhookDelivery } from '../protocol/rest-deliveries.js'
import { RefusedDeliveries } from '../protocol/rest-webhooks.js'
import { BroadcastRequest, BroadcastResult, Health, Readiness, ServerInfo, ServerStatus, success, type ErrorResponse } from '../protocol/rest.js'

interface Example { readonly summary: string, readonly value: unknown }
type Examples = Readonly<Record<string, Example>>

interface OperationExamples {
  readonly request?: Examples
  /** Examples of the success response, by media type. */
  readonly answers?: Readonly<Record<string, Examples>>
  /** Error codes by status, where they differ from the default {@link CODES}. */
  readonly errors?: Readonly<Record<number, readonly ErrorCode[]>>
  /** The broken rule in the example of the 400 response. */
  readonly broken?: ErrorDetail
  /** Examples of an error status whose response is not the error envelope, by status. */
  readonly alternativeExamples?: Readonly<Record<number, Examples>>
}

const NOW = 1795504813040
const EPOCH = 'yhKhDhBWRLJq'
const DELIVERY = 'msg_Xo3PPN1y1mhbq0NEYq7eG0TLM5qUKFKg'
const TOKEN = 'eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl'

/** Creates an example whose value is typed by its schema. */
const of = <T extends TSchema>(_schema: T, summary: string, value: Static<T>): Example => ({ summary, value })
/** Creates an example in the success envelope, typed by the schema of its data. */
const answer = <T extends TSchema>(schema: T, summary: string, data: Static<T>): Example => of(schema, summary, success(data, NOW))
const json = (examples: Examples) => ({ 'application/json': examples })

const BAD_ROOM = { key: 'roomId', rule: 'must be: Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.' }
const TOKEN_ERRORS = { 401: ['UNAUTHORIZED', 'INVALID_TOKEN', 'TOKEN_EXPIRED'] } as const

const OPERATIONS: Readonly<Record<string, OperationExamples>> = {
  getServerInfo: {
    answers: json({
      info: of(ServerInfo, 'Name, version and endpoints', {
        message: 'WebSocket Payment Server', version: '1.0.0', endpoints: { websocket: 'GET / (Upgrade: websocket)', health: 'GET /health' }, docs: '/docs', timestamp: NOW
      })
    })
  },
  getHealth: { answers: json({ alive: of(Health, 'The process is alive', { status: 'ok', timestamp: NOW }) }) },
  getReadiness: {
    answers: json({ ready: of(Readiness, 'The node accepts traffic', { status: 'ready', checks: { broker: 'up', draining: false, eventLoop: 'ok' } }) }),
    alternativeExamples: { 503: { draining: of(Readiness, 'The process is draining', { status: 'not ready', checks: { broker: 'up', draining: true, eventLoop: 'ok' } }) } }
  },
  getMetrics: { answers: { 'text/plain': { figures: { summary: 'One of the metrics', value: '# HELP wsp_rooms Rooms with members on this node.\n# TYPE wsp_rooms gauge\nwsp_rooms 2\n' } } } },
  getServerStatus: {
    answers: json({
      running: answer(ServerStatus, 'A server with two sockets in one room', { status: 'running', uptime: 17764, totalConnections: 2, totalRooms: 1, timestamp: NOW, version: '1.0.0' })
    })
  },
  createRoom: {
    request: {
      named: of(CreateRoomRequest, 'With an id and a deadline', { roomId: 'payment_123', ttlSeconds: 1800 }),
      priced: of(CreateRoomRequest, 'With an expected amount', { amount: '99.90', currency: 'BRL', reference: 'order 1234', ttlSeconds: 1800 }),
      notified: of(CreateRoomRequest, 'With a URL of its own for webhooks', { webhookUrl: 'https://shop.example/webhooks/payments' }),
      unnamed: of(CreateRoomRequest, 'With a random id', {})
    },
    answers: json({
      open: answer(CreatedRoom, 'On a server without tokens', { roomId: 'payment_123', expiresAt: NOW + 1_800_000 }),
      tokens: answer(CreatedRoom, 'On a server that requires tokens', { roomId: 'payment_123', expiresAt: NOW + 1_800_000, tokens: { device1: TOKEN, device2: TOKEN } })
    }),
    errors: { 409: ['ROOM_EXISTS'] },
    broken: { key: 'ttlSeconds', rule: 'must be >= 1' }
  },
  receiveWebhook: {
    answers: { 'text/plain': { logged: { summary: 'The results are in the log', value: 'ok' }, adyen: { summary: 'The answer that Adyen demands', value: '[accepted]' } } },
    errors: { 404: ['NOT_FOUND'] }
  },
  listRefusedDeliveries: {
    answers: json({
      refused: answer(RefusedDeliveries, 'A result for a room that a backend has closed', {
        deliveries: [{ provider: 'stripe', type: 'PAYMENT_SUCCESS', roomId: 'payment_123', code: 'ROOM_CLOSED', reason: 'The room is closed.', timestamp: NOW - 5000 }]
      })
    }),
    broken: { key: 'limit', rule: 'must be <= 1000' }
  },
  listWebhookDeliveries: {
    answers: json({
      retried: answer(WebhookDeliveries, 'A webhook that waits for its third try, and one that was delivered', {
        deliveries: [
          { id: DELIVERY, roomId: 'payment_123', type: 'payment.succeeded', status: 'pending', attempts: 2, lastStatus: 503, lastError: 'status', nextTryAt: NOW + 200_000, timestamp: NOW - 100_000 },
          { id: 'msg_6TRk8mM0Qh2b3xq1vYc5dJzLwPfGnSaE', roomId: 'payment_122', type: 'payment.failed', status: 'delivered', attempts: 1, lastStatus: 204, nextTryAt: null, timestamp: NOW - 300_000 }
        ]
      })
    }),
    broken: { key: 'limit', rule: 'must be <= 1000' }
  },
  retryWebhookDelivery: {
    answers: json({
      again: answer(WebhookDelivery, 'It is sent now', {
        id: DELIVERY, roomId: 'payment_123', type: 'payment.succeeded', status: 'pending', attempts: 10, lastError: 'timeout', nextTryAt: NOW, timestamp: NOW - 300_000_000
      })
    }),
    errors: { 404: ['NOT_FOUND'] },
    broken: { key: 'id', rule: 'must be: ID of a delivery: the `webhook-id` that the receiver gets.' }
  },
  listRooms: {
    answers: json({
      page: answer(RoomList, 'A page and the cursor of the next page', {
        rooms: [{
          ...{ roomId: 'payment_123', members: 2, seq: 2, status: 'pending', step: 'CLICKED_PROCEED', stalled: false, amount: 99.9, currency: 'BRL', reference: 'order 1234' },
          ...{ updatedAt: NOW - 1000, createdAt: NOW - 3000, expiresAt: NOW + 1_797_000, lastEventAt: NOW - 1000 }
        }],
        cursor: '1'
      }),
      last: answer(RoomList, 'The last page', { rooms: [], cursor: null })
    }),
    broken: { key: 'limit', rule: 'must be <= 1000' }
  },
  getRoom: {
    answers: json({
      paid: answer(RoomDetails, 'A payment that a backend confirmed', {
        roomId: 'payment_123',
        epoch: EPOCH,
        seq: 3,
        state: {
          step: 'CLICKED_PAY', status: 'succeeded', attempt: 1, updatedAt: NOW - 100, method: 'pix', outcome: { verified: true, transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }
        },
        members: [{ clientId: 'client_1795504810171_63d7ce03977f', deviceId: 'device_1', role: 'device1' }],
        createdAt: NOW - 3000,
        expiresAt: NOW + 1_797_000
      })
    }),
    broken: BAD_ROOM
  },
  getRoomState: {
    answers: json({
      refused: answer(RoomState, 'A second attempt, after a refused card', {
        roomId: 'payment_123',
        epoch: EPOCH,
        seq: 5,
        state: {
          step: 'CLICKED_PAY',
          status: 'pending',
          attempt: 2,
          lastError: { error: 'Card declined', code: 'DECLINED', verified: true },
          expected: 99.9,
          currency: 'BRL',
          paid: 0,
          balance: 'none',
          updatedAt: NOW
        }
      })
    }),
    errors: TOKEN_ERRORS,
    broken: BAD_ROOM
  },
  updateRoom: {
    request: {
      extended: of(UpdateRoomRequest, 'Another half an hour', { ttlSeconds: 1800 }),
      changed: of(UpdateRoomRequest, 'Another amount', { amount: '89.90', currency: 'BRL' })
    },
    answers: json({
      changed: answer(RoomDetails, 'The changed room', {
        roomId: 'payment_123',
        epoch: EPOCH,
        seq: 4,
        state: { step: 'ENTERED_SUMMARY', status: 'pending', attempt: 1, expected: 89.9, currency: 'BRL', paid: 0, balance: 'none', updatedAt: NOW },
        reference: 'order 1234',
        members: [],
        createdAt: NOW - 3000,
        expiresAt: NOW + 1_800_000
      })
    }),
    broken: { key: 'ttlSeconds', rule: 'must be >= 1' }
  },
  closeRoom: { broken: BAD_ROOM },
  createRoomToken: {
    request: {
      payer: of(CreateTokenRequest, 'For the payer, with one device only', { role: 'device2', deviceId: 'phone-7' }),
      shop: of(CreateTokenRequest, 'For the shop, for one hour', { role: 'device1', ttlSeconds: 3600 })
    },
    answers: json({ token: answer(RoomToken, 'The token and its expiry time', { token: TOKEN, expiresAt: NOW + 900_000 }) }),
    errors: { 404: ['ROOM_NOT_FOUND', 'NOT_FOUND'] },
    broken: { key: 'role', rule: 'is required' }
  },
  listRoomEvents: {
    answers: {
      ...json({
        recovered: answer(RoomEvents, 'All events after a position', {
          epoch: EPOCH,
          seq: 3,
          recovered: true,
          events: [
            { type: 'CLICKED_PAY', payload: { roomId: 'payment_123', deviceId: 'device_2' }, seq: 2, timestamp: NOW - 1000, source: 'device', id: 'evt-2' },
            { type: 'PAYMENT_SUCCESS', payload: { roomId: 'payment_123', transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }, seq: 3, timestamp: NOW - 100, source: 'api', id: 'psp-42' }
          ],
          more: false
        })
      }),
      'text/event-stream': {
        stream: {
          summary: 'A stream of the events after seq 2',
          value: `: heartbeat 25000\nretry: 2000\n\ndata: {"type":"ROOM_JOINED","payload":{"roomId":"payment_123","deviceId":"backoffice","clientId":"stream_QEDWxjvi6B-e","timestamp":${NOW},` +
            `"epoch":"${EPOCH}","seq":2,"state":{"step":"CLICKED_PAY","status":"pending","updatedAt":${NOW - 1000}},"recovered":true,"replayed":0}}\n\n` +
            `id: ${EPOCH}:3\ndata: {"type":"PAYMENT_SUCCESS","payload":{"roomId":"payment_123","transactionId":"tx_456789"},"seq":3,"timestamp":${NOW},"source":"api","id":"psp-42"}\n\n`
        }
      }
    },
    errors: { ...TOKEN_ERRORS, 409: ['ROOM_FULL', 'ROOM_TAKEN'] },
    broken: { key: 'since', rule: 'must be >= 0' }
  },
  listChanges: {
    answers: {
      ...json({
        paid: answer(ChangeList, 'A payment has succeeded', {
          changes: [{
            position: '1795504761683-1',
            type: 'payment.succeeded',
            timestamp: new Date(NOW).toISOString(),
            data: {
              roomId: 'payment_123',
              reference: 'order 1234',
              epoch: EPOCH,
              seq: 3,
              state: { step: 'CLICKED_PAY', status: 'succeeded', attempt: 1, updatedAt: NOW, outcome: { transactionId: 'tx_456789', verified: true } }
            }
          }],
          position: '1795504761683-1',
          complete: true,
          more: false
        })
      }),
      'text/event-stream': {
        paid: {
          summary: 'A payment succeeds',
          value: 'retry: 2000\n\nevent: open\nid: 1795504761683-0\ndata: {}\n\nid: 1795504761683-1\n' +
            `data: {"type":"payment.succeeded","timestamp":"${new Date(NOW).toISOString()}","data":{"roomId":"payment_123","reference":"order 1234","epoch":"${EPOCH}","seq":3,` +
            `"state":{"step":"CLICKED_PAY","status":"succeeded","attempt":1,"updatedAt":${NOW},"outcome":{"transactionId":"tx_456789","verified":true}}}}\n\n`
        }
      }
    }
  },
  getFunnel: {
    answers: json({
      day: answer(FunnelReport, 'The last day', {
        window: 'day',
        from: NOW - 82_800_000,
        to: NOW,
        steps: [
          { step: 'created', payments: 120, lost: 0, medianSeconds: null, p95Seconds: null },
          { step: 'ENTERED_SUMMARY', payments: 104, lost: 16, medianSeconds: null, p95Seconds: null },
          { step: 'CLICKED_PROCEED', payments: 96, lost: 8, medianSeconds: 8.5, p95Seconds: 41 },
          { step: 'PAYMENT_METHOD_CHANGED', payments: 92, lost: 4, medianSeconds: 6.1, p95Seconds: 30 },
          { step: 'DATA_FILLED', payments: 90, lost: 2, medianSeconds: 22, p95Seconds: 95 },
          { step: 'CLICKED_PAY', payments: 86, lost: 4, medianSeconds: 5.2, p95Seconds: 19 },
          { step: 'paid', payments: 80, lost: 6, medianSeconds: 9.4, p95Seconds: 62 },
          { step: 'verified', payments: 80, lost: 0, medianSeconds: 1.1, p95Seconds: 4.2 }
        ],
        paidShare: 0.77,
        methods: [{ method: 'pix', payments: 60, paid: 57 }, { method: 'credit_card', payments: 26, paid: 23 }]
      })
    }),
    broken: { key: 'window', rule: 'must be equal to one of the allowed values' }
  },
  listNodes: {
    answers: json({
      two: answer(ServerNodeList, 'Two nodes over one Redis', {
        self: '7c1e0f4b92ad',
        nodes: [
          { id: '05d3b8e61f47', name: 'payments-7d9c5b-k4q2m', status: 'running', startedAt: NOW - 86_400_000, version: '1.0.0', sockets: 1840, streams: 12, rooms: 921 },
          { id: '7c1e0f4b92ad', name: 'payments-7d9c5b-x2x8v', status: 'running', startedAt: NOW - 3_600_000, version: '1.0.0', sockets: 310, streams: 4, rooms: 157 }
        ]
      })
    })
  },
  publishRoomEvent: {
    request: {
      success: of(PublishRequest, 'A successful payment', { type: 'PAYMENT_SUCCESS', payload: { transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }, id: 'psp-42' }),
      failure: of(PublishRequest, 'A failed payment', { type: 'PAYMENT_ERROR', payload: { error: 'Card declined', code: 'DECLINED' }, id: 'psp-43' }),
      progress: of(PublishRequest, 'A step of the payment', { type: 'CLICKED_PAY' })
    },
    answers: json({
      first: answer(PublishResult, 'The event was relayed', { epoch: EPOCH, seq: 3, duplicate: false, sentToClients: 2 }),
      again: answer(PublishResult, 'The event was already in the log', { epoch: EPOCH, seq: 3, duplicate: true, sentToClients: 2 })
    }),
    errors: { ...TOKEN_ERRORS, 400: ['INVALID_REQUEST', 'INVALID_FRAME', 'INVALID_JSON', 'SENSITIVE_DATA'] },
    broken: { key: 'type', rule: 'is required' }
  },
  publishRoomEvents: {
    request: {
      closing: of(PublishBatchRequest, 'The last two events of a page that is being closed', { events: [{ type: 'DATA_FILLED', payload: { fields: ['name', 'cpf'] }, id: 'evt-4' }, { type: 'CLICKED_PAY', id: 'evt-5' }] })
    },
    answers: json({
      logged: answer(PublishBatchResult, 'The first event was in the log already', {
        epoch: EPOCH, results: [{ seq: 4, duplicate: true, sentToClients: 1 }, { seq: 5, duplicate: false, sentToClients: 1 }]
      }),
      refused: answer(PublishBatchResult, 'The first event was rejected', {
        epoch: EPOCH, results: [{ code: 'SENSITIVE_DATA', error: 'payload.cvv: names card data, which is not accepted' }, { seq: 5, duplicate: false, sentToClients: 1 }]
      })
    }),
    errors: { ...TOKEN_ERRORS, 400: ['INVALID_REQUEST', 'INVALID_FRAME', 'INVALID_JSON', 'SENSITIVE_DATA'] },
    broken: { key: 'events', rule: 'is required' }
  },
  broadcastToRoom: {
    request: { update: of(BroadcastRequest, 'An update of the payment', { eventType: 'PAYMENT_UPDATE', message: 'Pagamento processado com sucesso!', idSeguro: 'seguro_123456' }) },
    answers: json({
      sent: answer(BroadcastResult, 'Sent to two members', {
        roomId: 'payment_123', eventType: 'PAYMENT_UPDATE', message: 'Pagamento processado com sucesso!', idSeguro: 'seguro_123456', sentToClients: 2, timestamp: NOW
      })
    }),
    errors: { 400: ['INVALID_REQUEST', 'INVALID_JSON', 'SENSITIVE_DATA'] },
    broken: { key: 'message', rule: 'is required' }
  }
}

/** Default error codes of an operation, by status. */
const CODES: Readonly<Record<string, readonly ErrorCode[]>> = {
  400: ['INVALID_REQUEST'],
  401: ['UNAUTHORIZED'],
  403: ['FORBIDDEN'],
  404: ['ROOM_NOT_FOUND'],
  409: ['ID_CONFLICT'],
  410: ['ROOM_CLOSED'],
  413: ['PAYLOAD_TOO_LARGE'],
  414: ['URI_TOO_LONG'],
  415: ['UNSUPPORTED_MEDIA_TYPE'],
  422: ['RESULT_REFUSED'],
  429: ['RATE_LIMITED'],
  500: ['INTERNAL'],
  503: ['UNAVAILABLE']
}

const HEADERS: Readonly<Record<string, object>> = {
  401: { 'WWW-Authenticate': { description: 'The required authentication scheme.', schema: { type: 'string', examples: ['Bearer'] } } },
  429: { 'Retry-After': { description: 'Seconds to wait before the next request.', schema: { type: 'integer', minimum: 0, examples: [1] } } }
}

function errorExample (code: ErrorCode, broken: ErrorDetail | undefined): Example {
  const details = code === 'INVALID_REQUEST' && broken ? [broken] : undefined
  const { message } = ERRORS[code]
  const value: ErrorResponse = {
    success: false, error: details ? `${broken!.key} ${broken!.rule}` : message, code, ...(details && { details }), requestId: 'dHAqEFmxAxdv', timestamp: NOW
  }
  return { summary: message, value }
}

interface Media { schema?: { $ref?: string }, examples?: Examples }
interface Body { content?: Record<string, Media> }
/** The parts of an OpenAPI operation that this module reads and writes. */
export interface DocumentedOperation { operationId: string, requestBody?: Body & { required?: boolean }, responses: Record<string, Body & { headers?: object }> }

function put (body: Body | undefined, mediaType: string, examples: Examples): void {
  const media = body?.content?.[mediaType]
  if (media) media.examples = examples
}

/** Adds examples to a documented operation, and to its error responses the headers that they carry. */
export function addExamples ({ operationId, requestBody, responses }: DocumentedOperation): void {
  const { request, answers = {}, errors = {}, broken, alternativeExamples = {} } = OPERATIONS[operationId] ?? {}
  if (request) put(requestBody, 'application/json', request)
  for (const [status, response] of Object.entries(responses)) {
    if (Number(status) < 400) {
      for (const [mediaType, examples] of Object.entries(answers)) put(response, mediaType, examples)
      continue
    }
    const codes = errors[Number(status)] ?? CODES[status] ?? []
    put(response, 'application/json', alternativeExamples[Number(status)] ?? Object.fromEntries(codes.map((code) => [code, errorExample(code, broken)])))
    if (HEADERS[status]) response.headers = HEADERS[status]
  }
}

/**
 * Marks a request body as optional if none of its keys is required; @fastify/swagger marks every body as required.
 * @param components named schemas of the document
 */
export function markOptionalBody ({ requestBody }: DocumentedOperation, components: Readonly<Record<string, object>>): void {
  const name = requestBody?.content?.['application/json']?.schema?.$ref?.split('/').at(-1)
  const schema = name === undefined ? undefined : components[name]!
  if (requestBody && schema) requestBody.required = 'required' in schema || 'minProperties' in schema
}
