// Backend that receives webhooks in a test: a server on a free loopback port that verifies each with the library of Standard Webhooks.
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import type { Test } from 'tap'
import type { Notification } from '../../src/protocol/notifications.js'

export const SECRET = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`

export interface Received extends Notification { readonly id: string, readonly headers: http.IncomingHttpHeaders }

/** Answers a webhook: with a status, or by itself. */
export type Reply = number | ((response: ServerResponse, received: Received, request: IncomingMessage) => void)

export interface WebhookReceiver {
  readonly url: string
  readonly port: number
  /** All that came and was signed, in order. */
  readonly received: Received[]
  /** Number of requests whose signature was refused. */
  readonly refused: () => number
  /** Answers of the next requests, in order; then 204. */
  readonly replies: Reply[]
  readonly close: () => Promise<void>
  /** Rooms and types of all that came. */
  readonly types: () => string[]
}

export async function startReceiver (t: Test, { secret = SECRET } = {}): Promise<WebhookReceiver> {
  const webhook = new Webhook(secret)
  const received: Received[] = []
  const replies: Reply[] = []
  let refused = 0
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      try {
        // The signature alone: the clocks of the tests are not that of the library.
        const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers as Record<string, string>
        if (!signature!.split(' ').includes(webhook.sign(id!, new Date(Number(at) * 1000), body))) throw new Error('not signed')
        received.push({ ...JSON.parse(body) as Notification, id: id!, headers: request.headers })
      } catch {
        refused++
        response.writeHead(401).end()
        return
      }
      const reply = replies.shift() ?? 204
      if (typeof reply === 'number') response.writeHead(reply).end()
      else reply(response, received.at(-1)!, request)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  t.teardown(close)
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/hook`, port, received, refused: () => refused, replies, close, types: () => received.map(({ type, data }) => `${data.roomId} ${type}`) }
}
