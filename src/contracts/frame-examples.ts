// Examples of all messages, at least one each, by the name under which asyncapi.ts publishes the message.
import { DEVICE_EVENT_TYPES } from '../protocol/events.js'

interface FrameExample { readonly name: string, readonly summary: string, readonly payload: Readonly<Record<string, unknown>> }

const NOW = 1795504813040
const EPOCH = 'yhKhDhBWRLJq'
const ROOM = { roomId: 'payment_123' }
const SHOP = { clientId: 'client_1795504810171_63d7ce03977f', deviceId: 'device_1', role: 'device1' }
const PAYER = { clientId: 'client_1795504810175_d003bded8298', deviceId: 'device_2', role: 'device2' }
const FROM_PAYER = { ...ROOM, deviceId: 'device_2' }
const RESULT = { transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }
const PENDING = { step: null, status: 'pending', attempt: 1, updatedAt: NOW }

const example = (name: string, summary: string, frame: FrameExample['payload']): FrameExample => ({ name, summary, payload: frame })

/** Types and payloads of the payer's events, in the order of a payment. */
const PAYLOADS = {
  EnteredSummary: ['ENTERED_SUMMARY', FROM_PAYER],
  ClickedProceed: ['CLICKED_PROCEED', FROM_PAYER],
  PaymentMethodChanged: ['PAYMENT_METHOD_CHANGED', { ...FROM_PAYER, method: 'pix' }],
  DataFilled: ['DATA_FILLED', { ...FROM_PAYER, fields: ['cpf', 'email'] }],
  ClickedPay: ['CLICKED_PAY', FROM_PAYER],
  PaymentSuccess: ['PAYMENT_SUCCESS', { ...FROM_PAYER, ...RESULT }],
  PaymentError: ['PAYMENT_ERROR', { ...FROM_PAYER, error: 'Card declined', code: 'DECLINED' }]
} as const

/** Types, sources and payloads of the events that no device sends. */
const FACTS = {
  PaymentPending: ['PAYMENT_PENDING', 'api', { reason: 'awaiting_payment', method: 'pix', expiresAt: NOW + 900_000 }],
  PaymentCancelled: ['PAYMENT_CANCELLED', 'api', { reason: 'requested_by_customer' }],
  PaymentRefunded: ['PAYMENT_REFUNDED', 'api', { amount: '10.00', currency: 'BRL', transactionId: 'tx_456789', refundId: 're_1' }],
  PaymentDisputed: ['PAYMENT_DISPUTED', 'api', { reason: 'fraudulent', outcome: 'opened' }],
  PaymentExpired: ['PAYMENT_EXPIRED', 'server', {}],
  LinkUpdated: ['LINK_UPDATED', 'server', { amount: 89.9, currency: 'BRL', expiresAt: NOW + 1_800_000 }]
} as const

