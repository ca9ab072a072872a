// Versions of both packages: changesets find the root beside its workspaces, and leave no trace of that.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../src/root.js'
import { without } from '../installed.js'

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

t.test('a change of one package gives both the next version', { skip: without('git', 'git') }, async (t) => {
  const { changeset } = await import(join(ROOT, 'scripts/changeset.mjs')) as { changeset: (folder: string, args: string[]) => number }
  const folder = t.testdir({
    'package.json': read('package.json'),
    'package-lock.json': '{}',
    packages: { client: { 'package.json': read('packages/client/package.json') } },
    '.changeset': { 'config.json': read('.changeset/config.json'), 'a.md': '---\n"ws-payment-client": minor\n---\n\nThe client can do more.\n' }
  })
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args], { cwd: folder })
  git('init', '--quiet', '--initial-branch', 'main')
  git('add', '.')
  git('commit', '--quiet', '--message', 'before')
  t.equal(changeset(folder, ['version']), 0)
  const manifest = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as { version: string, workspaces?: string[] }
  t.match([manifest('package.json'), manifest('packages/client/package.json')], [{ version: '1.1.0' }, { version: '1.1.0' }])
  t.strictSame(manifest('package.json').workspaces, ['packages/*'])
  t.match(readFileSync(join(folder, 'packages/client/CHANGELOG.md'), 'utf8'), 'The client can do more.')
  t.notOk(existsSync(join(folder, '.changeset/a.md')), 'the change is applied')
})
