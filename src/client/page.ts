// The life of the page around the room: hidden, kept in the back/forward cache, shown again, without network.
import type { Environment } from './environment.js'

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
  const onWindow: Array<[string, (event: any) => void]> = [
    ['pagehide', listener.suspended], ['pageshow', listener.resumed], ['online', listener.awake], ['offline', listener.awake]
  ]
  const onVisibility = () => { (document!.visibilityState === 'hidden' ? listener.hidden : listener.awake)() }
  for (const [type, handler] of onWindow) window?.addEventListener(type, handler)
  document?.addEventListener('visibilitychange', onVisibility)
  return () => {
    for (const [type, handler] of onWindow) window?.removeEventListener(type, handler)
    document?.removeEventListener('visibilitychange', onVisibility)
  }
}
