// OpenAPI 3.1 document from the routes' schemas, and Swagger UI at /docs. Registered before the routes, which it would not see otherwise.
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import fp from 'fastify-plugin'
import type * as Examples from '../src/contracts/rest-examples.js'
import type { DocumentedOperation } from '../src/contracts/rest-examples.js'
import { Documentation } from '../src/http/documentation.js'
import { VERSION } from '../src/root.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** OpenAPI document of the routes; call it after `ready()`. */
    openapi: () => ReturnType<Documentation['document']>
  }
}

type DocumentObject = Parameters<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>>[0]

const PATH = '/docs'

export default fp(async (app) => {
  const documentation = new Documentation(app, { path: PATH, load: () => optionsAt(app.prefix) })
  app.decorate('openapi', () => documentation.document())
  if (!app.config.DOCS) return
  for (const url of [PATH, `${PATH}/*`]) {
    app.get(url, { config: { action: 'public' }, schema: { hide: true } }, (request, reply) => documentation.answer(request, reply))
  }
}, { name: 'swagger', dependencies: ['guards', 'schemas'] })

/** Options of the document. Its parts are loaded with it. */
async function optionsAt (prefix: string): Promise<FastifyDynamicSwaggerOptions> {
  const [examples, { OPENAPI_WEBHOOKS }] = await Promise.all([import('../src/contracts/rest-examples.js'), import('../src/contracts/webhooks.js')])
  return {
    openapi: documentAt(prefix, OPENAPI_WEBHOOKS),
    transformObject: (document) => completeOperations(document, examples),
    // Components keep their own names instead of def-0, def-1 …
    refResolver: { buildLocalReference: (json, _baseUri, _fragment, i) => typeof json.$id === 'string' ? json.$id : `def-${i}` }
  }
}

/** The document without its operations. @param prefix path of the server; empty at the root @param webhooks those that the server sends */
const documentAt = (prefix: string, webhooks: object): NonNullable<FastifyDynamicSwaggerOptions['openapi']> => ({
  openapi: '3.1.0',
  info: {
    title: 'WebSocket Payment Server',
    version: VERSION,
    description: 'REST API of the server that connects the two devices of a payment by link. Devices connect over WebSocket at `' + (prefix || '/') + '` (see asyncapi.yaml); backends read rooms and publish events through this API. ' +
      'A request can also be rejected at the HTTP level, before it reaches an operation: 408, 417 and 431, with the same error envelope. ' +
      'A URL or method without an operation returns 404 with that envelope, unless the URL or the body is rejected first (400, 413, 414, 415). ' +
      '`OPTIONS` returns 204 for every URL, for CORS.',
    license: { name: 'MIT', identifier: 'MIT' },
    contact: { name: 'ws-payment-server' }
  },
  // Relative, so that the document is valid wherever it is served.
  servers: [{ url: '/', description: 'This server' }],
  tags: [
    { name: 'Rooms', description: 'The rooms of the payments, their events and their tokens.' },
    { name: 'Webhooks', description: 'The webhooks of payment providers, and those that the server sends to backends.' },
    { name: 'Messages', description: 'Messages from a backend to the devices in a room.' },
    { name: 'Server', description: 'Information, health, status and metrics of the server, its nodes and the funnel.' }
  ],
  components: {
    securitySchemes: {
      apiKey: { type: 'http', scheme: 'bearer', description: 'One of the API keys of the server. A server without API keys is open and accepts any key.' },
      roomToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'A token for one room and one role, if the server requires tokens.' }
    }
  },
  // The types of the library know documents of OpenAPI 3.0 alone.
  ...{ webhooks },
  security: []
})

/** Adds to each operation what the schemas of the routes cannot say: examples, and a body that may be left out. */
function completeOperations (document: DocumentObject, { addExamples, markOptionalBody }: typeof Examples): ReturnType<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>> {
  if (!('openapiObject' in document)) return document.swaggerObject
  const { paths, components } = document.openapiObject
  for (const operation of Object.values(paths ?? {}).flatMap((item) => Object.values(item ?? {}) as DocumentedOperation[])) {
    addExamples(operation)
    markOptionalBody(operation, components?.schemas ?? {})
  }
  return document.openapiObject
}
