// A burst of 5,000 clients that reconnect at once: all join again, and each gets the state of its payment.
import t from 'tap'
import { until } from '../../until.js'
import { Client, newFigures } from '../balancer-client.js'
import { startNode, withoutProc } from './cluster.js'

const WANTED = 5_000
/** Descriptors that the test and the server need beside the sockets. */
const SPARE = 200

/** Maximum of sockets in a process here. Node raises the soft limit to the hard one by itself. */
function allowed (): number {
  const { userLimits } = process.report.getReport() as { userLimits: { open_files: { hard: number | 'unlimited' } } }
  const { hard } = userLimits.open_files
  return hard === 'unlimited' ? WANTED : Math.min(WANTED, hard - SPARE)
}

t.test('Reconnects of all clients at once', { skip: withoutProc }, async (t) => {
  const rooms = Math.floor(allowed() / 2)
  const { node } = await startNode(t)
  const url = `ws://127.0.0.1:${node.port}`
  const figures = newFigures()
  let gate: Promise<unknown> = Promise.resolve()
  const make = (role: 'device1' | 'device2') => Array.from({ length: rooms }, (_, n) => new Client(url, `room-${n}`, role, figures, () => gate))
  const [watchers, publishers] = [make('device1'), make('device2')]
  const clients = [...watchers, ...publishers]
  t.teardown(() => { for (const client of clients) client.end() })
  // On a busy machine many handshakes time out and are tried again.
  const everyoneIn = async () => until(() => `everyone is in; ${clients.filter(({ joined }) => !joined).length} are not: ${JSON.stringify(figures)}`, () => clients.every(({ joined }) => joined), 90_000)
  const settled = async (seq: number) => until(`all clients received event ${seq}`, () => publishers.every(({ unacknowledged }) => unacknowledged.size === 0) && watchers.every(({ lastSeq }) => lastSeq === seq))
  /** Resets the figures counted so far. */
  const begin = () => Object.assign(figures, newFigures())
  t.comment(`${clients.length} sockets in ${rooms} rooms`)

  for (const client of clients) client.connect()
  const first = await everyoneIn()
  for (const publisher of publishers) publisher.publish()
  await settled(1)
  const atRest = node.memory
  t.comment(`in for the first time after ${first} ms; the node has ${atRest} MiB`)

  t.test('After broken connections no client misses an event', async (t) => {
    begin()
    for (const client of clients) client.cut()
    // Events published meanwhile are sent after the reconnect.
    for (const publisher of publishers) publisher.publish()
    await until('the clients notice the loss of their connections', () => clients.every(({ joined }) => !joined))
    const took = await everyoneIn()
    const states = new Set(clients.map(({ state }) => state?.step))
    await settled(2)
    t.comment(`all back after ${took} ms; ${JSON.stringify(figures)}; the node had ${node.peakMemory} MiB at the most`)
    t.strictSame([...states], ['CLICKED_PAY'])
    t.match(figures, { recovered: clients.length, declaredLost: 0, violations: [] })
    t.ok(watchers.every(({ seen }) => seen.length === 2 && seen[0] === 1 && seen[1] === 2))
  })

  t.test('After a kill of the process every client learns that its room began anew', async (t) => {
    begin()
    let open: () => void = () => {}
    gate = new Promise<void>((resolve) => { open = resolve })
    await node.kill('SIGKILL')
    await node.start()
    await until('the clients notice the loss of their connections', () => clients.every(({ joined }) => !joined))
    open()
    const took = await everyoneIn()
    t.strictSame([...new Set(clients.map(({ state }) => state?.step))], [null])
    t.match(figures, { recovered: 0, declaredLost: clients.length, violations: [] })
    for (const publisher of publishers) publisher.publish()
    await until('the payments go on', () => publishers.every(({ unacknowledged }) => unacknowledged.size === 0))
    t.comment(`all back after ${took} ms; ${JSON.stringify(figures)}; the node had ${node.peakMemory} MiB at the most`)
  })
})
