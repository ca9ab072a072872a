// buildApp: the whole server as one Fastify instance, from settings to routes, without listening.
import { randomBytes } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { join } from 'node:path'
import ajvCompiler, { type BuildCompilerFromPool, type RouteDefinition } from '@fastify/ajv-compiler'
import autoload from '@fastify/autoload'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply } from 'fastify'
import { proxies, type Config } from './config.js'
import { codeForStatus, Failure } from './errors.js'
import { upgradeConstraint } from './handshake.js'
import { errorResponse } from './protocol/rest.js'

export interface AppOptions {
  readonly config: Config
  readonly logger: FastifyBaseLogger
  /** ms since the epoch; the real clock where it is left out. */
  readonly now?: () => number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The settings the process was started with. */
    config: Config
    /** ms since the epoch. */
    now: () => number
  }
}

/** Builds the app; its plugins and routes load on `ready()` or `listen()`. */
export function buildApp ({ config, logger, now = Date.now }: AppOptions): FastifyInstance {
  const newId = () => randomBytes(9).toString('base64url')
  const app = Fastify({
    loggerInstance: logger,
    // One line per request would drown the payments; what goes wrong is logged by the error handler.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.MAX_MESSAGE_BYTES,
    requestTimeout: 10_000,
    // While the process drains, health and readiness are still asked for, and an event that comes in is still published.
    return503OnClosing: false,
    http: { headersTimeout: 8_000, connectionsCheckingInterval: 2_000 },
    routerOptions: {
      // A room id has 128 characters at the most, and each may arrive percent-encoded.
      maxParamLength: 3 * 128,
      constraints: { upgrade: upgradeConstraint }
    },
    genReqId: newId,
    trustProxy: proxies(config) ?? false,
    schemaController: { compilersFactory: { buildValidator } },
    // Bad URLs and too long params pass by the error handler; they get the same envelope here.
    frameworkErrors: (error, request, reply) => {
      const status = error.statusCode ?? 400
      // The router never saw it, so nobody else ends a handshake that is refused here.
      if (upgradeConstraint.deriveConstraint(request.raw)) reply.raw.once('finish', () => request.raw.socket.destroySoon())
      void (reply as FastifyReply).code(status).send(errorResponse(new Failure(codeForStatus(status)), request.id, now()))
    },
    // What is not HTTP never becomes a request; its answer is written by hand.
    clientErrorHandler: (error, socket) => {
      if (!socket.writable || error.code === 'ECONNRESET') return socket.destroy()
      const status = CLIENT_ERRORS[error.code] ?? 400
      const body = JSON.stringify(errorResponse(new Failure(codeForStatus(status), 'The request is not valid HTTP.'), newId(), now()))
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    }
  })
  app.decorate('config', config)
  app.decorate('now', now)
  app.register(autoload, { dir: join(import.meta.dirname, '..', 'plugins') })
  app.register(autoload, { dir: join(import.meta.dirname, '..', 'routes'), routeParams: true })
  return app
}

const CLIENT_ERRORS: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

/** Bodies are taken as they are: no coercion, no silent loss of keys, every broken rule is named. Queries and params are text, so they are coerced. */
function buildValidator (...[externalSchemas, options]: Parameters<BuildCompilerFromPool>): ReturnType<BuildCompilerFromPool> {
  const compile = (ajvCompiler as unknown as () => BuildCompilerFromPool)()
  const forBodies = compile(externalSchemas, { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true, verbose: true } })
  const forText = compile(externalSchemas, options)
  // What a route's compiler is called with is its definition; the library's types still speak of a bare schema.
  return (route) => ((route as unknown as RouteDefinition).httpPart === 'body' ? forBodies : forText)(route)
}
