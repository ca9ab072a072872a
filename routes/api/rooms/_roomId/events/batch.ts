// /api/rooms/:roomId/events/batch: publishes several events of a device in one step.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Static } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import type { Published } from '../../../../../src/broker/broker.js'
import { Failure } from '../../../../../src/errors.js'
import { MAX_BATCH, MAX_BATCH_BYTES, PublishBatchRequest, PublishBatchResponse, type BatchOutcome } from '../../../../../src/protocol/rest-rooms.js'
import { errorResponses, RoomParams, success } from '../../../../../src/protocol/rest.js'
import { Ref } from '../../../../../src/protocol/schema.js'
import { checkEvent, type RequestedEvent } from '../../../../../src/rooms/rest-event.js'

const publishRoomEventsSchema = {
  operationId: 'publishRoomEvents',
  tags: ['Rooms'],
  summary: 'Publish events in one step',
  description: `Publishes up to ${MAX_BATCH} events in their order, with no event of others between them, for a page that is about to be closed. ` +
    'Each event is what publishRoomEvent makes of it: one that was already sent is a duplicate, and one that is rejected does not hold up those after it. ' +
    'If none was accepted, the response is the error of the first. A result with an API key is rejected: a backend publishes it by itself.',
  security: [{ apiKey: [] }, { roomToken: [] }, {}],
  params: RoomParams,
  body: Ref(PublishBatchRequest),
  response: { 201: Ref(PublishBatchResponse, 'At least one event is in the log.'), ...errorResponses(400, 401, 403, 404, 409, 410, 413, 414, 415, 429, 500, 503) }
} satisfies FastifySchema

const route: FastifyPluginAsyncTypebox = async (app) => {
  const { rooms, now, config } = app

  /** A message over a socket has this limit, too. */
  const isTooLarge = (event: RequestedEvent) => Buffer.byteLength(JSON.stringify(event)) > config.MAX_MESSAGE_BYTES

  app.post('/batch', {
    config: { action: 'publish', checksBody: true },
    bodyLimit: MAX_BATCH_BYTES,
    schema: publishRoomEventsSchema
  }, async (request, reply) => {
    const { params: { roomId }, body } = request
    const sender = app.senderOf(request)
    const events = body.events.map((event) => isTooLarge(event) ? new Failure('PAYLOAD_TOO_LARGE') : checkEvent(roomId, event, sender))
    const outcomes = await rooms.publishAllFromApi(roomId, events, app.claimsOf(request))
    const first = outcomes.find((outcome) => !(outcome instanceof Failure)) ?? outcomes[0]!
    if (first instanceof Failure) return reply.fail(first)
    return reply.code(201).send(success({ epoch: first.epoch, results: outcomes.map(resultOf) }, now()))
  })
}
export default route

function resultOf (outcome: Published | Failure): Static<typeof BatchOutcome> {
  if (outcome instanceof Failure) return { code: outcome.code, error: outcome.message }
  const { seq, duplicate, receivers: sentToClients } = outcome
  return { seq, duplicate, sentToClients }
}
