// CORS: the origins whose pages may use the REST API. The WebSocket handshake checks `Origin` against the same list.
import cors from '@fastify/cors'
import fp from 'fastify-plugin'
import { allowedOrigins } from '../src/config.js'

export default fp(async (app) => {
  await app.register(cors, {
    origin: allowedOrigins(app.config) ?? '*',
    // An OPTIONS request that is not a preflight gets the same answer; the default is an error outside our envelope.
    strictPreflight: false,
    methods: ['GET', 'POST', 'DELETE'],
    // Time for which a browser caches a preflight, s: a page that is being hidden has no time for another one.
    maxAge: 7200
  })
}, { name: 'cors', dependencies: ['ws'] })
