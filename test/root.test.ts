// Where the project is, and which version of it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT, VERSION } from '../src/root.js'

t.test('the root is the folder of package.json, whose version is the server\'s', async (t) => {
  t.equal(ROOT, process.cwd())
  t.ok(existsSync(join(ROOT, 'package.json')))
  t.match(VERSION, /^\d+\.\d+\.\d+/)
})
