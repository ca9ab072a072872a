// /api/rooms/:roomId: reads a room with its payment state and its members, and closes it.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { Failure } from '../../../../src/errors.js'
import { RoomDetailsResponse } from '../../../../src/protocol/rest-rooms.js'
import { errorResponses, RoomParams, success } from '../../../../src/protocol/rest.js'
import { Ref } from '../../../../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.get('', {
    config: { action: 'inspect' },
    schema: {
      operationId: 'getRoom',
      tags: ['Rooms'],
      summary: 'Get a room',
      description: 'Returns the payment state, the members and the log position of a room.',
      security: [{ apiKey: [] }, {}],
      params: RoomParams,
      response: { 200: Ref(RoomDetailsResponse, 'The room.'), ...errorResponses(400, 401, 403, 404, 410, 414, 429, 500, 503) }
    }
  }, async ({ params: { roomId } }, reply) => {
    const view = await app.broker.read(roomId)
    if (view instanceof Failure) return reply.fail(view)
    const { epoch, seq, state, createdAt, expiresAt, remoteMembers } = view
    return success({ roomId, epoch, seq, state, members: app.rooms.members(roomId, remoteMembers), createdAt, expiresAt }, app.now())
  })

  app.delete('', {
    config: { action: 'manage' },
    schema: {
      operationId: 'closeRoom',
      tags: ['Rooms'],
      summary: 'Close a room',
      description: 'Closes a room and deletes its log. Its members receive `ROOM_CLOSED`; later events are rejected with `ROOM_CLOSED`. The room can be created again.',
      security: [{ apiKey: [] }, {}],
      params: RoomParams,
      response: { 204: Type.Null({ description: 'The room was closed.' }), ...errorResponses(400, 401, 403, 404, 410, 413, 414, 415, 429, 500, 503) }
    }
  }, async ({ params: { roomId } }, reply) => {
    const failure = await app.rooms.close(roomId)
    if (failure) return reply.fail(failure)
    return reply.code(204).send(null)
  })
}
export default route
