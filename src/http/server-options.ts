// Options of the Fastify server: limits, timeouts, and answers to requests that reach no route. A plugin cannot set them.
import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { FastifyHttpOptions, FastifyReply, FastifyRequest } from 'fastify'
import { SYSTEM_CLOCKS } from '../clock.js'
import { codeForStatus, Failure } from '../errors.js'
import { errorResponse } from '../protocol/rest.js'
import { shortId } from '../random-id.js'
import { isWebSocketUpgrade, shouldUpgradeCallback } from '../websocket/handshake.js'
import { closeAfterBody } from './unread-body.js'

/**
 * HTTP timeouts, ms: time for a request to arrive in full, interval between checks for expired requests, and time for the peer to read an error response.
 * Together with the idle sweeps of intercept.ts, which come before, they stay below 10 s.
 */
const REQUEST_TIMEOUT = 8_000
const CHECK_INTERVAL = 500
const LINGER = 500

/** Minimum of `routerOptions.maxParamLength`: a room id has at most 128 characters, and each may arrive percent-encoded. */
export const MAX_PARAM_LENGTH = 3 * 128

export interface ServerSettings {
  /** Wall clock for timestamps in answers, ms since the epoch. Default: the system's. */
  readonly now?: () => number
}

/** Returns the options for a Fastify server that is reached from the internet: `Fastify({ ...serverOptions(), logger: true })`. */
export function serverOptions ({ now = SYSTEM_CLOCKS.now }: ServerSettings = {}): FastifyHttpOptions<Server> {
  return {
    // No timeout: autoload counts as one plugin, and on a starved machine all plugins together take longer than the default of 10 s. No plugin waits for the network.
    pluginTimeout: 0,
    requestTimeout: REQUEST_TIMEOUT,
    // While the process drains, the health and readiness routes still answer, and an incoming event is still published.
    return503OnClosing: false,
    // requireHostHeader is off: the request-checks plugin rejects a missing Host with an error envelope; Node.js would send an empty response.
    // The type definitions of Node.js 20 lack shouldUpgradeCallback; a spread bypasses the excess property check.
    http: { headersTimeout: REQUEST_TIMEOUT, connectionsCheckingInterval: CHECK_INTERVAL, requireHostHeader: false, ...{ shouldUpgradeCallback } },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // Malformed URLs and over-long params bypass the error handler; they get the same envelope here.
    frameworkErrors: (error, request: FastifyRequest, reply: unknown) => {
      const status = error.statusCode ?? 400
      const { raw } = reply as FastifyReply
      endUpgrade(request.raw, raw)
      closeAfterBody(request.raw)
      void (reply as FastifyReply).code(status).send(errorResponse(new Failure(codeForStatus(status)), request.id, now()))
    },
    clientErrorHandler: answerClientErrors(now)
  }
}

/** Closes the socket of an upgrade that is refused before its route, once the response is written: neither Fastify nor Node.js closes it. */
export function endUpgrade (request: IncomingMessage, response: ServerResponse): void {
  if (isWebSocketUpgrade(request)) response.once('finish', () => request.socket.destroySoon())
}

const CLIENT_ERRORS: Record<string, { readonly status: number, readonly message: string }> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'The headers are too large.' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time.' }
}

/** A request that Node.js's HTTP parser rejects never reaches Fastify, so its response is written by hand. */
function answerClientErrors (now: () => number): NonNullable<FastifyHttpOptions<Server>['clientErrorHandler']> {
  const answered = new WeakSet<object>()
  return (error, socket) => {
    // Node.js reports an error for each chunk that follows; all are dropped.
    if (answered.has(socket)) return
    // A response that has started, such as an event stream, must not be followed by a second one. Node.js has no public property for the current response.
    const { _httpMessage: begun } = socket as typeof socket & { _httpMessage?: ServerResponse }
    if (!socket.writable || error.code === 'ECONNRESET' || begun?.headersSent) return socket.destroy()
    answered.add(socket)
    const { status, message } = CLIENT_ERRORS[error.code] ?? { status: 400, message: 'The request is not valid HTTP.' }
    const body = JSON.stringify(errorResponse(new Failure(codeForStatus(status), message), shortId(), now()))
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    // Destroy later: bytes that still arrive on a closed socket cause a reset, which discards the response. The timer bounds a peer that never closes its side.
    setTimeout(() => socket.destroy(), LINGER).unref()
  }
}
