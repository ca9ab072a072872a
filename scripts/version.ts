// Version of the next release: `npm run release:version` applies the changesets, then updates every file that repeats the version.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../src/root.js'

const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: ROOT, stdio: 'inherit' })
const readJson = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { version: string }

run('npm', 'run', '--silent', 'changeset', 'version')
const { version } = readJson('package.json')
// The SDK is a package of its own with the server's version; test/sdk.test.ts compares the two.
writeFileSync(join(ROOT, 'sdk/package.json'), `${JSON.stringify({ ...readJson('sdk/package.json'), version }, null, 2)}\n`)
run('npm', 'install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund')
run('npm', 'run', '--silent', 'contracts')
run('npm', 'run', '--silent', 'sdk')
