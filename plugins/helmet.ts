// Security headers on every answer, with what Swagger UI needs to work.
import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'

export default fp(async (app) => {
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        // Where TLS ends in front of us it is the proxy's to ask for; on a plain host it would break every page.
        upgradeInsecureRequests: null
      }
    },
    // Whether this host and all below it are reached by TLS alone, who ends TLS knows.
    strictTransportSecurity: false,
    // The API answers pages of other origins, as CORS allows; this header would refuse them before that is asked.
    crossOriginResourcePolicy: { policy: 'cross-origin' }
  })
}, { name: 'helmet', dependencies: ['ws'] })
