// Writes the published contracts, openapi.yaml and asyncapi.yaml, from the schemas that validate. With --check it only reports whether they are current.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { buildApp } from '../src/app.js'
import { loadConfig } from '../src/config.js'
import { createLogger } from '../src/logger.js'
import { asyncapi } from '../src/contracts/asyncapi.js'
import { ROOT, VERSION } from '../src/root.js'

process.env.FASTIFY_AUTOLOAD_TYPESCRIPT = '1'

const config = loadConfig({ NODE_ENV: 'production', LOG_LEVEL: 'silent' })
const app = buildApp({ config, logger: createLogger(config) })
await app.ready()
const contracts = { 'openapi.yaml': await app.openapi(), 'asyncapi.yaml': asyncapi(VERSION) }
await app.close()

for (const [name, document] of Object.entries(contracts)) {
  const file = join(ROOT, name)
  // No YAML anchors: they save lines, but many generators do not resolve them.
  const text = stringify(document, { aliasDuplicateObjects: false })
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text)
    console.log(`${name} written.`)
  } else if (readFileSync(file, 'utf8') === text) {
    console.log(`${name} is current.`)
  } else {
    console.error(`${name} is stale: run \`npm run contracts\` and commit it.`)
    process.exitCode = 1
  }
}
