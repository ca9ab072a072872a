// Installed packages: no known advisory, exact versions, checked downloads, few packages in production.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../src/root.js'
import { ADVISORIES, type Advisory } from './advisories.js'

interface Entry { name?: string, version?: string, resolved?: string, integrity?: string, dev?: boolean, link?: boolean, hasInstallScript?: boolean }
interface Lockfile { packages: Record<string, Entry> }
interface Manifest { dependencies: Record<string, string>, devDependencies: Record<string, string>, scarfSettings: { enabled: boolean } }

const read = (file: string): unknown => JSON.parse(readFileSync(join(ROOT, file), 'utf8'))
const lockfile = read('package-lock.json') as Lockfile
const manifest = read('package.json') as Manifest

/** Number of packages in production, nested copies included. Each more is one more to trust, and to look after. */
const PRODUCTION_LIMIT = 107
/** Packages that may run a script at installation, each with the reason. */
const INSTALL_SCRIPTS: Record<string, string> = {
  '@scarf/scarf': 'would count installations; scarfSettings in package.json switches it off, and only the linters of the contracts need it',
  'msgpackr-extract': 'looks for a binary of this platform, a package of its own; bullmq, which is optional, works without it',
  esbuild: 'checks that the binary for this platform, a package of its own, is there; only tsx needs it',
}

/** Packages of this project, by their folders: the root, and the client, which depends on nothing. */
const OWN = ['', 'packages/client']

/** Installed copies, nested ones included, without the project itself and the link to its client. A folder has the name of its package, unless it is an alias. */
function copies ({ packages }: Lockfile) {
  return Object.entries(packages).filter(([path, { link, resolved }]) => !OWN.includes(path) && !(link && OWN.includes(resolved!))).map(([path, entry]) => ({ ...entry, path, name: entry.name ?? path.split('node_modules/').at(-1) ?? '' }))
}

const numbers = (version: string) => version.split(/[.-]/, 3).map(Number)
const major = (version: string) => numbers(version)[0] ?? NaN

/** Compares two versions. A prerelease counts as its release: no advisory here begins or ends at one. */
function before (version: string, other: string): boolean {
  const [mine, theirs] = [numbers(version), numbers(other)]
  const at = mine.findIndex((part, i) => part !== theirs[i])
  return at >= 0 && (mine[at] ?? NaN) < (theirs[at] ?? NaN)
}

/** Checks a version against an advisory. A major line without a fix of its own is affected if a later line was fixed. */
function affected (version: string, { since, fixed }: Advisory): boolean {
  if (since && before(version, since)) return false
  const sameLine = fixed.find((first) => major(first) === major(version))
  return sameLine ? before(version, sameLine) : fixed.some((first) => major(version) < major(first))
}

/** Faults of the lockfile and of the table of advisories, one line each. */
function holes (lock: Lockfile, advisories = ADVISORIES): string[] {
  const installed = copies(lock)
  return advisories.flatMap((advisory) => {
    const all = installed.filter(({ name }) => name === advisory.package)
    if (all.length === 0) return [`${advisory.package} is not installed any more: delete the row ${advisory.id}`]
    const hit = all.filter(({ version = '' }) => affected(version, advisory))
    if (advisory.accepted) return hit.length > 0 ? [] : [`${advisory.package} is free of ${advisory.id}: delete its 'accepted'`]
    return hit.map(({ path, version }) => `${path} ${version} has ${advisory.id}, fixed in ${advisory.fixed.join(', ')}: ${advisory.what}`)
  })
}

/** Packages whose download is not checked, or that run an unlisted script. */
function unsafe (lock: Lockfile): string[] {
  return copies(lock).flatMap(({ path, name, link, integrity, resolved, hasInstallScript }) => [
    ...(link ? [`${path} is a link`] : []),
    ...(integrity?.startsWith('sha512-') ? [] : [`${path} has no sha512`]),
    ...(resolved && !resolved.startsWith('https://') ? [`${path} comes from ${resolved}`] : []),
    ...(hasInstallScript && !(name in INSTALL_SCRIPTS) ? [`${path} runs a script when it is installed`] : []),
  ])
}

const production = (lock: Lockfile) => copies(lock).filter(({ dev }) => !dev)
const typesInProduction = (lock: Lockfile) => production(lock).filter(({ name }) => name.startsWith('@types/')).map(({ name }) => name)
/** Dependencies that are not one version of the registry: ranges, tags, addresses, folders. */
const inexact = ({ dependencies, devDependencies }: Pick<Manifest, 'dependencies' | 'devDependencies'>) =>
  Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)).map(([name]) => name)

