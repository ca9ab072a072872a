// Host server for the tests of the plugin, which records its log lines and listens on loopback.
import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import type { PaymentRoomsOptions } from '../../src/payment-rooms.js'

// Plugins and routes are TypeScript here, and autoload does not detect every loader of TypeScript.
process.env.FASTIFY_AUTOLOAD_TYPESCRIPT = '1'

export const KEY = 'k-1234'
export const SECRET = 's'.repeat(32)
export const authorization = `Bearer ${KEY}`

/** Options for tests: no rate limits, and a short shutdown. */
export const QUICK = { requestsPerSecond: 0, messagesPerSecond: 0, shutdownGraceSeconds: 1 } as const satisfies PaymentRoomsOptions

export interface Host { readonly app: FastifyInstance, readonly logs: Array<{ readonly level: number, readonly msg: string }> }

export function createHost (t: Test, options: FastifyServerOptions = {}): Host {
  const logs: Host['logs'] = []
  const stream = new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      logs.push(JSON.parse(line) as Host['logs'][number])
      done()
    }
  })
  // No plugin timeout: a busy machine takes longer than ten seconds to compile the plugins.
  const app = Fastify({ pluginTimeout: 0, forceCloseConnections: true, logger: { level: 'info', stream }, ...options }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  return { app, logs }
}

/** Listens on a free port of loopback. @returns the address without its scheme */
export async function listen (app: FastifyInstance): Promise<string> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return `127.0.0.1:${(app.server.address() as { port: number }).port}`
}
