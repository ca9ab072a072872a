// Lifecycle of the page around the room: hidden, stored in the back/forward cache, restored, network changed.
import type { Environment, TargetLike } from './environment.js'

export interface PageListener {
  /** The page may never be visible again: the payer switched to the bank's app, or the page is unloading. */
  hidden: () => void
  /** The page is unloading, perhaps into the back/forward cache, which accepts no page with an open connection. */
  suspended: () => void
  /** The page is restored from the back/forward cache. */
  resumed: () => void
  /** The page is visible again, or the network changed: the link must be probed. */
  awake: () => void
}

/** Watches the page, if there is one. @returns a function that stops watching */
export function watchPage ({ window, document }: Pick<Environment, 'window' | 'document'>, listener: PageListener): () => void {
  const stop = new AbortController()
  const listen = (target: TargetLike | undefined, type: string, handler: () => void) => target?.addEventListener(type, handler, stop)
  listen(window, 'pagehide', listener.suspended)
  listen(window, 'pageshow', listener.resumed)
  listen(window, 'online', listener.awake)
  // The browser's `offline` is not trusted, and the link is probed instead: a server on the same machine is still reachable.
  listen(window, 'offline', listener.awake)
  listen(document, 'visibilitychange', () => document!.visibilityState === 'hidden' ? listener.hidden() : listener.awake())
  return () => stop.abort()
}
