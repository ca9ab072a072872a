// /api/rooms/:roomId/tokens: issues a room token, which a device sends when it joins.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Failure } from '../../../../src/errors.js'
import { CreateTokenRequest, RoomTokenResponse } from '../../../../src/protocol/rest-rooms.js'
import { errorResponses, RoomParams, success } from '../../../../src/protocol/rest.js'
import { Ref } from '../../../../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  const { broker, config, tokens, now } = app

  app.post('/tokens', {
    config: { action: 'manage' },
    schema: {
      operationId: 'createRoomToken',
      tags: ['Rooms'],
      summary: 'Create a room token',
      description: 'Creates a token for one role in an existing room, optionally for one device only. Returns 404 if the room does not exist or the server does not use tokens.',
      security: [{ apiKey: [] }, {}],
      params: RoomParams,
      body: Ref(CreateTokenRequest),
      response: { 201: Ref(RoomTokenResponse, 'The token.'), ...errorResponses(400, 401, 403, 404, 410, 413, 414, 415, 429, 500, 503) }
    }
  }, async ({ params: { roomId }, body: { role, deviceId, ttlSeconds = config.TOKEN_TTL_SECONDS } }, reply) => {
    if (!tokens) return reply.fail(new Failure('NOT_FOUND', 'This server does not use tokens: TOKEN_SECRET is not set.'))
    const room = await broker.read(roomId)
    if (room instanceof Failure) return reply.fail(room)
    return reply.code(201).send(success(await tokens.sign({ roomId, role, deviceId }, ttlSeconds * 1000), now()))
  })
}
export default route
