// Writes openapi.yaml, the published contract, from the routes' own schemas. With --check it only says whether the file is current.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { buildApp } from '../src/app.js'
import { loadConfig } from '../src/config.js'
import { createLogger } from '../src/logger.js'
import { ROOT } from '../src/root.js'

process.env.FASTIFY_AUTOLOAD_TYPESCRIPT = '1'

const file = join(ROOT, 'openapi.yaml')
const config = loadConfig({ NODE_ENV: 'production', LOG_LEVEL: 'silent' })
const app = buildApp({ config, logger: createLogger(config) })
await app.ready()
// Anchors would save lines and cost readers: many generators do not resolve them.
const text = stringify(app.swagger(), { aliasDuplicateObjects: false })
await app.close()

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('openapi.yaml is stale: run `npm run openapi` and commit it.')
    process.exit(1)
  }
  console.log('openapi.yaml is current.')
} else {
  writeFileSync(file, text)
  console.log('openapi.yaml written.')
}