t.test('no installed copy is affected by a known advisory, and every advisory is about an installed package', async (t) => {
  t.strictSame(holes(lockfile), [])
})

t.test('the table holds each advisory once, with valid versions and a sentence', async (t) => {
  t.equal(new Set(ADVISORIES.map(({ id }) => id)).size, ADVISORIES.length)
  for (const { id, since, fixed, what } of ADVISORIES) {
    t.match(id, /^(GHSA(-[23456789cfghjmpqrvwx]{4}){3}|CVE-\d{4}-\d{4,6})$/)
    t.ok(fixed.length > 0 && [...fixed, ...(since ? [since] : [])].every((version) => /^\d+\.\d+\.\d+$/.test(version)), `${id}: versions`)
    t.match(what, /^[\w.].*\.$/)
  }
})

t.test('package.json names exact versions, and types only for development', async (t) => {
  t.strictSame(inexact(manifest), [])
  t.strictSame(Object.keys(manifest.dependencies).filter((name) => name.startsWith('@types/')), [])
})

t.test('every download has a checksum, and only listed packages run a script', async (t) => {
  t.strictSame(unsafe(lockfile), [])
  const running = copies(lockfile).filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name)
  t.strictSame(Object.keys(INSTALL_SCRIPTS).filter((name) => !running.includes(name)), [], 'every listed package runs a script')
  t.equal(manifest.scarfSettings.enabled, false, 'scarf is disabled')
})

t.test('production installs few packages, and no types', async (t) => {
  const count = production(lockfile).length
  t.ok(count <= PRODUCTION_LIMIT, `${count} of at most ${PRODUCTION_LIMIT} packages: raise the limit if they are intended`)
  t.strictSame(typesInProduction(lockfile), [])
})

t.test('a manipulated lockfile is refused', async (t) => {
  const manipulated = (path: string, entry: Entry): Lockfile => ({ packages: { [path]: { integrity: 'sha512-', version: '1.0.0', ...entry } } })
  const rows = (name: string) => ADVISORIES.filter((advisory) => advisory.package === name)
  const ids = (name: string, lock: Lockfile) => holes(lock, rows(name)).map((line) => /(?:GHSA|CVE)[-\w]+/.exec(line)?.[0])

  t.strictSame(ids('ws', manipulated('node_modules/ws', { version: '8.21.0' })), ['CVE-2026-62389'])
  t.strictSame(ids('ws', manipulated('node_modules/a/node_modules/ws', { version: '8.20.1' })), ['GHSA-96hv-2xvq-fx4p', 'CVE-2026-62389'], 'a nested copy')
  t.strictSame(ids('ws', manipulated('node_modules/a', { name: 'ws', version: '8.21.0' })), ['CVE-2026-62389'], 'under another name')
  t.strictSame(ids('ws', manipulated('node_modules/ws', { version: '4.0.0' })), rows('ws').map(({ id }) => id), 'a major line without a fix')
  const glob = (version: string) => ids('glob', manipulated('node_modules/glob', { version }))
  t.strictSame([glob('10.1.9'), glob('10.10.0'), glob('12.0.0')], [[], [], []], 'versions before the first affected one, and fixed versions')
  t.strictSame([glob('10.2.0'), glob('10.4.9'), glob('11.0.9')].flat().length, 3)
  t.match(holes({ packages: {} }), Array(ADVISORIES.length).fill(/delete the row/))
  t.match(holes(lockfile, rows('glob').map((row) => ({ ...row, accepted: 'it does not matter' }))), [/delete its 'accepted'/])

  t.match(unsafe(manipulated('node_modules/a', { integrity: 'sha1-' })), [/no sha512/])
  t.match(unsafe(manipulated('node_modules/a', { resolved: 'git+ssh://a/b' })), [/comes from git/])
  t.match(unsafe(manipulated('node_modules/a', { resolved: 'http://a/b' })), [/comes from http:/])
  t.match(unsafe(manipulated('node_modules/a', { hasInstallScript: true })), [/runs a script/])
  t.match(unsafe(manipulated('node_modules/a', { link: true })), [/is a link/])
  t.strictSame(typesInProduction(manipulated('node_modules/@types/a', {})), ['@types/a'])
  const specs = ['^1.0.0', '1.x', 'latest', '*', 'file:../a', 'git+https://a/b.git', 'https://a/b.tgz', 'a/b', '']
  t.equal(inexact({ dependencies: Object.fromEntries(specs.map((spec) => [spec, spec])), devDependencies: { a: '1.0.0-rc.1' } }).length, specs.length)
})
