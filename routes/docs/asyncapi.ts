// GET /docs/asyncapi.json and .yaml: the AsyncAPI document of the socket protocol.
import type { FastifyPluginAsync } from 'fastify'
import { stringify } from 'yaml'
import { asyncapi } from '../../src/contracts/asyncapi.js'
import { VERSION } from '../../src/root.js'

const route: FastifyPluginAsync = async (app) => {
  if (!app.config.DOCS) return
  const document = asyncapi(VERSION, app.prefix.replace(/\/docs$/, '') || '/')
  // Serialised on the first request: it takes tens of milliseconds, too long for every start and for every request.
  let yaml: string | undefined

  app.get('/asyncapi.json', { config: { action: 'public' }, schema: { hide: true } }, async () => document)
  app.get('/asyncapi.yaml', { config: { action: 'public' }, schema: { hide: true } }, async (_request, reply) => {
    yaml ??= stringify(document, { aliasDuplicateObjects: false })
    return reply.type('application/x-yaml').send(yaml)
  })
}
export default route
