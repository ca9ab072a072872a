// GET /api/server/status: uptime, connections and rooms of this node.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { errorResponses, ServerStatusResponse, success } from '../../../src/protocol/rest.js'
import { Ref } from '../../../src/protocol/schema.js'
import { VERSION } from '../../../src/root.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  const startedAt = app.monotonic()
  app.get('/status', {
    config: { action: 'inspect' },
    schema: {
      operationId: 'getServerStatus',
      tags: ['Server'],
      summary: 'Get the server status',
      description: 'Returns the uptime, the open connections and the rooms with members of the node that responds.',
      security: [{ apiKey: [] }, {}],
      response: { 200: Ref(ServerStatusResponse, 'The status.'), ...errorResponses(400, 401, 403, 429, 500) }
    }
  }, async () => {
    const timestamp = app.now()
    return success({
      status: app.sessions.draining ? 'draining' as const : 'running' as const,
      uptime: Math.round(app.monotonic() - startedAt),
      totalConnections: app.sessions.size,
      totalRooms: app.rooms.size,
      timestamp,
      version: VERSION
    }, timestamp)
  })
}
export default route
