// HTTP error handling: every error response has the same envelope. Decorates replies with `fail`, which answers with an expected failure.
import { isUtf8 } from 'node:buffer'
import fp from 'fastify-plugin'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { codeForStatus, ERRORS, Failure, type ErrorDetail } from '../src/errors.js'
import { closeAfterBody } from '../src/http/unread-body.js'
import { inexactNumber } from '../src/protocol/decode.js'
import { errorResponse } from '../src/protocol/rest.js'

declare module 'fastify' {
  interface FastifyReply {
    /** Answers with the failure's status and envelope. To return it ends a handler; it is typed `never` since it is none of the success responses of a route. */
    fail: (failure: Failure) => never
  }
}

/** `Retry-After` for a caller at its connection limit, s. */
const RETRY_AFTER = 1

export default fp(async (app) => {
  app.decorateReply('fail', function (failure: Failure) {
    app.metrics.errors.inc({ code: failure.code, over: 'rest' })
    closeAfterBody(this.request.raw)
    // For the connection limit: the end of a caller's connections cannot be predicted. The request limit sets this header itself.
    if (failure.code === 'RATE_LIMITED') this.header('retry-after', RETRY_AFTER)
    return this.code(failure.status).send(errorResponse(failure, this.request.id, app.now())) as never
  })

  app.setErrorHandler((error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    closeAfterBody(request.raw)
    // A library's status may be more specific than our code's own (408, 411 …), so it is kept.
    return reply.code(status).send(errorResponse(failureOf(error, status), request.id, app.now()))
  })

  // Only JSON is accepted; other parsers, such as Fastify's own for plain text, would pass the body on to the validation.
  app.removeAllContentTypeParsers()
  // JSON is UTF-8 (RFC 8259 §8.1), as over the socket; the default parser would replace invalid bytes.
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // A client may send a content type without a body. No body means the same with and without a type; the route's schema decides if one is required.
    if (body.length === 0) return done(null, undefined)
    if (!isUtf8(body)) return done(Object.assign(new SyntaxError('not UTF-8'), { statusCode: 400 }))
    const text = body.toString('utf8')
    parseJson(request, text, (error: Error | null, value?: unknown) => {
      const failure = error ? undefined : inexactNumber(text)
      if (failure) done(Object.assign(new Error(failure.message), { statusCode: failure.status, failure }))
      else done(error, value)
    })
  })
  // Without a prefix every address is the server's.
  if (app.prefix !== '') app.setNotFoundHandler((_request, reply) => reply.fail(new Failure('NOT_FOUND')))
}, { name: 'errors', dependencies: ['metrics', 'request-checks'] })

function failureOf (error: FastifyError & { failure?: Failure }, status: number): Failure {
  if (error.failure) return error.failure
  if (error.validation) {
    const { validation } = error
    // Alternatives that fail report each of their own rules too; their common description says it in one.
    const alternatives = new Set(validation.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath))
    const details = validation.filter(({ keyword, instancePath }) => keyword === 'anyOf' || !alternatives.has(instancePath)).map((problem) => detailOf(problem, error.validationContext!))
    return new Failure('INVALID_REQUEST', details.map(({ key, rule }) => `${key} ${rule}`).join('; '), details)
  }
  // The message of a bug is for the log, not for callers.
  if (status >= 500) return new Failure(codeForStatus(status))
  if (error instanceof SyntaxError || error.code === 'FST_ERR_CTP_INVALID_JSON_BODY') return new Failure('INVALID_JSON')
  const code = codeForStatus(status)
  return new Failure(code, code === 'INVALID_REQUEST' ? error.message : ERRORS[code].message)
}

type Problem = NonNullable<FastifyError['validation']>[number] & { parentSchema?: { description?: string } }

function detailOf ({ instancePath, message = '', keyword, params, parentSchema }: Problem, context: string): ErrorDetail {
  if (keyword === 'required') return { key: String(params.missingProperty), rule: 'is required' }
  // A regular expression explains nothing; the description of the schema does.
  const rule = (keyword === 'pattern' || keyword === 'anyOf') && parentSchema?.description ? `must be: ${parentSchema.description}` : message
  return { key: instancePath.slice(1).replaceAll('/', '.') || context, rule }
}
