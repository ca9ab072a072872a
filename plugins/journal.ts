// Decorates `dataFolder`: the journal of the rooms, if DATA_DIR is set. The process opens it before it builds the app, an embedding application here.
import fp from 'fastify-plugin'
import { openDataFolder, type Folder } from '../src/data-folder.js'

declare module 'fastify' {
  interface FastifyInstance {
    dataFolder: Folder | undefined
  }
}

export default fp(async (app) => {
  const { config, log, now, monotonic, openedFolder } = app
  if (config.DATA_DIR === undefined && config.REDIS_URL === undefined) log.info('rooms are in memory alone, and end with the process: DATA_DIR is not set')
  app.decorate('dataFolder', openedFolder ?? await openDataFolder({ config, log, now, monotonic, exit: process.exit }))
}, { name: 'journal' })
