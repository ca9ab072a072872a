// /playground: a page to try out a payment with both devices, and the modules that it loads. Not part of the API.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyPluginAsync } from 'fastify'
import { browserModule } from '../src/http/browser-module.js'
import { ROOT } from '../src/root.js'

const CLIENT = join(import.meta.dirname, '..', 'src', 'client')

const route: FastifyPluginAsync = async (app) => {
  if (!app.config.PLAYGROUND) return
  const { default: fastifyStatic } = await import('@fastify/static')
  const qr = dirname(fileURLToPath(import.meta.resolve('qr')))
  app.decorate('routeAction', 'public')
  await app.register(fastifyStatic, { root: join(ROOT, 'pages', 'playground'), prefix: '/playground/', dotfiles: 'ignore', decorateReply: !app.hasReplyDecorator('sendFile') })

  // Relative, so that the redirect works behind a proxy that serves this app under a path.
  app.get('/playground', { schema: { hide: true } }, (_request, reply) => reply.redirect('playground/'))

  app.get('/playground/qr/index.js', { schema: { hide: true } }, (_request, reply) => reply.sendFile('index.js', qr))

  app.get<{ Params: { name: string } }>('/playground/client/:name(^[a-z-]+).js', { schema: { hide: true } }, async ({ params: { name } }, reply) => {
    const text = await browserModule(CLIENT, name)
    if (text === undefined) return reply.callNotFound()
    return reply.type('text/javascript; charset=utf-8').header('cache-control', 'no-cache').send(text)
  })
}
export default route
