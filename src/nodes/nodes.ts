// Nodes of the server, as each describes itself. Without Redis there is one.
import type { Failure } from '../errors.js'
import type { MaybePromise } from '../maybe-promise.js'
import type { ServerNode } from '../protocol/rest-nodes.js'

export interface ServerNodes {
  /** @returns all live nodes, the longest running one first, or `UNAVAILABLE` */
  list: () => MaybePromise<ServerNode[] | Failure>
}

/** The one node of a server without Redis. */
export class OnlyNode implements ServerNodes {
  readonly #describe: () => ServerNode

  constructor (describe: () => ServerNode) { this.#describe = describe }

  list (): ServerNode[] { return [this.#describe()] }
}
