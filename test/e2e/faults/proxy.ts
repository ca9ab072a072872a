// The way between one node and Redis (or a replica and its master), which a test can hold up, mute, cut and redirect.
import { once } from 'node:events'
import net from 'node:net'

/** Use of a connection, as its bytes show it. */
export type Use = 'subscriber' | 'commands'

interface Link {
  readonly near: net.Socket
  /** Use of the link; undefined if the way was held up from the beginning. */
  far: net.Socket | undefined
  use: Use
}

export class Proxy {
  readonly #server: net.Server
  readonly #links = new Set<Link>()
  #held: Use | 'all' | undefined
  #muted: Use | undefined

  private constructor (server: net.Server, private target: number) {
    this.#server = server
    server.on('connection', (near) => this.#accept(near))
  }

  /** @param target a port on this machine */
  static async start (target: number): Promise<Proxy> {
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Proxy(server, target)
  }

  get port (): number { return (this.#server.address() as net.AddressInfo).port }

  /** Redirects later connections to another port; existing ones are cut. */
  lead (target: number): void {
    this.target = target
    this.cut()
  }

  cut (): void {
    for (const { near, far } of this.#links) {
      near.destroy()
      far?.destroy()
    }
  }

  /** Holds up all bytes, in both directions, without closing: as TCP does when packets are lost. */
  hold (what: Use | 'all' = 'all'): void {
    this.#held = what
    for (const { near, far, use } of this.#links) {
      if (what !== 'all' && what !== use) continue
      near.pause()
      far?.pause()
    }
  }

  /** Lets the bytes that were held up pass, late. */
  release (): void {
    this.#held = undefined
    for (const link of this.#links) this.#flow(link)
  }

  /** Drops everything that Redis sends on connections of one use, until called with undefined. */
  mute (use: Use | undefined): void { this.#muted = use }

  async close (): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept (near: net.Socket): void {
    const link: Link = { near, far: undefined, use: 'commands' }
    this.#links.add(link)
    near.on('data', (chunk) => {
      if (chunk.includes('ssubscribe')) link.use = 'subscriber'
      link.far?.write(chunk)
    })
    this.#follow(link, near)
    if (this.#held !== 'all') this.#flow(link)
  }

  #flow (link: Link): void {
    if (!link.far) {
      const far = link.far = net.connect(this.target, '127.0.0.1')
      far.on('data', (chunk) => { if (this.#muted !== link.use) link.near.write(chunk) })
      this.#follow(link, far)
    }
    link.near.resume()
    link.far.resume()
  }

  /** An end that closes closes the other one, too. */
  #follow (link: Link, socket: net.Socket): void {
    socket.setNoDelay(true)
    socket.on('error', () => { /* the close that follows is handled */ })
    socket.on('close', () => {
      this.#links.delete(link)
      link.near.destroy()
      link.far?.destroy()
    })
  }
}
