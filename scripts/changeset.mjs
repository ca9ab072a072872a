// Runs changesets over both packages: the server in the root, and the client. Changesets looks at workspaces alone, and with the root among them npm would
// install the project into itself; so the root is a workspace only while changesets run.
// Arguments: those of `changeset`; none to add a change, `version`, or `publish`.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const MANIFESTS = ['package.json', 'packages/client/package.json']

/**
 * Runs changesets in a folder.
 * @param args arguments of `changeset`
 * @param repository `owner/name` on GitHub: npm compares it with the place that the provenance names
 * @returns the exit code
 */
export function changeset (folder, args, repository) {
  const change = (file, edit) => {
    const path = join(folder, file)
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    edit(manifest)
    writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`)
  }
  const publishes = args[0] === 'publish' && repository !== undefined
  if (publishes) for (const file of MANIFESTS) change(file, (manifest) => { manifest.repository = { type: 'git', url: `git+https://github.com/${repository}.git` } })
  change('package.json', ({ workspaces }) => workspaces.unshift('.'))
  try {
    return spawnSync(process.execPath, [createRequire(import.meta.url).resolve('@changesets/cli/bin.js'), ...args], { cwd: folder, stdio: 'inherit' }).status ?? 1
  } finally {
    change('package.json', ({ workspaces }) => workspaces.shift())
    if (publishes) for (const file of MANIFESTS) change(file, (manifest) => { delete manifest.repository })
  }
}

if (process.argv[1] === import.meta.filename) process.exitCode = changeset(join(import.meta.dirname, '..'), process.argv.slice(2), process.env.GITHUB_REPOSITORY)
