// OpenAPI 3.1 from the routes' schemas, and Swagger UI at /docs. Loaded before the routes, or it would not see them.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import { COMPONENTS } from '../src/protocol/rest.js'
import { VERSION } from '../src/root.js'

export default fp(async (app) => {
  for (const schema of COMPONENTS) app.addSchema(schema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'WebSocket Payment Server',
        version: VERSION,
        description: 'The REST API of the server between the two devices of a payment by link. Devices speak WebSocket at `/`; backends look in and speak through this API.',
        license: { name: 'MIT', identifier: 'MIT' },
        contact: { name: 'ws-payment-server' }
      },
      // Relative, so that the same document is right wherever it is served.
      servers: [{ url: '/', description: 'This server' }],
      tags: [
        { name: 'Server', description: 'The process: what it is, whether it lives, what it is doing.' },
        { name: 'Messages', description: 'What a backend says to the devices in a room.' }
      ],
      security: []
    },
    // Components by their own names instead of def-0, def-1 …
    refResolver: { buildLocalReference: (json, _baseUri, _fragment, i) => typeof json.$id === 'string' ? json.$id : `def-${i}` }
  })
  if (app.config.DOCS) await app.register(swaggerUi, { routePrefix: '/docs' })
}, { name: 'swagger' })
