// The package in the runtimes besides browsers: Node.js, Bun and Deno, over sockets and over the event stream. Each program must end by itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { without } from '../installed.js'
import { plainNode } from '../plain-node.js'

const CLIENT = pathToFileURL(join(ROOT, 'packages/client/dist/index.js')).href
const WS = import.meta.resolve('ws')

/** Program that pays, waits for the result and leaves. Node.js 20 has no WebSocket of its own. */
const PROGRAM = `
import { connect } from '${CLIENT}'
const [url, transport] = process.argv.slice(-2)
const Socket = globalThis.WebSocket ?? (await import('${WS}')).WebSocket
const room = connect({ url, roomId: transport, role: 'device2', WebSocket: transport === 'stream' ? null : Socket })
const settled = new Promise((resolve) => room.on('settled', resolve))
const receipt = await room.publish('CLICKED_PAY')
await fetch(url + '/api/rooms/' + transport + '/events', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"type":"PAYMENT_SUCCESS","payload":{}}' })
const { status } = await settled
console.log(JSON.stringify([room.transport, receipt.seq, status, room.position.seq]))
room.close()
`

const RUNTIMES: ReadonlyArray<readonly [name: string, skip: string | false, command: (file: string) => readonly [string, string[]]]> = [
  ['Node.js', false, (file) => plainNode(file)],
  ['Bun', without('bun', 'none; npm install bun'), (file) => ['bun', ['run', file]]],
  ['Deno', without('deno', 'none; npm install deno'), (file) => ['deno', ['run', '--no-config', '--allow-net', '--allow-read', '--allow-env', file]]]
]

for (const [name, skip, command] of RUNTIMES) {
  for (const transport of ['socket', 'stream']) {
    t.test(`${name} over a ${transport}`, { skip }, async (t) => {
      const { port } = await listen(t)
      const folder = t.testdir({ 'program.mjs': `import process from 'node:process'\n${PROGRAM}` })
      const [program, args] = command(join(folder, 'program.mjs'))
      const child = spawn(program, [...args, `http://127.0.0.1:${port}`, transport], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
      const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
      t.equal(errors.replace(/^(?:Download|Warning).*\n/gm, ''), '')
      t.equal(output.trim(), JSON.stringify([transport, 1, 'succeeded', 2]))
      t.equal(code, 0)
    })
  }
}
