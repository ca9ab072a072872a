// Logs a line of statistics every ten minutes, so that operators see the trend.
import fp from 'fastify-plugin'

/** Interval between two lines, ms. */
export const STATISTICS_INTERVAL = 600_000

export default fp(async (app) => {
  const timer = setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage()
    app.log.info({ connections: app.sessions.size, rooms: app.rooms.size, rss, heapUsed }, 'server statistics')
  }, STATISTICS_INTERVAL).unref()
  app.addHook('onClose', async () => clearInterval(timer))
}, { name: 'statistics', dependencies: ['rooms', 'sessions'] })
