// Eavesdropper for tests: a TCP proxy on loopback that records all bytes.
import { once } from 'node:events'
import net from 'node:net'
import type { Test } from 'tap'

export class Wiretap {
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  readonly #bytes: Buffer[] = []

  private constructor (server: net.Server, private readonly target: number) {
    this.#server = server
    server.on('connection', (near) => {
      const far = net.connect(this.target, '127.0.0.1')
      for (const [from, to] of [[near, far], [far, near]] as const) {
        this.#sockets.add(from)
        from.on('data', (bytes) => this.#bytes.push(bytes))
        from.on('error', () => { /* the close handler destroys the other side */ })
        from.on('close', () => {
          this.#sockets.delete(from)
          to.destroy()
        })
        from.pipe(to)
      }
    })
  }

  /** Listens until the test ends, before or after the target does. */
  static async start (t: Test, target: number): Promise<Wiretap> {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const wiretap = new Wiretap(server, target)
    t.teardown(() => {
      server.close()
      for (const socket of wiretap.#sockets) socket.destroy()
    })
    return wiretap
  }

  get port (): number { return (this.#server.address() as net.AddressInfo).port }

  /** Bytes so far, in both directions, each byte a character. */
  get text (): string { return Buffer.concat(this.#bytes).toString('latin1') }
}
