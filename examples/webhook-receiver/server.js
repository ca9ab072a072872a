// Backend of a shop that receives the webhooks of the payment server: verifies each, recognises repetitions, and acts once.
import http from 'node:http'
import { Webhook } from 'standardwebhooks'

const { PORT = 3002, WEBHOOK_SECRET } = process.env
if (!WEBHOOK_SECRET) throw new Error('WEBHOOK_SECRET is needed')

const webhooks = WEBHOOK_SECRET.split(',').map((secret) => new Webhook(secret.trim()))
const MAX_BYTES = 100_000
/** Ids of webhooks that were handled. A backend keeps them in its database, in the transaction that changes the order. */
const handled = new Set()
const MAX_HANDLED = 10_000

/** Acts on a webhook. One that is received again was not handled: for an error here the answer is 500, and the payment server sends it again. */
async function handle ({ type, data: { roomId, reference, seq, state } }) {
  const order = reference ?? roomId
  if (type === 'payment.succeeded' && state.outcome.verified) console.log(`${order}: paid, send the goods`)
  else console.log(`${order}: ${type} (${state.status}, seq ${seq})`)
}

/** @returns the body if one of the secrets has signed it, otherwise undefined */
function verified (body, headers) {
  for (const webhook of webhooks) {
    try {
      return webhook.verify(body, headers)
    } catch { /* the next secret */ }
  }
  return undefined
}

async function take (request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    // The rest is read and dropped: leaving the loop would destroy the connection before the answer.
    if (size <= MAX_BYTES) chunks.push(chunk)
  }
  if (size > MAX_BYTES) return 413
  // The bytes that were signed, before anything parses them.
  const notification = verified(Buffer.concat(chunks).toString('utf8'), request.headers)
  if (!notification) return 401
  const id = request.headers['webhook-id']
  if (handled.has(id)) return 200
  await handle(notification)
  handled.add(id)
  if (handled.size > MAX_HANDLED) handled.delete(handled.values().next().value)
  return 200
}

http.createServer(async (request, response) => {
  if (request.method !== 'POST' || request.url !== '/webhook') return response.writeHead(404).end()
  const status = await take(request).catch((error) => {
    console.error(error.name)
    return 500
  })
  response.writeHead(status).end()
}).listen(PORT, function () { console.log(`webhooks are received at http://localhost:${this.address().port}/webhook`) })
