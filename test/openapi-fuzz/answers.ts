// Sends a request, over a connection or without one, and reads its answer.
import { once } from 'node:events'
import http from 'node:http'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Request } from './requests.js'

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

/** Time after which an answer counts as missing, ms. */
const PATIENCE = 60_000
/** Error of a connection that the server closes while the next request is on its way. */
const CUT: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE'])

export class Server {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

  constructor (private readonly app: FastifyInstance, private readonly port: number) {}

  async send (request: Request): Promise<Answer> {
    if (request.over === 'inject') return this.#inject(request)
    try {
      return await this.#ask(request, this.#agent)
    } catch (error) {
      if (!CUT.has((error as NodeJS.ErrnoException).code)) throw error
      return this.#ask(request, false)
    }
  }

  close (): void { this.#agent.destroy() }

  async #inject ({ method, target, headers, body }: Request): Promise<Answer> {
    const answer = await this.app.inject({ method: method as 'GET', url: target, headers: headers as Record<string, string>, ...(body && { payload: body }) } satisfies InjectOptions)
    return { status: answer.statusCode, headers: answer.headers as http.IncomingHttpHeaders, text: answer.body }
  }

  async #ask ({ method, target, headers, body }: Request, agent: http.Agent | false): Promise<Answer> {
    const length = 'transfer-encoding' in headers || (!body && method === 'GET') ? {} : { 'content-length': String(body?.length ?? 0) }
    // Header lines are added separately: Node.js would refuse two hosts, for example, and would add headers of its own.
    const lines = Object.entries({ host: 'localhost', ...length, ...headers }).flatMap(([name, values]) => [values].flat().map((value) => [name, value] as const))
    const request = http.request({ port: this.port, host: '127.0.0.1', method, path: target, headers: lines.flat(), agent, timeout: PATIENCE })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    // Too large headers are refused before the server can know the method. So the answer to a HEAD has a body then, which is an error after the response.
    request.on('error', () => { /* one before the response is thrown below */ })
    request.end(body)
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    let text = ''
    response.setEncoding('utf8')
    for await (const chunk of response) {
      text += String(chunk)
      // A stream stays open; its first message is enough.
      if (response.headers['content-type']?.startsWith('text/event-stream') && text.includes('\ndata: ')) break
    }
    return { status: response.statusCode!, headers: response.headers, text }
  }
}
