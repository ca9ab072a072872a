// /webhooks/:provider: takes the webhooks of payment providers. They are authenticated by their signatures, and have a body limit and a rate limit of their own.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { codeForStatus, Failure } from '../../src/errors.js'
import { errorResponses } from '../../src/protocol/rest.js'

/** Largest body, bytes: the events of Stripe reach 256 KiB. */
const BODY_LIMIT = 512 * 1024
/** Deliveries per second from one address; providers send from few addresses. */
const MAX_RATE = 200

const receiveWebhookSchema = {
  operationId: 'receiveWebhook',
  tags: ['Webhooks'],
  summary: 'Receive a webhook of a payment provider',
  description: 'The URL to enter in the dashboard of the provider. The body is verified by the provider\'s signature, and its results are published as verified events of a backend. ' +
    'A body has at most 512 KiB. 2xx says that each result is in the log of its room; a provider repeats a delivery after any other status. 422: a result breaks a rule; it is in the list of refused deliveries.',
  security: [{}],
  params: Type.Object({ provider: Type.String({ maxLength: 32, examples: ['stripe'] }) }),
  response: {
    200: { description: 'The results are in the log, or concern no payment.', content: { 'text/plain': { schema: Type.String() } } },
    ...errorResponses(400, 401, 404, 413, 414, 415, 422, 429, 500, 503)
  }
} satisfies FastifySchema

const route: FastifyPluginAsyncTypebox = async (app) => {
  const { webhooks: { inbox }, now } = app
  // Signatures are over the exact bytes, so nothing is parsed before it is verified.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  async function receive (provider: string, { headers, query, body }: FastifyRequest, reply: FastifyReply) {
    if (!inbox.has(provider)) return reply.fail(new Failure('NOT_FOUND', 'This payment provider is not configured.'))
    const { status, body: text, reason } = await inbox.receive(provider, {
      body: Buffer.isBuffer(body) ? body : Buffer.alloc(0), headers, query: query as Record<string, unknown>, now: now()
    })
    if (status === 200) return reply.type('text/plain; charset=utf-8').send(text ?? 'ok')
    if (status === 503) reply.header('retry-after', '5')
    return reply.fail(status === 422 ? new Failure('RESULT_REFUSED') : new Failure(codeForStatus(status), reason))
  }

  const options = { config: { action: 'public', maxRate: MAX_RATE }, bodyLimit: BODY_LIMIT } as const
  app.post('/:provider', { ...options, schema: receiveWebhookSchema }, (request, reply) => receive(request.params.provider, request, reply))
  // Banks append `/pix` to the URL of a Pix webhook.
  app.post('/pix/pix', { ...options, schema: { hide: true } }, (request, reply) => receive('pix', request, reply))
}
export default route
