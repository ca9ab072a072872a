// The life of the page around the room: hidden, kept in the back/forward cache, shown again, without network.
import type { Environment, TargetLike } from './environment.js'

export interface PageListener {
  /** It may never be seen again: the payer switched to the bank's app, or the page is going. */
  hidden: () => void
  /** It is going, perhaps into the back/forward cache, which takes no page with an open connection. */
  suspended: () => void
  /** It came back out of the cache. */
  resumed: () => void
  /** It is seen again, or the network changed: whether the link lives must be asked. */
  awake: () => void
}

/** Listens to the page, where there is one. @returns ends it */
export function watchPage ({ window, document }: Pick<Environment, 'window' | 'document'>, listener: PageListener): () => void {
  const stop = new AbortController()
  const listen = (target: TargetLike | undefined, type: string, handler: () => void) => target?.addEventListener(type, handler, stop)
  listen(window, 'pagehide', listener.suspended)
  listen(window, 'pageshow', listener.resumed)
  listen(window, 'online', listener.awake)
  // What the browser says of the network is asked of the link: a server on this machine is still there.
  listen(window, 'offline', listener.awake)
  listen(document, 'visibilitychange', () => document!.visibilityState === 'hidden' ? listener.hidden() : listener.awake())
  return () => stop.abort()
}
