// CORS: the origins whose pages may use the REST API. The WebSocket handshake checks `Origin` against the same list.
import { createRequire } from 'node:module'
import fp from 'fastify-plugin'
import { allowedOrigins } from '../src/config.js'

// Required: an import would make Node.js search its text for exports before it runs it.
const { default: cors } = createRequire(import.meta.url)('@fastify/cors') as typeof import('@fastify/cors')

export default fp(async (app) => {
  // The server has CORS for all its routes already, and answers preflights before this context is asked.
  if (app.hasRequestDecorator('corsPreflightEnabled')) return
  // The library's route for preflights is `<prefix>*`, which would also answer for other paths that begin like the prefix.
  app.addHook('onRoute', (route) => { if (route.method === 'OPTIONS' && route.url === `${app.prefix}*`) route.url = `${app.prefix}/*` })
  await app.register(cors, {
    origin: allowedOrigins(app.config) ?? '*',
    // An OPTIONS request that is not a preflight gets the same answer; the default is an error outside our envelope.
    strictPreflight: false,
    methods: ['GET', 'POST', 'DELETE'],
    // Time for which a browser caches a preflight, s: a page that is being hidden has no time for another one.
    maxAge: 7200
  })
}, { name: 'cors', dependencies: ['guards', 'ws'] })
