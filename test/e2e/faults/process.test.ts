// Faults of one node that has its rooms in its own memory: what ends the process, and what must not.
import { closeSync, openSync } from 'node:fs'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Peer } from '../../peer.js'
import { until } from '../../until.js'
import { answersBetween } from './answers.js'
import { startNode, withoutProc, type Node, type Nodes } from './cluster.js'
import { killNode, pauseNode, type Span } from './faults.js'
import { judge, SEED } from './judge.js'
import { play } from './scenario.js'

/** What a test can do to the process from inside, by signals that mean nothing to it: block its event loop for 3 s, and throw where nobody catches. */
const preload = `
  process.on('SIGWINCH', () => { for (const end = Date.now() + 3000; Date.now() < end;); })
  process.on('SIGTTIN', () => { setTimeout(() => { throw new Error('thrown by a test') }, 0) })`

/** How long the load runs before a fault and after it, ms. */
const pace = 500

/** Lines of the log that tell of no event. */
const trouble = (output: string) => output.split('\n').filter((line) => line !== '' && !line.includes('"seq":')).length

t.test('faults of the process', { skip: withoutProc, jobs: 2 }, async (t) => {
  t.test('an end under load: it takes the rooms with it, and that is declared', { buffered: true }, async (t) => {
    const nodes = await startNode(t, {}, { preload })
    const { node } = nodes

    t.test('kill -9', async (t) => {
      const outcome = await play(nodes, { name: 'kill', seed: SEED, pace }, (stage) => killNode(nodes, stage, node))
      judge(t, outcome, { mayLose: true })
      t.strictSame(Object.keys(outcome.figures.closed), ['1006'])
    })

    t.test('an exception that nobody caught: it is logged, everyone is told to come back, exit 1', async (t) => {
      let code: number | null = null
      const outcome = await play(nodes, { name: 'exception', seed: SEED, pace, bug: 'server failed, stopping' }, async () => {
        code = await node.kill('SIGTTIN')
        await node.start()
      })
      judge(t, outcome, { mayLose: true })
      t.equal(code, 1)
      t.match(node.output, /"level":60,.*"message":"thrown by a test".*"server failed, stopping"/)
      t.strictSame(Object.keys(outcome.figures.closed), ['1012'])
    })
  })

  t.test('the event loop blocked for 3 s, longer than the heartbeat allows', { buffered: true }, async (t) => {
    const nodes = await startNode(t, { HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' }, { preload })
    const { node } = nodes
    for (const [how, fault] of [['the process is stopped', pauseNode], ['its own code does not return', async () => {
      node.signal('SIGWINCH')
      await sleep(3_000)
    }]] as const) {
      t.test(`${how}: nobody is sent away, and nothing is lost`, async (t) => {
        const outcome = await play(nodes, { name: 'block', seed: SEED, pace }, (stage) => fault(nodes, stage, node))
        judge(t, outcome)
        t.strictSame(outcome.figures.closed, {})
      })
    }

    t.test('and then nobody reads its standard output any more: JSON', async (t) => {
      node.closeOutput()
      await goesOn(t, nodes)
      t.equal(await node.kill('SIGTERM'), 0)
    })
  })

  t.test('no descriptors left: who is there goes on paying, and with free ones there is room again', { buffered: true }, async (t) => {
    // Enough for the modules that are read at once while it starts.
    const nodes = await startNode(t, { NODE_ENV: 'development', LOG_LEVEL: 'info' }, { descriptors: 256 })
    const { node } = nodes
    let span: Span = { from: 0, to: 0 }
    let [accepted, refused, cpu, lines, after] = [0, 0, 0, 0, 0]
    const outcome = await play(nodes, { name: 'descriptors', seed: SEED, rooms: 12 }, async () => {
      const greedy: net.Socket[] = []
      const open = () => {
        const socket = net.connect(node.port, '127.0.0.1')
        greedy.push(socket)
        let isOpen = false
        socket.on('error', () => { /* the close that follows says it */ })
        socket.on('data', () => { if (!isOpen) { isOpen = true; accepted++ } })
        socket.on('close', () => { if (!isOpen) refused++ })
        socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
      }
      await until('a socket is refused', () => {
        open()
        return refused > 0
      })
      const [cpuBefore, linesBefore, from] = [node.cpu, trouble(node.output), Date.now()]
      // They keep trying, as clients do.
      for (let i = 0; i < 100; i++) {
        open()
        await sleep(20)
      }
      span = { from, to: Date.now() }
      cpu = (node.cpu - cpuBefore) / (span.to - span.from)
      lines = trouble(node.output) - linesBefore
      const giveUp = () => { for (const socket of greedy) socket.destroy() }
      giveUp()
      const before = accepted
      after = await until('a new socket is accepted', async () => {
        open()
        await sleep(20)
        return accepted > before
      })
      giveUp()
    })
    judge(t, outcome)
    const { acknowledged } = answersBetween(outcome.lines, span.from, span.to)
    t.comment(`${accepted} accepted, ${refused} refused; meanwhile ${acknowledged} events acknowledged, ${Math.round(cpu * 100)} % CPU, ${lines} lines logged of it; room again after ${after} ms`)
    t.strictSame(outcome.figures.closed, {}, 'nobody is sent away')
    t.ok(acknowledged > 0, 'they go on paying')
    t.ok(cpu < 0.8, 'it does not spin')
    t.ok(lines < 100, 'nor does its log')

    t.test('and then nobody reads its standard output any more: lines for people', async (t) => {
      node.closeOutput()
      await goesOn(t, nodes)
      t.equal(await node.kill('SIGTERM'), 0)
    })
  })

  t.test('a full disk behind standard output', { buffered: true, jobs: 2 }, async (t) => {
    const stdout = openSync('/dev/full', 'w')
    t.teardown(() => closeSync(stdout))
    for (const NODE_ENV of ['production', 'development']) {
      t.test(NODE_ENV, { buffered: true }, async (t) => {
        const nodes = await startNode(t, { NODE_ENV }, { stdout })
        await goesOn(t, nodes)
        t.equal(await nodes.node.kill('SIGTERM'), 0)
      })
    }
  })
})

/** With a log that cannot be written it serves as before, and ends as it should. */
async function goesOn (t: Test, nodes: Nodes & { readonly node: Node }): Promise<void> {
  const outcome = await play(nodes, { name: 'output', seed: SEED, pace }, async () => {
    const newcomer = await Peer.connect(t, nodes.node.url)
    await newcomer.settled()
    newcomer.socket.terminate()
  })
  judge(t, outcome)
  t.strictSame(outcome.figures.closed, {})
}
