// start: runs the server in this process.
import { ConfigSchema } from '../config.js'
import { command } from './command.js'

const { PORT, HOST } = ConfigSchema.properties

export const start = command({
  summary: 'starts the server (default command)',
  words: [],
  example: '--port 3000',
  options: {
    port: { type: 'number', value: '<n>', help: `${PORT.description} (default: PORT, otherwise ${PORT.default})`, min: PORT.minimum!, max: PORT.maximum!, integer: true },
    host: { type: 'string', value: '<address>', help: `${HOST.description} (default: HOST, otherwise ${HOST.default})` }
  },
  run: async (_words, { port, host }, { env, serve }) => {
    if (port !== undefined) env.PORT = String(port)
    if (host !== undefined) env.HOST = host
    await serve()
    return undefined
  }
})
