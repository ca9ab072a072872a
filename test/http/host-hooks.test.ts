// Hooks of the host are distinguished from the plugin's own, in every order in which a host may add them.
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import { HostHooks, reproducedHook } from '../../src/http/host-hooks.js'

const hook = () => async () => {}

/** Registers a plugin with its own hooks, as the payment rooms do. */
function register (app: FastifyInstance, { isEncapsulated = false } = {}): () => HostHooks {
  let hostHooks: HostHooks | undefined
  const plugin = async (context: FastifyInstance) => {
    hostHooks = new HostHooks(context)
    await context.register(fp(async (inner) => {
      inner.addHook('onRequest', hook()).addHook('preHandler', hook()).addHook('onResponse', hook())
    }))
    await context.register(async (child) => { child.addHook('preParsing', hook()) })
    hostHooks.loaded()
  }
  app.register(isEncapsulated ? plugin : fp(plugin))
  return () => hostHooks!
}

for (const isEncapsulated of [false, true]) {
  const where = isEncapsulated ? 'in a context of its own' : 'in the context of the host'

  t.test(`${where}: own hooks, marked hooks, and hooks of later phases or other contexts do not count as the host's`, async (t) => {
    const app = Fastify()
    app.addHook('onRequest', reproducedHook(hook()))
    app.addHook('onSend', hook())
    app.register(async (child) => { child.addHook('onRequest', hook()) })
    const hostHooks = register(app, { isEncapsulated })
    app.register(async (child) => { child.addHook('onRequest', hook()) })
    await app.ready()
    t.equal(hostHooks().reasonNotToSkip(), undefined)
  })

  t.test(`${where}: hooks that the host adds before and after count as the host's`, async (t) => {
    for (const order of ['before', 'after', 'in a plugin before', 'in a plugin after'] as const) {
      const app = Fastify()
      const add = () => {
        if (order.startsWith('in')) app.register(fp(async (app) => { app.addHook('preParsing', hook()).addHook('onRequest', hook()) }))
        else app.addHook('preParsing', hook()).addHook('onRequest', hook())
      }
      if (order.endsWith('before')) add()
      const hostHooks = register(app, { isEncapsulated })
      if (order.endsWith('after')) add()
      await app.ready()
      t.equal(hostHooks().reasonNotToSkip(), 'the application has hooks for every request: onRequest, preParsing', order)
    }
  })
}

t.test('no hook may be skipped when the hooks of an application are not found', async (t) => {
  const unknown = [{}, { [Symbol('fastify.hooks')]: undefined }, { [Symbol('fastify.hooks')]: { onRequest: [] } }, { [Symbol('other')]: { onRequest: [], preParsing: [], preValidation: [], preHandler: [] } }]
  for (const app of unknown) {
    const hostHooks = new HostHooks(app)
    hostHooks.loaded()
    t.equal(hostHooks.reasonNotToSkip(), 'the hooks of this Fastify version cannot be read')
  }
})
