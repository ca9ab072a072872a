// Request hooks that the host's application runs before the socket route. The fast path skips Fastify, and so would skip them.

/** Kinds of hooks that Fastify runs before the handler of a route. */
const KINDS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

/** Description of the symbol under which a Fastify instance keeps its hooks. Fastify has no public way to list them; a plugin can only see the hooks of a route. */
const HOOKS = 'fastify.hooks'

type Hooks = Readonly<Record<typeof KINDS[number], readonly object[]>>

const REPRODUCED = Symbol('reproduced by the fast path')

/** Marks a hook of ours that is added to the application itself, so that it does not count as the host's. The fast path has to have its effect on a handshake. */
export function reproducedHook<Hook extends object> (hook: Hook): Hook { return Object.assign(hook, { [REPRODUCED]: true }) }

/**
 * Tells the host's request hooks on a Fastify instance from our own: ours are added between the constructor and {@link HostHooks.loaded}. Fastify loads plugins one
 * after the other, and adds a hook that the host adds meanwhile when they are loaded.
 */
export class HostHooks {
  readonly #app: object
  readonly #before: ReadonlySet<object>
  #own: ReadonlySet<object> = new Set()

  /** @param app Fastify instance of the socket route */
  constructor (app: object) {
    this.#app = app
    this.#before = this.#all()
  }

  /** Ends the time in which hooks are our own. */
  loaded (): void { this.#own = new Set([...this.#all()].filter((hook) => !this.#before.has(hook))) }

  /** Reason for not skipping the hooks of the socket route, once all hooks are added; undefined if all are ours. */
  reasonNotToSkip (): string | undefined {
    const hooks = hooksOf(this.#app)
    if (!hooks) return 'the hooks of this Fastify version cannot be read'
    const kinds = KINDS.filter((kind) => hooks[kind].some((hook) => !this.#own.has(hook) && !(REPRODUCED in hook)))
    return kinds.length > 0 ? `the application has hooks for every request: ${kinds.join(', ')}` : undefined
  }

  #all (): Set<object> {
    const hooks = hooksOf(this.#app)
    return new Set(hooks ? KINDS.flatMap((kind) => [...hooks[kind]]) : [])
  }
}

function hooksOf (app: object): Hooks | undefined {
  const symbol = Object.getOwnPropertySymbols(app).find(({ description }) => description === HOOKS)
  const hooks = symbol && (app as Record<symbol, Partial<Hooks> | undefined>)[symbol]
  return hooks && KINDS.every((kind) => Array.isArray(hooks[kind])) ? hooks as Hooks : undefined
}
