// Checks an answer to a request against the OpenAPI document.
import { ERRORS, type ErrorCode } from '../../src/errors.js'
import { checker, type Place } from '../contracts.js'
import type { Answer } from './answers.js'
import type { Request } from './requests.js'

type Document = any

/** Statuses of refusals before any operation, as the document's description lists them. */
const BEFORE = [408, 417, 431]
/** Statuses of an address without an operation: not found, malformed, or too long; and the body is checked before the address. */
const NOWHERE = [400, 404, 413, 414, 415]
const ENVELOPE: Place = ['components', 'schemas', 'ErrorResponse']

export class Contract {
  /** Count of each status by operation: `createRoom 201`. */
  readonly met = new Map<string, number>()
  readonly #document: Document
  readonly #check: ReturnType<typeof checker>
  readonly #paths: ReadonlyArray<{ path: string, rule: RegExp }>

  constructor (document: Document) {
    this.#document = document
    this.#check = checker(document)
    this.#paths = Object.keys(document.paths).map((path) => ({ path, rule: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]*')}$`) }))
  }

  /** Lists the faults of an answer. */
  faults (request: Request, answer: Answer): string[] {
    const place = this.#operationAt(request)
    const operation = place && this.#document.paths[place[1]!][place[2]!]
    const name: string = operation?.operationId ?? (request.method === 'OPTIONS' ? 'OPTIONS' : 'nowhere')
    const met = `${name} ${answer.status}`
    this.met.set(met, (this.met.get(met) ?? 0) + 1)
    const documented = BEFORE.includes(answer.status) ? undefined : operation?.responses[answer.status]
    if (answer.status === 500) return ['the server failed']
    if (request.method === 'OPTIONS' && answer.status === 204) return answer.text === '' ? [] : ['a body without a content']
    if (!documented && ![...BEFORE, ...(operation ? [] : NOWHERE)].includes(answer.status)) return [`${name} has no ${answer.status}`]
    return [
      ...this.#faultsOfBody(request, answer, documented ? [...place!, 'responses', String(answer.status)] : undefined),
      ...this.#faultsOfHeaders(answer, documented?.headers ?? {}),
      ...(operation ? this.#faultsOfTaking(request, answer, operation, place!) : [])
    ]
  }

  /** Finds the operation of a request. The query does not count, and percent-encoding is decoded first. */
  #operationAt ({ method, target, headers }: Request): Place | undefined {
    // An upgrade to a WebSocket belongs to no operation; an upgrade to another protocol is ignored.
    if (/websocket/i.test(String(headers.upgrade)) && /upgrade/.test(String(headers.connection))) return undefined
    const path = decoded(target.split(/[?#]/)[0]!)
    const found = this.#paths.find(({ rule }) => path !== undefined && rule.test(path))
    // Every GET has a HEAD, except a stream.
    const key = method === 'HEAD' && !path?.endsWith('/events') ? 'get' : method.toLowerCase()
    return found && key in this.#document.paths[found.path] ? ['paths', found.path, key] : undefined
  }

  #faultsOfBody ({ method }: Request, { status, headers, text }: Answer, response: Place | undefined): string[] {
    if (method === 'HEAD' || status === 204) return text === '' ? [] : ['a body where there is none']
    const type = (headers['content-type'] ?? '').split(';')[0]!
    const place = response ? [...response, 'content', type, 'schema'] : ENVELOPE
    const media = response ? response.reduce((at, key) => at[key], this.#document).content : { 'application/json': {} }
    if (!(type in media)) return [`content type ${type}`]
    if (type !== 'application/json') return this.#check(place, text)
    const body = parsed(text)
    const faults = this.#check(place, body)
    const { code } = body as { code?: ErrorCode }
    if (status >= 400 && code && !BEFORE.includes(status) && ERRORS[code].status !== status) faults.push(`${code} is no ${status}`)
    return faults
  }

  #faultsOfHeaders ({ headers }: Answer, documented: Record<string, { schema: { type: string } }>): string[] {
    return Object.entries(documented).flatMap(([name, { schema }]) => {
      const value = headers[name.toLowerCase()]
      return value === undefined ? [`no ${name}`] : schema.type === 'integer' && !/^\d+$/.test(String(value)) ? [`${name}: ${String(value)}`] : []
    })
  }

  /** Checks that the server accepts exactly the requests that the document allows. */
  #faultsOfTaking (request: Request, { status, text }: Answer, { requestBody }: Document, place: Place): string[] {
    if (request.fits && [400, 414, 415].includes(status)) {
      const { code } = parsed(text) as { code: ErrorCode }
      // Rules for a single event type come after those of every event, and are the protocol's.
      return code === 'INVALID_FRAME' ? [] : [`${code}, though it is as documented`]
    }
    if (!requestBody || status >= 400) return []
    if (!request.body?.length) return requestBody.required ? ['accepted without a body'] : []
    // JSON is read as UTF-8, with or without a byte order mark.
    const body = parsed(String(request.body).replace(/^\ufeff/, ''))
    return this.#check([...place, 'requestBody', 'content', 'application/json', 'schema'], body).map((fault) => `accepted, though ${fault}`)
  }
}

function decoded (path: string): string | undefined {
  try {
    return decodeURI(path)
  } catch {
    return undefined
  }
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return { text }
  }
}
