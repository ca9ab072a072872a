// /client.js and /payment-status.js: the client for pages that load it from this server. Not part of the API.
import { join } from 'node:path'
import type { FastifyPluginAsync } from 'fastify'
import { isFresh, PAGE_SCRIPTS, pageScript } from '../src/http/page-scripts.js'

const BUILT = join(import.meta.dirname, '..', 'page-scripts')
/** Time for which a browser uses a script without asking, s: as long as a page may go on with the client of an older server. */
const MAX_AGE = 3600

const route: FastifyPluginAsync = async (app) => {
  for (const name of PAGE_SCRIPTS) {
    app.get(`/${name}.js`, { config: { action: 'public' }, schema: { hide: true } }, async ({ headers }, reply) => {
      const { text, etag } = await pageScript(BUILT, name)
      // Modules are loaded by CORS, and this one holds nothing of the server: a page of any origin may have it, also one that may not use the API.
      reply.header('access-control-allow-origin', '*').header('cache-control', `public, max-age=${MAX_AGE}`).header('etag', etag)
      if (isFresh(headers['if-none-match'], etag)) return reply.code(304).send()
      return reply.type('text/javascript; charset=utf-8').send(text)
    })
  }
}
export default route
