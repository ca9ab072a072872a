// Bystanders that an attack must not affect: a payment in another room, and the server's own counts of open things.
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { acceptorOf } from '../../../src/websocket/node/internals.js'
import { Peer } from '../../peer.js'
import { until } from '../../until.js'

export interface Server { readonly app: FastifyInstance, readonly url: string, readonly port: number }

/** Two devices in the middle of a payment, in a room that only they know. */
export class Payment {
  #sent = 0

  private constructor (readonly roomId: string, private readonly shop: Peer, private readonly phone: Peer) {}

  static async begin (t: Test, url: string): Promise<Payment> {
    const [shop, phone] = await Promise.all([Peer.connect(t, url), Peer.connect(t, url)])
    const roomId = randomUUID()
    await shop.join(roomId)
    const payment = new Payment(roomId, shop, phone)
    await payment.goesOn(t, 'the payment begins')
    return payment
  }

  /** Checks that the next step arrives, under the next number, and that no other frame ever did. */
  async goesOn (t: Test, what: string): Promise<void> {
    this.phone.send('CLICKED_PAY', { roomId: this.roomId, step: ++this.#sent })
    while ((await this.shop.next('CLICKED_PAY')).payload.step !== this.#sent);
    const expected = Array.from({ length: this.#sent }, (_, i) => [i + 1, i + 1])
    t.strictSame(this.shop.events.map(({ seq, payload }) => [seq, payload.step]), expected, `the other payment goes on: ${what}`)
    t.strictSame([...this.shop.frames, ...this.phone.frames].filter(({ type }) => type === 'ERROR'), [])
  }

  end (): void {
    this.shop.socket.terminate()
    this.phone.socket.terminate()
  }
}

/** Runs an attack while a payment goes on in another room, and checks that the payment is not affected. */
export async function besideAPayment (t: Test, { url }: Server, what: string, attack: () => Promise<void>): Promise<void> {
  const payment = await Payment.begin(t, url)
  await attack()
  await payment.goesOn(t, what)
  payment.end()
}

/** Runs a task for each item, some at once. */
export async function forEach<T> (items: Iterable<T>, task: (item: T) => Promise<void>, atOnce = 8): Promise<void> {
  const queue = [...items]
  await Promise.all(Array.from({ length: Math.min(atOnce, queue.length) }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await task(item)
  }))
}

/** Open connections of each server that it has accepted since the count began. Read at once, unlike the server's own count, and independent of it. */
const accepted = new WeakMap<object, Set<object>>()

function connectionsOf ({ server }: Server['app']): number {
  const counted = accepted.get(server)
  if (counted) return counted.size
  const open = new Set<object>()
  accepted.set(server, open)
  const acceptor = acceptorOf(server)!
  const { onconnection } = acceptor
  acceptor.onconnection = (error, handle) => {
    open.add(handle!)
    const { close } = handle!
    Object.assign(handle!, {
      close: (closed: () => void) => {
        open.delete(handle!)
        close!.call(handle, closed)
      }
    })
    onconnection!.call(acceptor, error, handle)
  }
  return 0
}

/** Counts of open things on the server: connections, sockets, rooms with members, listeners that could pile up. */
export function openThings ({ app }: Pick<Server, 'app'>): Record<string, number> {
  const connections = connectionsOf(app)
  const listeners = app.server.eventNames().reduce((sum, name) => sum + app.server.listenerCount(name), 0)
  return { connections, sessions: app.sessions.size, rooms: app.rooms.size, clients: app.websocketServer.clients.size, listeners }
}

/** Waits until no more is open than before; ten seconds is the promised limit for every failed connection. */
export async function backTo (before: Record<string, number>, server: Pick<Server, 'app'>, timeout = 10_000): Promise<void> {
  let now = before
  await until(() => `as it was before: ${JSON.stringify(before)}, but there is ${JSON.stringify(now)}`, () => {
    now = openThings(server)
    return Object.keys(before).every((key) => now[key]! <= before[key]!)
  }, timeout)
}
