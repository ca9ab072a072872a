// buildApp: the whole server as one Fastify instance, from settings to routes, without listening.
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
import { checkUpgrade, isWebSocketUpgrade, MAX_HEADERS, shouldUpgradeCallback, upgradeConstraint } from './websocket/handshake.js'
import { errorResponse } from './protocol/rest.js'
import { shortId } from './random-id.js'
import { batchClock } from './websocket/batch.js'

export interface AppOptions {
  readonly config: Config
  readonly logger: FastifyBaseLogger
  /** ms since the epoch; the system's clock where it is left out. */
  readonly now?: () => number
  /** ms by a clock that is never put back or forward; where it is left out the system's, or `now` where that is given. */
  readonly monotonic?: () => number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The settings the process was started with. */
    config: Config
    /** ms since the epoch, for times that are told; see src/clock.ts. */
    now: () => number
    /** ms, for rates, deadlines and durations: a step of the wall clock does not show in it. */
    monotonic: () => number
  }
}

/**
 * How long a request may take to arrive, ms; how often that is looked at; and how long the peer has to read why it failed.
 * Together, and with the time that a silent one is looked at before it is HTTP's (intercept.ts), less than 10 s.
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
    // One line per request would drown the payments; what goes wrong is logged by the error handler.
    logController: new LogController({ disableRequestLogging: true }),
    // None: autoload counts as one plugin, and on a starved machine all of ours together take longer than the default of 10 s. No plugin waits for a network.
    pluginTimeout: 0,
    bodyLimit: config.MAX_MESSAGE_BYTES,
    requestTimeout: REQUEST_TIMEOUT,
    // While the process drains, health and readiness are still asked for, and an event that comes in is still published.
    return503OnClosing: false,
    // A missing Host is refused below, in the envelope; Node would refuse it with an empty answer.
    // The types of Node.js 20 do not know the last option; a spread is not held against them.
    http: { headersTimeout: REQUEST_TIMEOUT, connectionsCheckingInterval: CHECK_INTERVAL, requireHostHeader: false, ...{ shouldUpgradeCallback } },
    routerOptions: {
      // A room id has 128 characters at the most, and each may arrive percent-encoded.
      maxParamLength: 3 * 128,
      constraints: { upgrade: upgradeConstraint }
    },
    genReqId: shortId,
    trustProxy: trusted ?? false,
    schemaController: { compilersFactory: { buildValidator, buildSerializer } },
    // Bad URLs and too long params pass by the error handler; they get the same envelope here.
    frameworkErrors: (error, request, reply) => {
      const status = error.statusCode ?? 400
      endUpgrade(request.raw, reply.raw)
      void (reply as FastifyReply).code(status).send(errorResponse(new Failure(codeForStatus(status)), request.id, now()))
    },
    // What is not HTTP never becomes a request; its answer is written by hand.
    clientErrorHandler: (error, socket) => {
      // An answer that has begun, a stream for example, is not the place for another one. Node has no public name for it.
      const { _httpMessage: begun } = socket as typeof socket & { _httpMessage?: ServerResponse }
      if (!socket.writable || error.code === 'ECONNRESET' || begun?.headersSent) return socket.destroy()
      const { status, message } = CLIENT_ERRORS[error.code] ?? { status: 400, message: 'The request is not valid HTTP.' }
      const body = JSON.stringify(errorResponse(new Failure(codeForStatus(status), message), shortId(), now()))
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
      // Not at once, or what it still sends would wipe out the answer; but a peer that never closes its side must not stay.
      setTimeout(() => socket.destroy(), LINGER).unref()
    }
  })
  app.decorate('config', config)
  app.decorate('now', batchClock(now))
  app.decorate('monotonic', batchClock(monotonic))
  app.server.maxHeadersCount = MAX_HEADERS + 1
  if (trusted) {
    // Before all other hooks, since `request.ip` reads the header anew each time.
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

/** Closes an upgrade that is refused before its route saw it, once the answer is written: nobody else does. */
function endUpgrade (request: IncomingMessage, response: ServerResponse): void {
  if (isWebSocketUpgrade(request)) response.once('finish', () => request.socket.destroySoon())
}

const CLIENT_ERRORS: Record<string, RequestHeadError> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'The headers are too large.' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time.' }
}

// Fastify asks for compilers once for each plugin with routes. What they need of all schemas takes tens of milliseconds, so it is made once.
const validatorCompiler = (ajvCompiler as unknown as () => BuildCompilerFromPool)()
const serializerPool = new Map<string, ReturnType<SerializerFactory>>()

/** Bodies are taken as they are: no coercion, no silent loss of keys, every broken rule is named. Queries and params are text, so they are coerced. */
function buildValidator (...[externalSchemas, options]: Parameters<BuildCompilerFromPool>): ReturnType<BuildCompilerFromPool> {
  const forBodies = validatorCompiler(externalSchemas, { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true, verbose: true } })
  const forText = validatorCompiler(externalSchemas, options)
  // What a route's compiler is called with is its definition; the library's types still speak of a bare schema.
  return (route) => ((route as unknown as RouteDefinition).httpPart === 'body' ? forBodies : forText)(route)
}

/** Most answers of all routes are the same envelope of an error and differ in their descriptions alone: what writes it is made once, too. */
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
