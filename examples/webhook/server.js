// Webhook of the payment provider: receives the result of a payment, and publishes it to the payment's room as a verified result.
import http from 'node:http'
import { isGenuine } from './signature.js'

const { PORT = 3001, SERVER = 'http://127.0.0.1:8080', KEY, WEBHOOK_SECRET } = process.env
if (!KEY || !WEBHOOK_SECRET) throw new Error('KEY and WEBHOOK_SECRET are needed')

/** Converts a webhook of the provider to an event. `room` is the reference that the shop gave the provider. */
function eventOf ({ id, type, data }) {
  const { transactionId, amount, currency, error, code } = data
  if (type === 'payment.paid') return { type: 'PAYMENT_SUCCESS', payload: { transactionId, amount, currency }, id }
  if (type === 'payment.failed') return { type: 'PAYMENT_ERROR', payload: { error, code }, id }
}

/** @returns status for the provider: 200 ends the delivery, 503 makes the provider deliver again */
async function tellRoom ({ room }, event) {
  const response = await fetch(`${SERVER}/api/rooms/${encodeURIComponent(room)}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(5_000)
  })
  const { success, data, code } = await response.json()
  console.log(event.id, success ? { seq: data.seq, duplicate: data.duplicate } : code)
  // A closed room stays closed, and a rejected body is rejected again. Every other failure may be temporary.
  return success || [400, 409, 410].includes(response.status) ? 200 : 503
}

async function take (request) {
  const chunks = []
  for await (const chunk of request) {
    chunks.push(chunk)
    if (chunks.length > 100) return 413
  }
  const body = Buffer.concat(chunks)
  if (!isGenuine(WEBHOOK_SECRET, request.headers['x-signature'], body)) return 401
  const webhook = JSON.parse(body)
  const event = eventOf(webhook)
  // Here your backend writes the result into its own database, before anything else.
  return event ? tellRoom(webhook.data, event) : 200
}

http.createServer((request, response) => {
  if (request.method !== 'POST' || request.url !== '/webhook') return response.writeHead(404).end()
  take(request).catch((error) => {
    console.error(error.message)
    return error instanceof SyntaxError ? 400 : 503
  }).then((status) => response.writeHead(status).end())
}).listen(PORT, function () { console.log(`webhooks are taken at http://localhost:${this.address().port}/webhook`) })
