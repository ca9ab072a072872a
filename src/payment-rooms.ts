// The product as a Fastify plugin. All that it decorates, hooks and sets stays in its own context, so that it can be registered beside routes and sockets of others.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { SYSTEM_CLOCKS, type Clocks } from './clock.js'
import { ConfigError, type Config } from './config.js'
import type { Folder } from './data-folder.js'
import { decorateContext } from './http/app-context.js'
import { HostHooks } from './http/host-hooks.js'
import { MAX_PARAM_LENGTH } from './http/server-options.js'
import { upgradeConstraint } from './http/upgrade-constraint.js'
import { configFromOptions, type SettingOptions } from './options.js'

// Required: an import would make Node.js search its text for exports before it runs it.
const { fastifyAutoload: autoload } = createRequire(import.meta.url)('@fastify/autoload') as typeof import('@fastify/autoload')

/** Settings, each by its name in camelCase; and clocks for tests. `prefix` and `logLevel` are Fastify's own options. */
export interface PaymentRoomsOptions extends SettingOptions, Partial<Clocks> {
  /** All settings at once, as `loadConfig` reads them from environment variables, instead of one by one. */
  readonly config?: Config | undefined
  /** Folder of the journal, if it is open already: reading it may take longer than Fastify allows a plugin. Default: the plugin opens `dataDir`. */
  readonly folder?: Folder | undefined
}

/** Options that are not settings. */
const OTHERS: ReadonlySet<string> = new Set(['config', 'folder', 'now', 'monotonic', 'prefix', 'logLevel', 'logSerializers'])

/** A path without characters that have a meaning in Fastify's routes or another spelling in a URL, and without a slash at its end. */
const PLAIN_PATH = /^(?:\/[\w.~-]+)*$/

/**
 * Registers the socket, the REST API and their pages: `fastify.register(paymentRooms, { prefix: '/payments', apiKeys: ['…'], tokenSecret: '…' })`.
 * @throws {ConfigError} naming every option that breaks its rule; rejects `register` and `ready`
 */
export const paymentRooms: FastifyPluginAsync<PaymentRoomsOptions> = async (app, options) => {
  if (!PLAIN_PATH.test(app.prefix)) throw new ConfigError('prefix must be a plain path such as /payments')
  const settings = settingsIn(options)
  if (options.config && Object.keys(settings).length > 0) throw new ConfigError(`config cannot be combined with ${Object.keys(settings).join(', ')}`)
  const { config = configFromOptions(settings), now, monotonic = now ?? SYSTEM_CLOCKS.monotonic, folder } = options
  decorateContext(app, config, { now: now ?? SYSTEM_CLOCKS.now, monotonic, folder })
  const hostHooks = new HostHooks(app)
  app.decorate('hostHooks', hostHooks)
  warnOfServerOptions(app)
  if (!app.hasConstraintStrategy(upgradeConstraint.name)) app.addConstraintStrategy(upgradeConstraint)
  await app.register(autoload, { dir: join(import.meta.dirname, '..', 'plugins') })
  await app.register(autoload, { dir: join(import.meta.dirname, '..', 'routes'), routeParams: true })
  hostHooks.loaded()
}

function settingsIn (options: PaymentRoomsOptions): SettingOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !OTHERS.has(name)))
}

/** Names the one option of the server without which valid requests fail. */
function warnOfServerOptions ({ initialConfig, log }: FastifyInstance): void {
  const { maxParamLength = 100 } = initialConfig.routerOptions ?? {}
  if (maxParamLength < MAX_PARAM_LENGTH) {
    log.warn({ maxParamLength }, `room ids longer than ${maxParamLength} characters are rejected: set routerOptions.maxParamLength to ${MAX_PARAM_LENGTH}`)
  }
}
