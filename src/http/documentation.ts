// OpenAPI document of the routes and the pages that show it, both made when they are first asked for: their libraries are a seventh of a start, and few starts use them.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { ROOT } from '../root.js'

type Document = Extract<ReturnType<FastifyInstance['swagger']>, object>

export interface DocumentationOptions {
  /** Path of the pages, below the prefix of the context. */
  readonly path: string
  /** Options of the document. */
  readonly load: () => Promise<FastifyDynamicSwaggerOptions>
}

/** Headers that decide if and which part of a file is sent (RFC 9110 §13 and §14). */
const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'] as const
/** Headers of an answer that belong to its connection. */
const OF_CONNECTION: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date', 'content-length'])

/** No request reaches the documented routes, so that nothing compiles their schemas. */
const NO_COMPILERS = { buildValidator: () => () => () => true, buildSerializer: () => () => JSON.stringify } as object

const ICON = join(ROOT, 'pages', 'shared', 'icon.svg')

/** Name and icon of the pages, in place of those of Swagger UI. @param icon SVG */
function appearanceOf (icon: string): Pick<FastifySwaggerUiOptions, 'logo' | 'theme'> {
  const type = 'image/svg+xml'
  // As high as the logo that it takes the place of.
  const logo = icon.replace('<svg ', '<svg width="40" height="40" ')
  return {
    logo: { type, content: Buffer.from(logo) },
    theme: { title: 'WebSocket Payment Server', favicon: [{ filename: 'icon.svg', rel: 'icon', type, sizes: 'any', content: icon }] }
  }
}

/** Records the routes of a context as they are added, and documents them with an application of its own, to which no one connects. */
export class Documentation {
  readonly #context: FastifyInstance
  readonly #options: DocumentationOptions
  /** Routes with a schema, and the context of each, which has its shared schemas. As many as the code registers. */
  readonly #routes: Array<{ readonly route: RouteOptions, readonly context: FastifyInstance }> = []
  #application: Promise<FastifyInstance> | undefined

  /** @param context context whose routes are added later; those of an outer document do not show them */
  constructor (context: FastifyInstance, options: DocumentationOptions) {
    this.#context = context
    this.#options = options
    const record = (route: RouteOptions, context: FastifyInstance) => this.#record(route, context)
    context.addHook('onRoute', function (route) { record(route, this) })
  }

  /** @returns the document of the routes, once all are added */
  async document (): Promise<Document> { return (await this.#load()).swagger() as Document }

  /** Answers a request for one of the pages. */
  async answer ({ url, headers }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | void> {
    const application = await this.#load()
    const conditions = Object.fromEntries(CONDITIONS.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]))
    const answer = await application.inject({ method: 'GET', url, headers: conditions })
    if (answer.statusCode === 404) return reply.callNotFound()
    for (const [name, value] of Object.entries(answer.headers)) if (!OF_CONNECTION.has(name)) reply.header(name, value)
    return reply.code(answer.statusCode).send(answer.rawPayload)
  }

  #record (route: RouteOptions, context: FastifyInstance): void {
    if (!route.schema || route.schema.hide || route.method === 'HEAD') return
    this.#routes.push({ route: { ...route }, context })
    // The server around this context has neither the components nor the security schemes of these routes, and its document would fail.
    if (this.#context.hasDecorator('swagger')) route.schema = { ...route.schema, hide: true }
  }

  #load (): Promise<FastifyInstance> {
    this.#application ??= this.#create()
    return this.#application
  }

  async #create (): Promise<FastifyInstance> {
    const [{ default: Fastify }, { default: swagger }, { default: swaggerUi }, options, icon] = await Promise.all([
      import('fastify'), import('@fastify/swagger'), import('@fastify/swagger-ui'), this.#options.load(), readFile(ICON, 'utf8')
    ])
    const application = Fastify({ exposeHeadRoutes: false, schemaController: { compilersFactory: NO_COMPILERS } })
    const { prefix } = this.#context
    await application.register(swagger, options)
    await application.register(async (pages) => { await pages.register(swaggerUi, { routePrefix: this.#options.path, indexPrefix: prefix, ...appearanceOf(icon) }) }, { prefix })
    const schemas = Object.assign({}, ...this.#routes.map(({ context }) => context.getSchemas())) as Record<string, unknown>
    for (const schema of Object.values(schemas)) application.addSchema(schema)
    for (const { route: { method, url, schema } } of this.#routes) application.route({ method, url, schema: schema!, handler: async () => undefined })
    await application.ready()
    return application
  }
}
