// Faults of one node that has its rooms in its own memory: those that end the process, and those that must not.
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

/** Code loaded into the process, which acts on signals that the server ignores: it blocks the event loop for 3 s, or throws an uncaught exception. */
const preload = `
  process.on('SIGWINCH', () => { for (const end = Date.now() + 3000; Date.now() < end;); })
  process.on('SIGTTIN', () => { setTimeout(() => { throw new Error('thrown by a test') }, 0) })`

/** Duration of the load before a fault and after it, ms. */
const pace = 500

/** Number of lines of the log that report no event. */
const trouble = (output: string) => output.split('\n').filter((line) => line !== '' && !line.includes('"seq":')).length

t.test('Faults of the process', { skip: withoutProc, jobs: 2 }, async (t) => {
  t.test('The loss of the rooms with the process is declared', { buffered: true }, async (t) => {
    const nodes = await startNode(t, {}, { preload })
    const { node } = nodes

    t.test('After kill -9 the loss is declared, and sockets close with 1006', async (t) => {
      const outcome = await play(nodes, { name: 'kill', seed: SEED, pace }, (stage) => killNode(nodes, stage, node))
      judge(t, outcome, { mayLose: true })
      t.strictSame(Object.keys(outcome.figures.closed), ['1006'])
    })

    t.test('An uncaught exception is logged, clients are asked to reconnect, and the process exits with 1', async (t) => {
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

  t.test('An event loop blocked for 3 s, longer than the heartbeat allows', { buffered: true }, async (t) => {
    const nodes = await startNode(t, { HEARTBEAT_SECONDS: '1', HEARTBEAT_TIMEOUT_SECONDS: '1' }, { preload })
    const { node } = nodes
    for (const [how, fault] of [['the process is stopped', pauseNode], ['the code of the process does not return', async () => {
      node.signal('SIGWINCH')
      await sleep(3_000)
    }]] as const) {
      t.test(`${how}: no client is closed, and nothing is lost`, async (t) => {
        const outcome = await play(nodes, { name: 'block', seed: SEED, pace }, (stage) => fault(nodes, stage, node))
        judge(t, outcome)
        t.strictSame(outcome.figures.closed, {})
      })
    }

    t.test('With JSON lines the process goes on after its standard output loses its reader', async (t) => {
      node.closeOutput()
      await goesOn(t, nodes)
      t.equal(await node.kill('SIGTERM'), 0)
    })
  })

  t.test('Without free descriptors connected devices go on paying, and new ones are accepted once some are free', { buffered: true }, async (t) => {
    // Limit with enough descriptors for the modules that are read at once during the start.
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
        socket.on('error', () => { /* the close that follows is handled */ })
        socket.on('data', () => { if (!isOpen) { isOpen = true; accepted++ } })
        socket.on('close', () => { if (!isOpen) refused++ })
        socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
      }
      await until('a socket is refused', () => {
        open()
        return refused > 0
      })
      const [cpuBefore, linesBefore, from] = [node.cpu, trouble(node.output), Date.now()]
      // Refused sockets keep trying, as clients do.
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
    t.comment(`${accepted} accepted, ${refused} refused; meanwhile ${acknowledged} events acknowledged, ${Math.round(cpu * 100)} % CPU, ${lines} lines logged about it; accepting again after ${after} ms`)
    t.strictSame(outcome.figures.closed, {}, 'no client is closed')
    t.ok(acknowledged > 0, 'devices go on paying')
    t.ok(cpu < 0.8, 'the process does not spin')
    t.ok(lines < 100, 'the log is not flooded')

    t.test('With lines for people the process goes on after its standard output loses its reader', async (t) => {
      node.closeOutput()
      await goesOn(t, nodes)
      t.equal(await node.kill('SIGTERM'), 0)
    })
  })

  t.test('A full disk behind standard output', { buffered: true, jobs: 2 }, async (t) => {
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

/** Checks that the server serves and exits as usual although its log cannot be written. */
async function goesOn (t: Test, nodes: Nodes & { readonly node: Node }): Promise<void> {
  const outcome = await play(nodes, { name: 'output', seed: SEED, pace }, async () => {
    const newcomer = await Peer.connect(t, nodes.node.url)
    await newcomer.settled()
    newcomer.socket.terminate()
  })
  judge(t, outcome)
  t.strictSame(outcome.figures.closed, {})
}
