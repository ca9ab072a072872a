// Marked payloads, keys, tokens and secrets, a server that receives them, and a search for the marks in its output.
import type { Test } from 'tap'
import { Peer } from './peer.js'
import { freePort } from './free-port.js'
import { startProcess, type ServerProcess } from './server-process.js'
import { until } from './until.js'

export const PAYLOAD = { amount: '98765431.27', cpf: '529.982.247-25', email: 'maria.souza@example.com' }
export const IDEMPOTENCY_KEY = 'idem-9f31c7'
export const EVENT_ID = 'event-5d20aa'
export const API_KEY = 'key-of-a-backend'
export const WRONG_KEY = 'key-of-nobody'
export const TOKEN_SECRET = 'secret-of-tokens-0123456789abcdef'
export const WRONG_TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoicGF5bWVudF8xIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4'
export const PASSWORD = 'p@ss-of-redis'
export const MARKS = [...Object.values(PAYLOAD), IDEMPOTENCY_KEY, EVENT_ID, API_KEY, WRONG_KEY, TOKEN_SECRET, WRONG_TOKEN, WRONG_TOKEN.split('.')[2]!, PASSWORD, encodeURIComponent(PASSWORD)]

export const FORMATS = ['production', 'development']

/** Throws uncaught errors at signals that a server does not use. The environment holds the marks, since a stack would show them in the source of the module. */
const preload = `
  const payload = JSON.parse(process.env.MARKED)
  const bug = Object.assign(new Error('thrown by a test'), { command: { name: 'evalsha', args: [payload] }, config: payload })
  process.on('SIGTTIN', () => { setTimeout(() => { throw bug }, 0) })
  process.on('SIGTTOU', () => { Promise.reject({ ...payload, message: 'rejected by a test', stack: 'Error: rejected by a test' }) })`

export interface Server extends ServerProcess {
  readonly url: string
  readonly http: string
  /** Waits for a line while a call is repeated. @param from length of the output to skip; by default the whole current output */
  readonly logs: (pattern: RegExp, again?: () => unknown, from?: number) => Promise<void>
}

export async function start (t: Test, env: Record<string, string>): Promise<Server> {
  const port = await freePort()
  const server = startProcess({ PORT: String(port), LOG_LEVEL: 'trace', API_KEYS: API_KEY, REQUESTS_PER_SECOND: '0', MARKED: JSON.stringify({ ...PAYLOAD, key: API_KEY }), SHUTDOWN_GRACE_SECONDS: '2', ...env }, { cwd: t.testdir({}), preload })
  t.teardown(() => server.child.kill('SIGKILL'))
  await until(() => `the server listens; output: ${server.output()}`, () => server.output().includes('server started'), 60_000)
  const logs = async (pattern: RegExp, again: () => unknown = () => {}, from = server.output().length) => {
    await until(() => `${pattern} is logged; output: ${server.output().slice(from)}`, async () => {
      await again()
      return pattern.test(server.output().slice(from))
    }, 60_000)
  }
  return { ...server, url: `ws://127.0.0.1:${port}`, http: `http://127.0.0.1:${port}`, logs }
}

/** Finds marks in a log. @returns the lines with a mark */
export function marked (log: string, marks: readonly string[] = MARKS): string[] {
  return log.split('\n').filter((line) => marks.some((mark) => line.includes(mark)))
}

/** Asserts that the output of a server holds no mark. */
export function search (t: Test, { output }: Pick<ServerProcess, 'output'>, further: string[] = []): void {
  t.strictSame(marked(output(), [...MARKS, ...further]), [], 'no mark is in the log')
}

let published = 0

/** Makes a request that publishes a marked event over REST, with a new id each time. @param key the API key or token */
export function publishRequest (key = API_KEY): RequestInit & { readonly id: string } {
  const id = `${EVENT_ID}-${++published}`
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': `${IDEMPOTENCY_KEY}-${published}` }
  return { id, method: 'POST', headers, body: JSON.stringify({ type: 'CLICKED_PAY', payload: PAYLOAD, id: `${id}-rest` }) }
}

/** Publishes marked events over REST and a socket, with new ids, since a duplicate logs nothing; the call may fail. @returns the status over REST */
export async function publish ({ http, url }: Pick<Server, 'http' | 'url'>, roomId = 'r', token?: string): Promise<number> {
  const { id, ...request } = publishRequest()
  const { status } = await fetch(`${http}/api/rooms/${roomId}/events`, request)
  const socket = await Peer.connect({ teardown: () => {} } as unknown as Test, url)
  if (token !== undefined) socket.send('JOIN_ROOM', { roomId, token })
  socket.send('CLICKED_PAY', { roomId, ...PAYLOAD }, id)
  await Promise.race([socket.settled().catch(() => { /* the socket was closed for its token */ }), socket.closed])
  socket.socket.terminate()
  return status
}
