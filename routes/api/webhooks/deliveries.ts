// /api/webhooks/deliveries: the webhooks that this server sends to backends, for an operator.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Failure } from '../../../src/errors.js'
import { DeliveryParams, ListDeliveriesQuery, WebhookDeliveriesResponse, WebhookDeliveryResponse } from '../../../src/protocol/rest-deliveries.js'
import { errorResponses, success } from '../../../src/protocol/rest.js'
import { Ref } from '../../../src/protocol/schema.js'
import { UNKNOWN_DELIVERY } from '../../../src/webhooks/delivery.js'

const route: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/deliveries', {
    config: { action: 'inspect' },
    schema: {
      operationId: 'listWebhookDeliveries',
      tags: ['Webhooks'],
      summary: 'List sent webhooks',
      description: 'Lists the webhooks that the server sends to backends, the latest first, without their bodies and URLs: those that wait, those that were given up, and the last ones that were delivered.',
      security: [{ apiKey: [] }, {}],
      querystring: ListDeliveriesQuery,
      response: { 200: Ref(WebhookDeliveriesResponse, 'The webhooks.'), ...errorResponses(400, 401, 403, 429, 500, 503) }
    }
  }, async ({ query: { limit } }, reply) => {
    const deliveries = await app.notifier?.queue.list(limit) ?? []
    return deliveries instanceof Failure ? reply.fail(deliveries) : success({ deliveries }, app.now())
  })

  app.post('/deliveries/:id/retry', {
    config: { action: 'manage' },
    schema: {
      operationId: 'retryWebhookDelivery',
      tags: ['Webhooks'],
      summary: 'Send a webhook again',
      description: 'Sends a webhook again that waits, has failed or was disabled. One that waits is tried with its room now. One that was given up has one more try, before those that wait in its room; if it succeeds, a receiver that was switched off is on again.',
      security: [{ apiKey: [] }, {}],
      params: DeliveryParams,
      response: { 202: Ref(WebhookDeliveryResponse, 'The webhook is sent again.'), ...errorResponses(400, 401, 403, 404, 413, 414, 415, 429, 500, 503) }
    }
  }, async ({ params: { id } }, reply) => {
    const delivery = await app.notifier?.queue.retry(id) ?? UNKNOWN_DELIVERY
    return delivery instanceof Failure ? reply.fail(delivery) : reply.code(202).send(success(delivery, app.now()))
  })
}
export default route
