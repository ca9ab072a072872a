// GET /: name, version and endpoints of this server.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { errorResponses, ServerInfo } from '../src/protocol/rest.js'
import { Ref } from '../src/protocol/schema.js'
import { VERSION } from '../src/root.js'

const ENDPOINTS = {
  websocket: 'GET / (Upgrade: websocket)',
  health: 'GET /health',
  readiness: 'GET /ready',
  metrics: 'GET /metrics',
  status: 'GET /api/server/status',
  broadcast: 'POST /api/message/room/:roomId/broadcast',
  createRoom: 'POST /api/rooms',
  listRooms: 'GET /api/rooms',
  getRoom: 'GET /api/rooms/:roomId',
  getRoomState: 'GET /api/rooms/:roomId/state',
  updateRoom: 'PATCH /api/rooms/:roomId',
  closeRoom: 'DELETE /api/rooms/:roomId',
  createRoomToken: 'POST /api/rooms/:roomId/tokens',
  listRoomEvents: 'GET /api/rooms/:roomId/events',
  publishRoomEvent: 'POST /api/rooms/:roomId/events',
  publishRoomEvents: 'POST /api/rooms/:roomId/events/batch',
  listChanges: 'GET /api/events',
  getFunnel: 'GET /api/funnel',
  listNodes: 'GET /api/nodes',
  receiveWebhook: 'POST /webhooks/:provider',
  listRefusedDeliveries: 'GET /api/webhooks/refused'
}

const route: FastifyPluginAsyncTypebox = async (app) => {
  const endpoints = Object.fromEntries(Object.entries({ ...ENDPOINTS, ...(app.config.PLAYGROUND && { playground: 'GET /playground' }), ...(app.config.CONSOLE && { console: 'GET /console' }) })
    .map(([name, endpoint]) => [name, endpoint.replace('/', `${app.prefix}/`)]))

  app.get('/', {
    config: { action: 'public' },
    schema: {
      operationId: 'getServerInfo',
      tags: ['Server'],
      summary: 'Get server information',
      description: 'Returns the name, the version and the endpoints of the server. The same URL with an `Upgrade: websocket` header opens a socket.',
      security: [],
      response: { 200: Ref(ServerInfo, 'The server information.'), ...errorResponses(400, 500) }
    }
  }, async () => ({
    message: 'WebSocket Payment Server', version: VERSION, endpoints, docs: app.config.DOCS ? `${app.prefix}/docs` : null, timestamp: app.now()
  }))
}
export default route
