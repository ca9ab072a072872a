// Security headers on every response, compatible with Swagger UI.
import { createRequire } from 'node:module'
import fp from 'fastify-plugin'

// Required: an import would make Node.js search its text for exports before it runs it.
const { default: helmet } = createRequire(import.meta.url)('@fastify/helmet') as typeof import('@fastify/helmet')

export default fp(async (app) => {
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        // Left to a proxy that terminates TLS; on a host without TLS it would break every page.
        upgradeInsecureRequests: null
      }
    },
    // Left to the proxy that terminates TLS: only its operator knows if this host and all its subdomains are reached by TLS alone.
    strictTransportSecurity: false,
    // The API answers pages of other origins, as CORS permits; the default would refuse them before the CORS check.
    crossOriginResourcePolicy: { policy: 'cross-origin' }
  })
}, { name: 'helmet', dependencies: ['ws'] })
