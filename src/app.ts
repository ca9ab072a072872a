// buildApp(): creates a Fastify server with nothing but the payment rooms; it does not listen.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { BuildCompilerFromPool } from '@fastify/ajv-compiler'
import type { SerializerFactory } from '@fastify/fast-json-stringify-compiler'
import type { FastifyBaseLogger, FastifyInstance, FastifyServerOptions, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { addressesOf } from './auth/address.js'
import { proxies, type Config } from './config.js'
import type { Folder } from './data-folder.js'
import { Failure } from './errors.js'
import { reproducedHook } from './http/host-hooks.js'
import { serverOptions } from './http/server-options.js'
import { closeAfterBody } from './http/unread-body.js'
import { strictUpgradeConstraint } from './http/upgrade-constraint.js'
import { paymentRooms, type PaymentRoomsOptions } from './payment-rooms.js'
import { errorResponse } from './protocol/rest.js'
import { shortId } from './random-id.js'
import { MAX_HEADERS } from './websocket/handshake.js'

export interface AppOptions {
  readonly config: Config
  readonly logger: FastifyBaseLogger
  /** Folder of the journal, if it is open already. Default: the app opens that of the settings. */
  readonly folder?: Folder | undefined
  /** Wall clock, ms since the epoch. Default: the system's. */
  readonly now?: () => number
  /** Monotonic clock, ms. Default: `now` if that is given, otherwise the system's. */
  readonly monotonic?: () => number
}

/** Time that requests and event streams have at shutdown after all sockets are closed, ms. */
const CLOSE_TIMEOUT = 1_500

const load = createRequire(import.meta.url)
// Required: an import would make Node.js search the text of Fastify for exports before it runs it.
const { fastify, LogController } = load('fastify') as typeof import('fastify')

/** Fastify's own compilers of schemas, loaded where they compile. The payment rooms bring theirs, and Fastify would load its own all the same. */
const COMPILERS: NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']> = {
  buildValidator: (schemas: unknown, options: unknown) => (load('@fastify/ajv-compiler') as () => BuildCompilerFromPool)()(schemas as never, options as never),
  buildSerializer: (...args) => (load('@fastify/fast-json-stringify-compiler') as () => SerializerFactory)()(...args)
}

/** Not encapsulated: the whole server is the context of the payment rooms. */
const unencapsulated = fp<PaymentRoomsOptions>((app, options) => paymentRooms(app, options))

/** Builds the app; its plugins and routes load on `ready()` or `listen()`. */
export function buildApp ({ config, logger, folder, ...clocks }: AppOptions): FastifyInstance {
  const trusted = proxies(config)
  const app = fastify({
    ...serverOptions(clocks),
    loggerInstance: logger,
    schemaController: { compilersFactory: COMPILERS },
    // Request logging is off: one line per request would bury the payment events. The error handler logs failures.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.MAX_MESSAGE_BYTES,
    genReqId: shortId,
    trustProxy: trusted ?? false
  })
  app.addConstraintStrategy(strictUpgradeConstraint)
  app.server.maxHeadersCount = MAX_HEADERS + 1
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    closeAfterBody(request)
    const body = JSON.stringify(errorResponse(new Failure('INVALID_REQUEST', 'The Expect header is not supported.'), '-', app.now()))
    response.writeHead(417, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
  })
  if (trusted) {
    // Runs before all other hooks, since `request.ip` parses the header anew on each access.
    app.addHook('onRequest', reproducedHook<onRequestHookHandler>(({ raw: { headers } }, _reply, done) => {
      const forwardedFor = headers['x-forwarded-for']
      if (typeof forwardedFor === 'string') headers['x-forwarded-for'] = addressesOf(forwardedFor)
      done()
    }))
  }
  app.setNotFoundHandler((_request, reply) => reply.fail(new Failure('NOT_FOUND')))
  app.register(unencapsulated, { config, folder, ...clocks }).after(() => {
    // Added last, so that it runs once the sockets are closed. Requests and streams that are never read or finished must not delay the shutdown.
    app.addHook('preClose', async () => { setTimeout(() => app.server.closeAllConnections(), CLOSE_TIMEOUT).unref() })
  })
  return app
}
