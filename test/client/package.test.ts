// Packages as npm gets them: complete, correct for every kind of import, and with types that need no other package.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import vm from 'node:vm'
import { gzipSync } from 'node:zlib'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { ROOT } from '../../src/root.js'
import { plainNode } from '../plain-node.js'

const require = createRequire(import.meta.url)
const FOLDER = join(ROOT, 'packages', 'client')
const DIST = join(FOLDER, 'dist')
const LIMIT = 7 * 1024
const manifest = (folder: string) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
const text = (name: string) => readFileSync(join(DIST, name), 'utf8')
const attw = join(require.resolve('@arethetypeswrong/cli/package.json'), '../dist/index.js')

/** Packs a package, and returns the path of its file. */
function pack (t: Test, folder: string): string {
  const target = t.testdir({})
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', target], { cwd: folder, encoding: 'utf8' }))
  return join(target, filename)
}

for (const [folder, options] of [[FOLDER, []], [ROOT, ['--ignore-rules', 'cjs-resolves-to-esm']]] as const) {
  t.test(`${manifest(folder).name} passes publint and arethetypeswrong`, async (t) => {
    const { messages, pkg } = await publint({ pkgDir: folder, strict: true })
    t.strictSame(messages.map((message) => formatMessage(message, pkg)), [])
    // The server is an ES module alone: Node.js from 20.19 on takes it from require() as well.
    const { status, stdout } = spawnSync(...plainNode(attw, pack(t, folder), '--no-color', ...options), { encoding: 'utf8' })
    t.equal(status, 0, stdout)
    t.equal(manifest(folder).private, undefined)
  })
}

t.test('The client has no dependencies, no side effects, and the version of the server', async (t) => {
  const { dependencies, peerDependencies, peerDependenciesMeta, sideEffects, version } = manifest(FOLDER)
  t.strictSame([dependencies, peerDependencies, sideEffects], [undefined, undefined, false])
  t.strictSame(peerDependenciesMeta, { react: { optional: true }, vue: { optional: true } })
  t.equal(version, manifest(ROOT).version)
  for (const name of ['index.d.ts', 'frames.d.ts', 'protocol.d.ts', 'element.d.ts', 'cjs/protocol.d.ts']) t.notMatch(text(name), /typebox|\.\.\//, name)
})

t.test('Each file is small', async (t) => {
  for (const [name, limit] of [['index.js', LIMIT], ['client.js', LIMIT], ['react.js', 1024], ['vue.js', 1024], ['element.js', 3 * 1024]] as const) {
    const size = gzipSync(text(name), { level: 9 }).length
    t.ok(size <= limit, `${name}: ${size} of ${limit} bytes gzipped`)
  }
})

t.test('The source maps carry their sources', async (t) => {
  for (const name of ['index.js', 'react.js', 'cjs/index.js', 'client.global.js']) {
    const { sourcesContent } = JSON.parse(text(`${name}.map`)) as { sourcesContent: string[] }
    t.ok(sourcesContent.every((source) => source.startsWith('// ')), name)
  }
})

t.test('The classic script makes a global, and require and import give the same names', async (t) => {
  const context = vm.createContext({})
  vm.runInContext(text('client.global.js'), context)
  t.strictSame(vm.runInContext('Object.keys(WsPaymentClient).sort().join()', context), 'RoomError,connect')
  const names = 'Object.keys(client).sort().join()'
  const run = (type: string, source: string) => execFileSync(...plainNode(`--input-type=${type}`, '--eval', source), { cwd: ROOT, encoding: 'utf8' }).trim()
  t.equal(run('module', `import * as client from 'ws-payment-client'; console.log(${names})`), 'RoomError,connect')
  t.equal(run('commonjs', `const client = require('ws-payment-client'); console.log(${names})`), 'RoomError,connect')
  t.equal(run('module', `import * as client from 'ws-payment-client/element'; console.log(${names})`), 'PaymentStatusElement,definePaymentStatus', 'a server may import the element')
})

const PROGRAM = `
import { connect, type PaymentState, type RoomEvent } from 'ws-payment-client'
import { usePaymentRoom } from 'ws-payment-client/react'
import { usePaymentRoom as forVue } from 'ws-payment-client/vue'
import { definePaymentStatus } from 'ws-payment-client/element'

const room = connect({ url: 'https://pay.example', roomId: 'r', role: 'device1' })
room.on('state', ({ status, attempt }: PaymentState) => { const known: 'pending' | 'processing' | 'succeeded' | 'failed' | 'cancelled' | 'expired' | 'partially_refunded' | 'refunded' | 'disputed' = status; void [known, attempt.toFixed()] })
room.on('PAYMENT_METHOD_CHANGED', ({ payload }: RoomEvent<'PAYMENT_METHOD_CHANGED'>) => { const method: string | undefined = payload.method; void method })
// @ts-expect-error no such status
room.on('state', ({ status }) => status === 'paid')
// @ts-expect-error the fields are a list
room.publish('DATA_FILLED', { fields: 'name' })
// @ts-expect-error not an event of a device
room.publish('PAYMENT_REFUNDED')
export const { canPay, publish } = usePaymentRoom({ url: '/', roomId: 'r', role: 'device2' })
export const shown: string | undefined = forVue(() => ({ url: '/', roomId: 'r', role: 'device2' })).state.value?.status
definePaymentStatus({ url: 'https://pay.example' })
`

t.test('The types are exact under every module resolution, without skipLibCheck', async (t) => {
  const settings = { node10: ['esnext', 'node10'], node16: ['node16', 'node16'], nodenext: ['nodenext', 'nodenext'], bundler: ['esnext', 'bundler'] }
  const folder = t.testdir({
    'program.ts': PROGRAM,
    'package.json': '{"type":"module"}',
    node_modules: { 'ws-payment-client': t.fixture('symlink', FOLDER), vue: t.fixture('symlink', join(ROOT, 'node_modules/vue')) }
  })
  const client = join(folder, 'node_modules/ws-payment-client/')
  for (const [name, [module, moduleResolution]] of Object.entries(settings)) {
    const { options, errors } = ts.convertCompilerOptionsFromJson({
      strict: true, noEmit: true, preserveSymlinks: true, target: 'es2022', lib: ['es2023', 'dom', 'dom.iterable'], types: [], module, moduleResolution, esModuleInterop: true
    }, folder)
    t.strictSame(errors, [])
    const program = ts.createProgram([join(folder, 'program.ts')], options)
    // Neither TypeScript's own libraries nor Vue's types are checked: that takes four seconds a time.
    const ours = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(client) || fileName === join(folder, 'program.ts'))
    t.ok(ours.length > 5, 'the program, and the types of the client and its components')
    const inFiles = ours.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
    const diagnostics = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics(), ...inFiles]
    t.strictSame(diagnostics.map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`), [], name)
  }
})
