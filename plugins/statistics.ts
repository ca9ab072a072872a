// A line of figures every ten minutes, so that an operator sees the trend without asking.
import fp from 'fastify-plugin'

/** ms */
export const STATISTICS_INTERVAL = 600_000

export default fp(async (app) => {
  const timer = setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage()
    app.log.info({ connections: app.sessions.size, rooms: app.rooms.size, rss, heapUsed }, 'server statistics')
  }, STATISTICS_INTERVAL).unref()
  app.addHook('onClose', async () => clearInterval(timer))
}, { name: 'statistics', dependencies: ['rooms', 'sessions'] })
