// /api/rooms: creates a room before its first member joins, and lists the rooms.
import { randomBytes } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Static } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import type { RoomSummary as Listed } from '../../../src/broker/broker.js'
import { filledEntriesOf } from '../../../src/comma-list.js'
import { Failure } from '../../../src/errors.js'
import type { PaymentStatus } from '../../../src/protocol/payment-state.js'
import { CreatedRoomResponse, CreateRoomRequest, ListRoomsQuery, RoomListResponse, type RoomSummary } from '../../../src/protocol/rest-rooms.js'
import { errorResponses, success, termsFault } from '../../../src/protocol/rest.js'
import { Ref } from '../../../src/protocol/schema.js'
import { roomUrlFault } from '../../../src/webhooks/destination.js'

const createRoomSchema = {
  operationId: 'createRoom',
  tags: ['Rooms'],
  summary: 'Create a room',
  description: 'Creates the room of a payment. Its events are stored even before the first member joins. Without a `roomId` or a body, the room gets an id of 128 random bits, which cannot be guessed. ' +
    'If joining requires a token, the response has one for each of the two devices.',
  security: [{ apiKey: [] }, {}],
  body: Ref(CreateRoomRequest),
  response: { 201: Ref(CreatedRoomResponse, 'The room was created.'), ...errorResponses(400, 401, 403, 409, 413, 415, 429, 500, 503) }
} satisfies FastifySchema

const listRoomsSchema = {
  operationId: 'listRooms',
  tags: ['Rooms'],
  summary: 'List rooms',
  description: 'Lists the rooms that match, in pages. One request looks at a bounded number of rooms: with filters a page may be short, or empty, and still have a cursor. On a server without API keys every client can list them: see the security notes.',
  security: [{ apiKey: [] }, {}],
  querystring: ListRoomsQuery,
  response: { 200: Ref(RoomListResponse, 'A page of rooms.'), ...errorResponses(400, 401, 403, 429, 500, 503) }
} satisfies FastifySchema

function summaryOf ({ roomId, seq, state, link, createdAt, expiresAt, lastEventAt, isStalled }: Listed, members: number): Static<typeof RoomSummary> {
  const { status, step, outcome, expected, currency, updatedAt } = state
  return {
    ...{ roomId, members, seq, status, step, stalled: isStalled },
    ...(outcome && { verified: outcome.verified }),
    ...(expected !== undefined && { amount: expected }),
    ...(currency !== undefined && { currency }),
    ...(link?.reference !== undefined && { reference: link.reference }),
    ...{ updatedAt, createdAt, expiresAt, lastEventAt }
  }
}

const route: FastifyPluginAsyncTypebox = async (app) => {
  const ttl = app.config.TOKEN_TTL_SECONDS * 1000

  async function mintBoth (roomId: string): Promise<{ device1: string, device2: string } | undefined> {
    if (!app.tokens) return undefined
    const [device1, device2] = await Promise.all([app.tokens.sign({ roomId, role: 'device1' }, ttl), app.tokens.sign({ roomId, role: 'device2' }, ttl)])
    return { device1: device1.token, device2: device2.token }
  }

  app.post('', {
    config: { action: 'manage' },
    // Every key of the body has a default, so the body may be omitted. `null` is not omitted, and not an object.
    preValidation: async (request) => { if (request.body === undefined) request.body = {} },
    schema: createRoomSchema
  }, async ({ body: { roomId = randomBytes(16).toString('base64url'), ttlSeconds, ...terms } }, reply) => {
    const fault = termsFault(terms) ?? roomUrlFault(terms.webhookUrl, { isSigned: app.notifier !== undefined, allowPrivate: app.config.WEBHOOK_ALLOW_PRIVATE })
    if (fault) return reply.fail(fault)
    const created = await app.broker.createRoom(roomId, { ...terms, ttl: ttlSeconds === undefined ? undefined : ttlSeconds * 1000 })
    if (created instanceof Failure) return reply.fail(created)
    const tokens = await mintBoth(roomId)
    return reply.code(201).send(success({ roomId, expiresAt: created.expiresAt, ...(tokens && { tokens }) }, app.now()))
  })

  app.get('', {
    config: { action: 'inspect' },
    schema: listRoomsSchema
  }, async ({ query: { cursor, status, ...query } }, reply) => {
    const statuses = status === undefined ? undefined : filledEntriesOf(status) as PaymentStatus[]
    const page = await app.broker.listRooms({ ...query, statuses, cursor: cursor === undefined ? undefined : Number(cursor) })
    if (page instanceof Failure) return reply.fail(page)
    const rooms = page.rooms.map((room) => summaryOf(room, app.rooms.members(room.roomId, room.remoteMembers).length))
    return success({ rooms, cursor: page.cursor === undefined ? null : String(page.cursor) }, app.now())
  })
}
export default route
