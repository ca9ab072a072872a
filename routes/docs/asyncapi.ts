// GET /docs/asyncapi.json and .yaml: the AsyncAPI document of the socket protocol.
import type { FastifyPluginAsync } from 'fastify'
import { stringify } from 'yaml'
import { asyncapi } from '../../src/contracts/asyncapi.js'
import { VERSION } from '../../src/root.js'

const route: FastifyPluginAsync = async (app) => {
  if (!app.config.DOCS) return
  const document = asyncapi(VERSION)
  // Serialised on the first request: it takes tens of milliseconds, too long for every start and for every request.
  let yaml: string | undefined

  app.get('/asyncapi.json', { schema: { hide: true } }, async () => document)
  app.get('/asyncapi.yaml', { schema: { hide: true } }, async (_request, reply) => {
    yaml ??= stringify(document, { aliasDuplicateObjects: false })
    return reply.type('application/x-yaml').send(yaml)
  })
}
export default route
