// buildApp(): creates the Fastify instance of the server with all plugins and routes; it does not listen.
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import ajvCompiler, { type BuildCompilerFromPool, type RouteDefinition } from '@fastify/ajv-compiler'
import autoload from '@fastify/autoload'
import serializerCompiler, { type Serializer, type SerializerFactory } from '@fastify/fast-json-stringify-compiler'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply } from 'fastify'
import { addressesOf } from './auth/address.js'
import { SYSTEM_CLOCKS } from './clock.js'
import { proxies, type Config } from './config.js'
import { codeForStatus, Failure } from './errors.js'
import { checkRequestHead, type RequestHeadError } from './http/request-head.js'
import { checkUpgrade, isWebSocketUpgrade, MAX_HEADERS, shouldUpgradeCallback } from './websocket/handshake.js'
import { strictUpgradeConstraint } from './http/upgrade-constraint.js'
import { errorResponse } from './protocol/rest.js'
import { shortId } from './random-id.js'

export interface AppOptions {
  readonly config: Config
  readonly logger: FastifyBaseLogger
  /** Wall clock, ms since the epoch. Default: the system's. */
  readonly now?: () => number
  /** Monotonic clock, ms. Default: `now` if that is given, otherwise the system's. */
  readonly monotonic?: () => number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Validated settings of the process. */
    config: Config
    /** Wall clock, ms since the epoch, for timestamps that leave the process; see src/clock.ts. */
    now: () => number
    /** Monotonic clock, ms, for rates, deadlines and durations: a step of the wall clock does not affect it. */
    monotonic: () => number
  }
}

/**
 * HTTP timeouts, ms: time for a request to arrive in full, interval between checks for expired requests, and time for the peer to read an error response.
 * Together with the idle sweeps of intercept.ts, which come before, they stay below 10 s.
 */
const REQUEST_TIMEOUT = 8_000
const CHECK_INTERVAL = 500
const LINGER = 500

/** Builds the app; its plugins and routes load on `ready()` or `listen()`. */
export function buildApp ({ config, logger, ...given }: AppOptions): FastifyInstance {
  const { now = SYSTEM_CLOCKS.now, monotonic = given.now ?? SYSTEM_CLOCKS.monotonic } = given
  const trusted = proxies(config)
  const app = Fastify({
    loggerInstance: logger,
    // Request logging is off: one line per request would bury the payment events. The error handler logs failures.
    logController: new LogController({ disableRequestLogging: true }),
    // No timeout: autoload counts as one plugin, and on a starved machine all plugins together take longer than the default of 10 s. No plugin waits for the network.
    pluginTimeout: 0,
    bodyLimit: config.MAX_MESSAGE_BYTES,
    requestTimeout: REQUEST_TIMEOUT,
    // While the process drains, the health and readiness routes still answer, and an incoming event is still published.
    return503OnClosing: false,
    // requireHostHeader is off: the onRequest hook below rejects a missing Host with an error envelope; Node.js would send an empty response.
    // The type definitions of Node.js 20 lack shouldUpgradeCallback; a spread bypasses the excess property check.
    http: { headersTimeout: REQUEST_TIMEOUT, connectionsCheckingInterval: CHECK_INTERVAL, requireHostHeader: false, ...{ shouldUpgradeCallback } },
    routerOptions: {
      // A room id has at most 128 characters, and each may arrive percent-encoded.
      maxParamLength: 3 * 128,
      constraints: { upgrade: strictUpgradeConstraint }
    },
    genReqId: shortId,
    trustProxy: trusted ?? false,
    schemaController: { compilersFactory: { buildValidator, buildSerializer } },
    // Malformed URLs and over-long params bypass the error handler; they get the same envelope here.
    frameworkErrors: (error, request, reply) => {
      const status = error.statusCode ?? 400
      endUpgrade(request.raw, reply.raw)
      void (reply as FastifyReply).code(status).send(errorResponse(new Failure(codeForStatus(status)), request.id, now()))
    },
    // A request that Node.js's HTTP parser rejects never reaches Fastify, so its response is written by hand.
    clientErrorHandler: (error, socket) => {
      // A response that has started, such as an event stream, must not be followed by a second one. Node.js has no public property for the current response.
      const { _httpMessage: begun } = socket as typeof socket & { _httpMessage?: ServerResponse }
      if (!socket.writable || error.code === 'ECONNRESET' || begun?.headersSent) return socket.destroy()
      const { status, message } = CLIENT_ERRORS[error.code] ?? { status: 400, message: 'The request is not valid HTTP.' }
      const body = JSON.stringify(errorResponse(new Failure(codeForStatus(status), message), shortId(), now()))
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
      // Destroy later: bytes that still arrive on a closed socket cause a reset, which discards the response. The timer bounds a peer that never closes its side.
      setTimeout(() => socket.destroy(), LINGER).unref()
    }
  })
  app.decorate('config', config)
  app.decorate('now', now)
  app.decorate('monotonic', monotonic)
  app.server.maxHeadersCount = MAX_HEADERS + 1
  if (trusted) {
    // Runs before all other hooks, since `request.ip` parses the header anew on each access.
    app.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
      const forwardedFor = headers['x-forwarded-for']
      if (typeof forwardedFor === 'string') headers['x-forwarded-for'] = addressesOf(forwardedFor)
      done()
    })
  }
  app.addHook('onRequest', async ({ raw, id }, reply) => {
    const fault = checkRequestHead(raw) ?? checkUpgrade(raw)
    if (!fault) return
    endUpgrade(raw, reply.raw)
    return reply.code(fault.status).header('connection', 'close').send(errorResponse(new Failure('INVALID_REQUEST', fault.message), id, now()))
  })
  app.register(autoload, { dir: join(import.meta.dirname, '..', 'plugins') })
  app.register(autoload, { dir: join(import.meta.dirname, '..', 'routes'), routeParams: true })
  return app
}

