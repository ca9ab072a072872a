// GET /docs/asyncapi.json and .yaml: the socket's contract, beside that of the REST API.
import type { FastifyPluginAsync } from 'fastify'
import { stringify } from 'yaml'
import { asyncapi } from '../../src/protocol/asyncapi.js'
import { VERSION } from '../../src/root.js'

const route: FastifyPluginAsync = async (app) => {
  if (!app.config.DOCS) return
  app.get('/asyncapi.json', { schema: { hide: true } }, async () => asyncapi(VERSION))
  app.get('/asyncapi.yaml', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('application/x-yaml').send(stringify(asyncapi(VERSION), { aliasDuplicateObjects: false })))
}
export default route
