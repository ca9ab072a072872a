// The client's bundle: small, without imports, and made only of the client's own files.
import { gzipSync } from 'node:zlib'
import vm from 'node:vm'
import t from 'tap'
import { FakeServer } from './fake-server.js'
import { bundle } from './bundle.js'

/** Limit of the gzipped size, bytes: 7 KiB. */
const LIMIT = 7 * 1024

t.test('The client\'s bundle is one small module of its own files', async (t) => {
  const { text, imports } = await bundle()
  const size = gzipSync(text, { level: 9 }).length
  t.ok(size < LIMIT, `${size} bytes of ${LIMIT}`)
  t.comment(`${size} bytes gzipped, ${text.length} minified`)
  t.strictSame(imports.filter((name) => !name.startsWith('src/client/')), [])
  t.notMatch(text, /\b(?:import|require)\b\s*[\s({'"]/, 'the bundle imports nothing')
  t.notMatch(text, /\b(?:node:|Buffer\b|process\b)/, 'the bundle uses no global of Node')
})

t.test('The bundler rejects an import of a missing file', async (t) => {
  await t.rejects(bundle('src/broker/event-draft.ts'), /node:crypto/)
})

t.test('The bundle runs with nothing but the globals of the web', async (t) => {
  const { text } = await bundle()
  const server = new FakeServer()
  const context = vm.createContext({
    crypto: { randomUUID: () => 'a-uuid' },
    WebSocket: server.WebSocket,
    setTimeout: server.clock.setTimeout,
    clearTimeout: server.clock.clearTimeout,
    URL,
    URLSearchParams,
    AbortController,
    TextEncoder,
    location: { href: 'https://shop.example/pay' }
  })
  const source = text.replace(/export\s*\{([^}]*)\}/, (_, names: string) => `;({${names.replace(/([\w$]+) as ([\w$]+)/g, '$2:$1')}})`)
  const { connect } = vm.runInContext(source, context) as { connect: (options: object) => any }
  const room = connect({ url: '/', roomId: 'room 1', role: 'device2' })
  const receipt = room.publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(await receipt, { epoch: 'e1', seq: 1, duplicate: false })
  t.equal(server.socket.url, 'wss://shop.example/')
  t.equal(room.deviceId, 'a-uuid')
})