export const FRAME_EXAMPLES: Readonly<Record<string, readonly FrameExample[]>> = {
  JoinRoom: [
    example('first', 'Device 1 joins the room', { type: 'JOIN_ROOM', payload: { ...ROOM, deviceId: 'device_1' } }),
    example('again', 'A device rejoins with recover and presence', {
      type: 'JOIN_ROOM', payload: { ...FROM_PAYER, role: 'device2', recover: { epoch: EPOCH, seq: 1 }, presence: true }
    }),
    example('token', 'On a server that requires tokens', {
      type: 'JOIN_ROOM', payload: { ...ROOM, token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl' }
    })
  ],
  ...Object.fromEntries(Object.entries(PAYLOADS).flatMap(([key, [type, payload]], i) => [
    [key, [
      example('plain', 'Without acknowledgement', { type, payload }),
      example('acknowledged', 'Acknowledged with ACK', { type, payload, id: `evt-${i + 1}` })
    ]],
    [`Relayed${key}`, [example('relayed', 'With its position in the log', { type, payload, seq: i + 1, timestamp: NOW, source: 'device', id: `evt-${i + 1}` })]]
  ])),
  ...Object.fromEntries(Object.entries(FACTS).map(([key, [type, source, payload]]) => [
    `Relayed${key}`, [example('relayed', 'With its position in the log', { type, payload: { ...ROOM, ...payload }, seq: 8, timestamp: NOW, source })]
  ])),
  Broadcast: [example('update', 'An update from a backend', {
    type: 'PAYMENT_UPDATE',
    payload: { ...ROOM, message: 'Pagamento processado com sucesso!', idSeguro: 'seguro_123456', timestamp: NOW, source: 'api' },
    seq: 8,
    timestamp: NOW,
    source: 'api'
  })],
  LeaveRoom: [example('leave', 'Leaves a room', { type: 'LEAVE_ROOM', payload: ROOM })],
  Ping: [example('ping', 'Without a payload', { type: 'PING' })],
  ConnectionEstablished: [example('greeting', 'The first message', {
    type: 'CONNECTION_ESTABLISHED', payload: { clientId: SHOP.clientId, message: 'Connected to the payment server.', timestamp: NOW, supportedEvents: DEVICE_EVENT_TYPES }
  })],
  RoomJoined: [
    example('first', 'No events yet', {
      type: 'ROOM_JOINED', payload: { ...ROOM, deviceId: 'device_1', clientId: SHOP.clientId, timestamp: NOW, epoch: EPOCH, seq: 0, state: PENDING }
    }),
    example('recovered', 'One missed event follows', {
      type: 'ROOM_JOINED',
      payload: {
        ...FROM_PAYER,
        clientId: PAYER.clientId,
        timestamp: NOW,
        epoch: EPOCH,
        seq: 2,
        state: { step: 'CLICKED_PAY', status: 'failed', attempt: 1, updatedAt: NOW, method: 'pix', outcome: { error: 'Card declined', code: 'DECLINED', verified: false } },
        recovered: true,
        replayed: 1,
        members: [SHOP, PAYER]
      }
    })
  ],
  Ack: [example('first', 'The event is in the log', { type: 'ACK', payload: { id: 'evt-1', ...ROOM, epoch: EPOCH, seq: 1, duplicate: false } })],
  DeviceJoined: [example('payer', 'The payer joined', { type: 'DEVICE_JOINED', payload: { ...ROOM, ...PAYER, timestamp: NOW } })],
  DeviceLeft: [example('payer', 'The payer left', { type: 'DEVICE_LEFT', payload: { ...ROOM, ...PAYER, timestamp: NOW } })],
  PaymentStalled: [example('stalled', 'The payer has paused before paying', { type: 'PAYMENT_STALLED', payload: { ...ROOM, seq: 4, step: 'DATA_FILLED', lastEventAt: NOW - 120_000, timestamp: NOW } })],
  RoomLeft: [example('left', 'The socket stays open', { type: 'ROOM_LEFT', payload: { ...ROOM, timestamp: NOW } })],
  Pong: [example('pong', 'The server responds', { type: 'PONG', payload: { timestamp: NOW } })],
  RoomClosed: [
    example('closed', 'A backend closed the room', { type: 'ROOM_CLOSED', payload: { ...ROOM, reason: 'closed', timestamp: NOW } }),
    example('expired', 'The room expired', { type: 'ROOM_CLOSED', payload: { ...ROOM, reason: 'expired', timestamp: NOW } })
  ],
  Error: [
    example('rule', 'A key has the wrong type', {
      type: 'ERROR', payload: { message: 'payload.amount: expected number', timestamp: NOW, code: 'INVALID_FRAME', retryable: false, id: 'evt-6' }
    }),
    example('unavailable', 'Send the event again with the same id', {
      type: 'ERROR', payload: { message: 'The request could not be confirmed; try again shortly, with the same id.', timestamp: NOW, code: 'UNAVAILABLE', retryable: true, id: 'evt-1' }
    }),
    example('number', 'The seventh message of the socket has an id that breaks the rules', {
      type: 'ERROR', payload: { message: 'id: must be a string of 1–64 printable ASCII characters', timestamp: NOW, code: 'INVALID_FRAME', retryable: false, number: 7 }
    })
  ]
}