/** Closes the socket of an upgrade that is refused before its route, once the response is written: neither Fastify nor Node.js closes it. */
function endUpgrade (request: IncomingMessage, response: ServerResponse): void {
  if (isWebSocketUpgrade(request)) response.once('finish', () => request.socket.destroySoon())
}

const CLIENT_ERRORS: Record<string, RequestHeadError> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'The headers are too large.' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time.' }
}

// Fastify requests compilers once per plugin with routes. Their setup for the shared schemas takes tens of milliseconds, so it is done once.
const validatorCompiler = (ajvCompiler as unknown as () => BuildCompilerFromPool)()
const serializerPool = new Map<string, ReturnType<SerializerFactory>>()

/** Validates bodies strictly: no coercion, no removed keys, all broken rules reported. Queries and params are text, so they are coerced. */
function buildValidator (...[externalSchemas, options]: Parameters<BuildCompilerFromPool>): ReturnType<BuildCompilerFromPool> {
  const forBodies = validatorCompiler(externalSchemas, { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true, verbose: true } })
  const forText = validatorCompiler(externalSchemas, options)
  // Fastify passes a route definition to the compiler; the library's types still declare a bare schema.
  return (route) => ((route as unknown as RouteDefinition).httpPart === 'body' ? forBodies : forText)(route)
}

/** Caches serializers by schema without `description`: error envelopes differ only there. Saves 160 ms and 5 MiB at start. */
function buildSerializer (...[externalSchemas, options]: Parameters<SerializerFactory>): ReturnType<SerializerFactory> {
  const shared = JSON.stringify(externalSchemas)
  const pooled = serializerPool.get(shared)
  if (pooled) return pooled
  const compile = serializerCompiler()(externalSchemas, options)
  const known = new Map<string, Serializer>()
  const serializerOf: ReturnType<SerializerFactory> = (route) => {
    const rule = JSON.stringify(route.schema, (key, value: unknown) => key === 'description' && typeof value === 'string' ? undefined : value)
    const serialize = known.get(rule) ?? compile(route)
    known.set(rule, serialize)
    return serialize
  }
  serializerPool.set(shared, serializerOf)
  return serializerOf
}
