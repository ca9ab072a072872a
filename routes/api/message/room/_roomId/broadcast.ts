// POST /api/message/room/:roomId/broadcast: sends a backend's message to every socket in a room.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Failure } from '../../../../../src/errors.js'
import { BroadcastRequest, BroadcastResponse, errorResponses, IdempotencyHeaders, RoomParams, success } from '../../../../../src/protocol/rest.js'
import { Ref } from '../../../../../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/broadcast', {
    config: { action: 'manage' },
    schema: {
      operationId: 'broadcastToRoom',
      tags: ['Messages'],
      summary: 'Broadcast a message to a room',
      description: 'Sends a message whose `type` is `eventType` to all members of the room, and stores it in the log of the room for members that reconnect. Returns 404 if the room does not exist.',
      security: [{ apiKey: [] }, {}],
      params: RoomParams,
      headers: IdempotencyHeaders,
      body: Ref(BroadcastRequest),
      response: { 200: Ref(BroadcastResponse, 'The message is in the log and is being sent to all members.'), ...errorResponses(400, 401, 403, 404, 409, 410, 413, 414, 415, 429, 500, 503) }
    }
  }, async (request, reply) => {
    const { params: { roomId }, body: { eventType, message, idSeguro }, headers } = request
    const published = await app.rooms.broadcast(roomId, { eventType, message, idSeguro, redacted: app.isRedacted(request) }, headers['idempotency-key'])
    if (published instanceof Failure) return reply.fail(published)
    const { timestamp, receivers: sentToClients } = published
    return success({ roomId, eventType, message, idSeguro, sentToClients, timestamp }, timestamp)
  })
}
export default route
