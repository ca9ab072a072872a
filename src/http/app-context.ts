// Decorates a Fastify context with its settings and clocks. Apart from payment-rooms.ts, so that the declarations below stay out of the package's types.
import type { FastifyInstance } from 'fastify'
import type { Clocks } from '../clock.js'
import type { Config } from '../config.js'
import type { Folder } from '../data-folder.js'
import type { HostHooks } from './host-hooks.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Validated settings. */
    config: Config
    /** Wall clock, ms since the epoch, for timestamps that leave the process; see src/clock.ts. */
    now: () => number
    /** Monotonic clock, ms, for rates, deadlines and durations: a step of the wall clock does not affect it. */
    monotonic: () => number
    /** Folder of the journal, if it was opened before the app was built. */
    openedFolder: Folder | undefined
    /** Request hooks of the host. */
    hostHooks: HostHooks
  }
}

export function decorateContext (app: FastifyInstance, config: Config, { now, monotonic, folder }: Clocks & { readonly folder?: Folder | undefined }): void {
  app.decorate('config', config)
  app.decorate('now', now)
  app.decorate('monotonic', monotonic)
  app.decorate('openedFolder', folder)
}
