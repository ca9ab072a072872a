// /api/rooms/:roomId/events: lists or streams a room's events, and publishes one.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifySchema } from 'fastify'
import type { RoomView } from '../../../../src/broker/broker.js'
import { Failure } from '../../../../src/errors.js'
import { STREAM_HEADERS } from '../../../../src/http/stream-headers.js'
import { payloadOf } from '../../../../src/websocket/frame-writer.js'
import { EventsQuery, PublishRequest, PublishResultResponse, RoomEventsResponse, type RoomEvent } from '../../../../src/protocol/rest-rooms.js'
import { errorResponses, IdempotencyHeaders, RoomParams, success } from '../../../../src/protocol/rest.js'
import { Ref } from '../../../../src/protocol/schema.js'
import { SseEndpoint } from '../../../../src/sessions/sse-endpoint.js'
import { recoverFrom, wantsStream } from '../../../../src/sessions/sse-session.js'
import { checkEvent } from '../../../../src/rooms/rest-event.js'

const listRoomEventsSchema = {
  operationId: 'listRoomEvents',
  tags: ['Rooms'],
  summary: 'List or stream the events of a room',
  description: 'Returns the events after a position in the log. With `Accept: text/event-stream` the response is a live stream: each message is the same as over a socket, ' +
    '`id:` is `epoch:seq`, and `Last-Event-ID` resumes the stream. Like a join, a stream creates the room if it does not exist.',
  security: [{ apiKey: [] }, { roomToken: [] }, {}],
  params: RoomParams,
  querystring: EventsQuery,
  headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 128, description: 'For a stream: `epoch:seq` of the last received event.', examples: ['yhKhDhBWRLJq:2'] })) }),
  response: {
    200: {
      description: 'The events.',
      content: { 'application/json': { schema: Ref(RoomEventsResponse) }, 'text/event-stream': { schema: Type.String() } }
    },
    ...errorResponses(400, 401, 403, 404, 409, 410, 414, 429, 500, 503)
  }
} satisfies FastifySchema

const publishRoomEventSchema = {
  operationId: 'publishRoomEvent',
  tags: ['Rooms'],
  summary: 'Publish a payment event',
  description: 'Publishes a payment event: one of the seven of devices, or, with an API key, also `PAYMENT_PENDING`, `PAYMENT_CANCELLED`, `PAYMENT_REFUNDED` or `PAYMENT_DISPUTED`. ' +
    'A result with an API key is `verified` and replaces a result that a device reported. After the deadline of the payment link only events with an API key are accepted. ' +
    'An event with an `id` that was already sent, over a socket or here, is not relayed again, so a page that is being closed can send its last event both ways.',
  security: [{ apiKey: [] }, { roomToken: [] }, {}],
  params: RoomParams,
  headers: IdempotencyHeaders,
  body: Ref(PublishRequest),
  response: { 201: Ref(PublishResultResponse, 'The event is in the log.'), ...errorResponses(400, 401, 403, 404, 409, 410, 413, 414, 415, 429, 500, 503) }
} satisfies FastifySchema

const route: FastifyPluginAsyncTypebox = async (app) => {
  const { clientAddress, config, metrics, rooms, sessions, transport: { batch }, now } = app
  const streams = new SseEndpoint(sessions, {
    ...{ rooms, metrics, now, maxBytes: config.OUTBOX_MAX_BYTES, heartbeat: config.HEARTBEAT_SECONDS * 1000 }, settle: () => batch.settle()
  })

  app.get('/events', {
    config: { action: 'read' },
    // A HEAD request would open a stream that is never read and never ends.
    exposeHeadRoute: false,
    schema: listRoomEventsSchema
  }, async (request, reply) => {
    const { params: { roomId }, query: { since, epoch, limit, deviceId, role, presence, stalls }, headers, id } = request
    const claims = app.claimsOf(request)
    if (wantsStream(headers.accept)) {
      const recover = recoverFrom(headers['last-event-id'], { epoch, seq: since })
      const failure = await streams.open({ clientId: `stream_${id}`, address: clientAddress.ofRequest(request), claims }, { roomId, deviceId, role, presence, stalls, recover }, (output) => {
        // The types of a route know JSON responses alone.
        void (reply as FastifyReply).headers(STREAM_HEADERS).send(output)
      })
      return failure ? reply.fail(failure) : reply
    }
    const view = await app.broker.read(roomId, { epoch, seq: since })
    if (view instanceof Failure) return reply.fail(view)
    return success(pageOf(view, limit), now())
  })

  app.post('/events', {
    config: { action: 'publish' },
    schema: publishRoomEventSchema
  }, async (request, reply) => {
    const { params: { roomId }, body, headers } = request
    const event = checkEvent(roomId, body, app.senderOf(request))
    if (event instanceof Failure) return reply.fail(event)
    const published = await rooms.publishFromApi({ ...event, redacted: app.isRedacted(request) }, app.claimsOf(request), headers['idempotency-key'])
    if (published instanceof Failure) return reply.fail(published)
    const { epoch, seq, duplicate, receivers: sentToClients } = published
    return reply.code(201).send(success({ epoch, seq, duplicate, sentToClients }, now()))
  })
}
function pageOf ({ epoch, seq, recovered, entries }: RoomView, limit: number | undefined) {
  const events = entries.slice(0, limit).map(({ frame }) => JSON.parse(payloadOf(frame).toString()) as RoomEvent)
  return { epoch, seq, recovered, events, more: events.length < entries.length }
}

export default route
