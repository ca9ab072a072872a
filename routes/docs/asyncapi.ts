// GET /docs/asyncapi.json and .yaml: the AsyncAPI document of the socket protocol.
import type { FastifyPluginAsync } from 'fastify'
import { VERSION } from '../../src/root.js'

const route: FastifyPluginAsync = async (app) => {
  if (!app.config.DOCS) return
  const root = app.prefix.replace(/\/docs$/, '') || '/'
  // Loaded and serialised on the first request: it takes tens of milliseconds, too long for every start and for every request.
  let document: Promise<object> | undefined
  let yaml: Promise<string> | undefined
  const load = () => (document ??= import('../../src/contracts/asyncapi.js').then(({ asyncapi }) => asyncapi(VERSION, root)))
  const serialise = async () => (await import('yaml')).stringify(await load(), { aliasDuplicateObjects: false })

  app.get('/asyncapi.json', { config: { action: 'public' }, schema: { hide: true } }, load)
  app.get('/asyncapi.yaml', { config: { action: 'public' }, schema: { hide: true } }, async (_request, reply) => reply.type('application/x-yaml').send(await (yaml ??= serialise())))
}
export default route
