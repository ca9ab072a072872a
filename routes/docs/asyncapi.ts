// GET /docs/asyncapi.json and .yaml: the socket's contract, beside that of the REST API.
import type { FastifyPluginAsync } from 'fastify'
import { stringify } from 'yaml'
import { asyncapi } from '../../src/contracts/asyncapi.js'
import { VERSION } from '../../src/root.js'

const route: FastifyPluginAsync = async (app) => {
  if (!app.config.DOCS) return
  const document = asyncapi(VERSION)
  // It takes tens of milliseconds: too long for a start that nobody asks it of, and for every request.
  let yaml: string | undefined

  app.get('/asyncapi.json', { schema: { hide: true } }, async () => document)
  app.get('/asyncapi.yaml', { schema: { hide: true } }, async (_request, reply) => {
    yaml ??= stringify(document, { aliasDuplicateObjects: false })
    return reply.type('application/x-yaml').send(yaml)
  })
}
export default route
