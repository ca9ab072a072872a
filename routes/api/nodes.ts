// GET /api/nodes: all nodes of the server, with their connections.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Failure } from '../../src/errors.js'
import { ServerNodeListResponse } from '../../src/protocol/rest-nodes.js'
import { errorResponses, success } from '../../src/protocol/rest.js'
import { Ref } from '../../src/protocol/schema.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/nodes', {
    config: { action: 'inspect' },
    schema: {
      operationId: 'listNodes',
      tags: ['Server'],
      summary: 'List nodes',
      description: 'Lists the nodes of the server with their starts, sockets, event streams and rooms. Without Redis there is one node. With Redis the figures of other nodes are up to five seconds old, ' +
        'and a node that has died is listed for fifteen seconds more.',
      security: [{ apiKey: [] }, {}],
      response: { 200: Ref(ServerNodeListResponse, 'The nodes.'), ...errorResponses(400, 401, 403, 429, 500, 503) }
    }
  }, async (_request, reply) => {
    const nodes = await app.nodes.list()
    return nodes instanceof Failure ? reply.fail(nodes) : success({ self: app.nodeId, nodes }, app.now())
  })
}
export default route
