// Which pages may use the REST API from a browser; the socket checks its origin by the same list.
import cors from '@fastify/cors'
import fp from 'fastify-plugin'
import { allowedOrigins } from '../src/config.js'

export default fp(async (app) => {
  await app.register(cors, {
    origin: allowedOrigins(app.config) ?? '*',
    // An OPTIONS that is no preflight is answered alike; the default is an error that is not in our envelope.
    strictPreflight: false,
    methods: ['GET', 'POST', 'DELETE'],
    // A page that is being hidden has no time for a preflight; the browser remembers the last one this long (s).
    maxAge: 7200
  })
}, { name: 'cors', dependencies: ['ws'] })
