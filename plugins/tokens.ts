// Decorates `tokens`: room tokens, if TOKEN_SECRET is set.
import fp from 'fastify-plugin'
import type { RoomTokens } from '../src/auth/room-tokens.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Undefined if any caller may join any room. */
    tokens: RoomTokens | undefined
  }
}

export default fp(async (app) => {
  const { config: { TOKEN_SECRET }, log, now, monotonic } = app
  if (TOKEN_SECRET === undefined) log.warn('the rooms are open to every client: set TOKEN_SECRET')
  // Imported only if needed: the library for tokens takes time to load.
  app.decorate('tokens', TOKEN_SECRET === undefined ? undefined : new (await import('../src/auth/room-tokens.js')).RoomTokens(TOKEN_SECRET, { now, monotonic }))
}, { name: 'tokens' })
