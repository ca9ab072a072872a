// Folder and version of the project.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT, VERSION } from '../src/root.js'

t.test('ROOT is the folder of package.json, and VERSION is a version', async (t) => {
  t.equal(ROOT, process.cwd())
  t.ok(existsSync(join(ROOT, 'package.json')))
  t.match(VERSION, /^\d+\.\d+\.\d+/)
})
