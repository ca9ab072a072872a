// /api/rooms/:roomId: reads a room with its payment state and its members, and closes it.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import { Failure } from '../../../../src/errors.js'
import { RoomDetailsResponse, type RoomDetails, UpdateRoomRequest } from '../../../../src/protocol/rest-rooms.js'
import { errorResponses, RoomParams, success, termsFault } from '../../../../src/protocol/rest.js'
import { Ref } from '../../../../src/protocol/schema.js'

const getRoomSchema = {
  operationId: 'getRoom',
  tags: ['Rooms'],
  summary: 'Get a room',
  description: 'Returns the payment state, the terms of the link, the members and the log position of a room.',
  security: [{ apiKey: [] }, {}],
  params: RoomParams,
  response: { 200: Ref(RoomDetailsResponse, 'The room.'), ...errorResponses(400, 401, 403, 404, 410, 414, 429, 500, 503) }
} satisfies FastifySchema

const updateRoomSchema = {
  operationId: 'updateRoom',
  tags: ['Rooms'],
  summary: 'Change a payment link',
  description: 'Changes the terms of the payment link, or extends it, also after its deadline. The members receive `LINK_UPDATED`.',
  security: [{ apiKey: [] }, {}],
  params: RoomParams,
  body: Ref(UpdateRoomRequest),
  response: { 200: Ref(RoomDetailsResponse, 'The room, changed.'), ...errorResponses(400, 401, 403, 404, 410, 413, 414, 415, 429, 500, 503) }
} satisfies FastifySchema

const closeRoomSchema = {
  operationId: 'closeRoom',
  tags: ['Rooms'],
  summary: 'Close a room',
  description: 'Closes a room and deletes its log. Its members receive `ROOM_CLOSED`; later events are rejected with `ROOM_CLOSED`. The room can be created again.',
  security: [{ apiKey: [] }, {}],
  params: RoomParams,
  response: { 204: Type.Null({ description: 'The room was closed.' }), ...errorResponses(400, 401, 403, 404, 410, 413, 414, 415, 429, 500, 503) }
} satisfies FastifySchema

const route: FastifyPluginAsyncTypebox = async (app) => {
  async function detailsOf (roomId: string): Promise<Static<typeof RoomDetails> | Failure> {
    const view = await app.broker.read(roomId)
    if (view instanceof Failure) return view
    const { epoch, seq, state, link, createdAt, expiresAt, remoteMembers } = view
    return { roomId, epoch, seq, state, ...link, members: app.rooms.members(roomId, remoteMembers), createdAt, expiresAt }
  }

  app.get('', {
    config: { action: 'inspect' },
    schema: getRoomSchema
  }, async ({ params: { roomId } }, reply) => {
    const details = await detailsOf(roomId)
    return details instanceof Failure ? reply.fail(details) : success(details, app.now())
  })

  app.patch('', {
    config: { action: 'manage' },
    schema: updateRoomSchema
  }, async ({ params: { roomId }, body: { ttlSeconds, ...terms } }, reply) => {
    const fault = termsFault(terms)
    if (fault) return reply.fail(fault)
    const updated = await app.rooms.updateLink(roomId, terms, ttlSeconds === undefined ? undefined : ttlSeconds * 1000)
    if (updated instanceof Failure) return reply.fail(updated)
    const details = await detailsOf(roomId)
    return details instanceof Failure ? reply.fail(details) : success(details, app.now())
  })

  app.delete('', {
    config: { action: 'manage' },
    schema: closeRoomSchema
  }, async ({ params: { roomId } }, reply) => {
    const failure = await app.rooms.close(roomId)
    if (failure) return reply.fail(failure)
    return reply.code(204).send(null)
  })
}
export default route
