// Webhook of the payment provider: receives the result of a payment, and publishes it to the payment's room as a verified result.
import http from 'node:http'
import { eventOf, parse } from './result.js'
import { isGenuine } from './signature.js'

const { PORT = 3001, SERVER = 'http://127.0.0.1:8080', KEY, WEBHOOK_SECRET } = process.env
if (!KEY || !WEBHOOK_SECRET) throw new Error('KEY and WEBHOOK_SECRET are needed')

const MAX_BYTES = 100_000
/** Time after which the provider should deliver again, s. */
const RETRY_AFTER = 30

/** @returns status for the provider: 200 ends the delivery; after any other status the provider delivers again, and in the end tells somebody */
async function publish ({ id, data: { room } }, event) {
  const response = await fetch(`${SERVER}/api/rooms/${encodeURIComponent(room)}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: event,
    signal: AbortSignal.timeout(5_000)
  })
  // A proxy in between may answer without JSON.
  const { data, code, error } = await response.json().catch(() => ({}))
  if (response.status === 201) {
    console.log({ webhook: id, seq: data.seq, duplicate: data.duplicate })
    return 200
  }
  console.error({ webhook: id, status: response.status, code, error })
  // The same result would be refused again, and a closed room stays closed. Every other failure may be temporary, also a wrong key.
  return [400, 409, 410, 413].includes(response.status) ? 422 : 503
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
  const body = Buffer.concat(chunks)
  if (!isGenuine(WEBHOOK_SECRET, request.headers['x-signature'], body)) return 401
  const webhook = parse(body)
  // Here your backend writes the webhook into its own database, before anything else.
  const event = eventOf(webhook)
  if (event === undefined) return 200
  if (webhook.data.room) return publish(webhook, event)
  console.error({ webhook: webhook.id, error: 'The payment has no room.' })
  return 422
}

http.createServer(async (request, response) => {
  if (request.method !== 'POST' || request.url !== '/webhook') return response.writeHead(404).end()
  const status = await take(request).catch((error) => {
    // Without the message: that of a SyntaxError quotes the body.
    console.error(error.cause?.code ?? error.name)
    return error instanceof SyntaxError ? 400 : 503
  })
  response.writeHead(status, status === 503 ? { 'retry-after': RETRY_AFTER } : {}).end()
}).listen(PORT, function () { console.log(`webhooks are taken at http://localhost:${this.address().port}/webhook`) })
