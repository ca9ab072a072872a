// /api/events: lists or streams the changes of all rooms.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifySchema } from 'fastify'
import { changeListOf } from '../../src/changes/feed.js'
import { Failure } from '../../src/errors.js'
import { STREAM_HEADERS } from '../../src/http/stream-headers.js'
import { ChangeListResponse, ChangesHeaders, ChangesQuery } from '../../src/protocol/notifications.js'
import { errorResponses, success } from '../../src/protocol/rest.js'
import { Ref } from '../../src/protocol/schema.js'
import { ChangeEndpoint } from '../../src/sessions/change-endpoint.js'
import { wantsStream } from '../../src/sessions/sse-session.js'

const listChangesSchema = {
  operationId: 'listChanges',
  tags: ['Rooms'],
  summary: 'List or stream the changes of all rooms',
  description: 'Returns the changes of all rooms on all nodes after a position, for backends that cannot receive webhooks, and for consoles. The last 10,000 are kept. With `Accept: text/event-stream` ' +
    'the response is a live stream: `data:` is a notification, as the body of a webhook, and `Last-Event-ID` resumes the stream. Its event `open` has the position at which a new stream starts, and ' +
    'its event `gap` says that changes may be missing.',
  security: [{ apiKey: [] }, {}],
  querystring: ChangesQuery,
  headers: ChangesHeaders,
  response: {
    200: {
      description: 'The changes.',
      content: { 'application/json': { schema: Ref(ChangeListResponse) }, 'text/event-stream': { schema: Type.String() } }
    },
    ...errorResponses(400, 401, 403, 429, 500, 503)
  }
} satisfies FastifySchema

const route: FastifyPluginAsyncTypebox = async (app) => {
  const { changes: { feed }, clientAddress, config, metrics, sessions, transport: { batch } } = app
  const streams = new ChangeEndpoint(sessions, { feed, metrics, maxBytes: config.OUTBOX_MAX_BYTES, settle: () => batch.settle() })

  app.get('/events', {
    config: { action: 'inspect' },
    // A HEAD request would open a stream that is never read and never ends.
    exposeHeadRoute: false,
    schema: listChangesSchema
  }, async (request, reply) => {
    const { query: { after }, headers } = request
    if (wantsStream(headers.accept)) {
      const failure = await streams.open(clientAddress.ofRequest(request), headers['last-event-id'] ?? after, (output) => {
        // The types of a route know JSON responses alone.
        void (reply as FastifyReply).headers(STREAM_HEADERS).send(output)
      })
      return failure ? reply.fail(failure) : reply
    }
    const page = await feed.read(after)
    batch.settle()
    return page instanceof Failure ? reply.fail(page) : success(changeListOf(page), app.now())
  })
}
export default route
