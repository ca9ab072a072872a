// /console: a page for operators, who see the live payments and act on them through the REST API, and what its visitor may do there. Not part of the API.
import { join } from 'node:path'
import type { FastifyPluginAsync } from 'fastify'
import { isAllowed } from '../src/auth/policy.js'
import { success } from '../src/protocol/rest.js'
import { ROOT } from '../src/root.js'

const route: FastifyPluginAsync = async (app) => {
  const { config: { CONSOLE, PLAYGROUND, RESULTS_FROM }, tokens } = app
  if (!CONSOLE) return
  const { default: fastifyStatic } = await import('@fastify/static')

  app.get('/console/access', { config: { action: 'inspect' }, schema: { hide: true } }, async (request) => {
    const claims = app.claimsOf(request)
    const settings = { resultsFrom: RESULTS_FROM }
    return success({
      manages: isAllowed(claims, { to: 'manage' }, settings),
      isBackend: claims.principal === 'backend',
      hasTokens: tokens !== undefined,
      playground: PLAYGROUND
    }, app.now())
  })

  app.decorate('routeAction', 'public')
  await app.register(fastifyStatic, {
    root: [join(ROOT, 'pages', 'console'), join(ROOT, 'pages', 'shared')], prefix: '/console/', dotfiles: 'ignore', decorateReply: false
  })
  // Relative, so that the redirect works behind a proxy that serves this app under a path.
  app.get('/console', { schema: { hide: true } }, (_request, reply) => reply.redirect('console/'))
}
export default route
