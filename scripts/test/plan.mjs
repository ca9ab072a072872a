// Jobs of a run: which files it has, and which of them share a process.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { ROOT } from './compile.mjs'

/** Folders and files of `npm run test:full`, in the order in which they start: those that take five seconds of a processor or many more, or run a browser. */
const LONG = [
  'test/websocket/mutants.test.ts',
  'test/clock/',
  'test/openapi-fuzz.test.ts',
  'test/e2e/balancer.test.ts',
  'test/e2e/faults/',
  'test/e2e/hostile/',
  'test/e2e/durable-process.test.ts',
  'test/e2e/durable-webhooks.test.ts',
  'test/docs.test.ts',
  'test/sdk.test.ts',
  'test/log-leaks.test.ts',
  'test/broker/redis/log-leaks.test.ts',
  'test/providers/leaks.test.ts',
  'test/providers/start.test.ts',
  'test/providers/results.test.ts',
  'test/webhooks/redis/killed-node.test.ts',
  'test/webhooks/redis/load.test.ts',
  'test/webhooks/redis/schemes.test.ts',
  'test/webhooks/redis/acl.test.ts',
  'test/webhooks/redis/nodes.test.ts',
  'test/webhooks/start.test.ts',
  'test/broker/redis/acl.test.ts',
  'test/broker/redis/schemes.test.ts',
  'test/bench/capacity.test.ts',
  'test/bench/compare.test.ts',
  'test/e2e/attacker.test.ts',
  'test/websocket/conformance-pieces.test.ts',
  'test/plugins/join-burst.test.ts',
  'test/bench/hot-path.test.ts',
  'test/e2e/process.test.ts',
  'test/e2e/start.test.ts',
  'test/e2e/code-generation.test.ts',
  'test/e2e/deprecations.test.ts',
  'test/e2e/browser.test.ts',
  'test/examples/plain-page.test.ts',
  'test/client/package.test.ts',
  'test/client/runtimes.test.ts',
  'test/cli/process.test.ts',
  'test/e2e/client-browser.test.ts',
  'test/e2e/pages-engines.test.ts',
  'test/e2e/client-components.test.ts',
  'test/e2e/client-import.test.ts',
  'test/e2e/playground.test.ts',
  'test/e2e/playground-page.test.ts',
  'test/e2e/playground-payers.test.ts',
  'test/e2e/playground-status.test.ts',
  'test/e2e/playground-webhooks.test.ts',
  'test/e2e/console.test.ts',
  'test/e2e/console-funnel.test.ts',
  'test/e2e/console-size.test.ts'
]
/** Files that change their process. */
const ALONE = ['test/plugins/tracing.test.ts']

/** A folder with fewer files shares the process of test/ itself. */
const MIN_FILES = 4

/** Place of the entry of a list that a file belongs to; -1 without one. */
const placeIn = (list, file) => list.findIndex((entry) => entry.endsWith('/') ? file.startsWith(entry) : file === entry)
const isLong = (file) => placeIn(LONG, file) >= 0
const isAlone = (file) => placeIn(ALONE, file) >= 0

/** All test files, as paths from the project's root. */
const allFiles = () => filesIn(join(ROOT, 'test'))

function filesIn (folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.test.ts')).map((name) => relative(ROOT, join(folder, name))).sort()
}

/**
 * The files of a run.
 * @param named files and folders, from the working directory; without any it is the quick tests, or the long ones
 * @throws where a name is none of a test, or of a folder with tests
 */
export function choose (named, { long = false } = {}) {
  if (named.length === 0) return allFiles().filter((file) => isLong(file) === long)
  return [...new Set(named.flatMap((name) => {
    const path = resolve(name)
    const files = !existsSync(path) ? [] : statSync(path).isDirectory() ? filesIn(path) : [relative(ROOT, path)]
    if (!files.some((file) => file.endsWith('.test.ts'))) throw new Error(`no test there: ${name}`)
    return files
  }))]
}

/**
 * Jobs for these files: one for those below a folder of test/, one for each that needs a process to itself. The largest begin first.
 * A process takes about a second of a processor before its first test: small folders share that of test/ itself.
 */
export function plan (files) {
  const alone = files.filter((file) => isAlone(file) || isLong(file)).sort((a, b) => placeIn(LONG, a) - placeIn(LONG, b)).map((file) => ({ name: file, files: [file] }))
  const folders = new Map([['test', []]])
  for (const file of files.filter((file) => !isAlone(file) && !isLong(file))) {
    const folder = dirname(file).split('/', 2).join('/')
    folders.set(folder, [...folders.get(folder) ?? [], file])
  }
  const small = [...folders].filter(([folder, files]) => folder !== 'test' && files.length < MIN_FILES)
  for (const [folder, files] of small) {
    folders.delete(folder)
    folders.get('test').push(...files)
  }
  const shared = [...folders].filter(([, files]) => files.length > 0).map(([folder, files]) => ({ name: files.length === 1 ? files[0] : folder, files }))
  return [...shared.sort((a, b) => b.files.length - a.files.length), ...alone]
}
