// /api/rooms/:roomId/state: the state of a payment alone, for pages that poll.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Failure } from '../../../../src/errors.js'
import { RoomStateResponse } from '../../../../src/protocol/rest-rooms.js'
import { errorResponses, RoomParams, success } from '../../../../src/protocol/rest.js'
import { Ref } from '../../../../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/state', {
    config: { action: 'read' },
    schema: {
      operationId: 'getRoomState',
      tags: ['Rooms'],
      summary: 'Get the state of a payment',
      description: 'Returns the payment state of a room. Both devices may read it with their room tokens. A page that can keep a connection gets the state faster over a socket or an event stream.',
      security: [{ apiKey: [] }, { roomToken: [] }, {}],
      params: RoomParams,
      response: { 200: Ref(RoomStateResponse, 'The state.'), ...errorResponses(400, 401, 403, 404, 410, 414, 429, 500, 503) }
    }
  }, async ({ params: { roomId } }, reply) => {
    const view = await app.broker.read(roomId)
    if (view instanceof Failure) return reply.fail(view)
    const { epoch, seq, state } = view
    return success({ roomId, epoch, seq, state }, app.now())
  })
}
export default route
