// The start with the settings of a provider: without its package, and with a secret that cannot be one.
import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config.js'
import { loadProviders, PROVIDERS } from '../../src/providers/providers.js'
import { startProcess } from '../server-process.js'
import { senders, settingsOf } from './senders.js'

/** Makes Node.js find no package of these names, as if it were not installed. */
const without = (name: string) => `
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(\`export async function resolve (specifier, context, next) {
    if (specifier === '${name}' || specifier.startsWith('${name}/')) throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
    return next(specifier, context)
  }\`))`

t.test('without its package the server does not start: exit code 78, and one line with the command', async (t) => {
  for (const sender of await senders(t)) {
    const { package: name } = PROVIDERS[sender.name as 'stripe'] as { package?: string }
    if (name === undefined) continue
    const server = startProcess({ PORT: '0', NODE_ENV: 'production', ...settingsOf(sender) }, { cwd: t.testdir({}), preload: without(name) })
    t.teardown(() => server.child.kill('SIGKILL'))
    t.equal(await server.exit, 78, sender.name)
    t.equal(server.errors(), `settings: ${sender.setting} requires the package ${name}: npm install ${name}\n`)
  }
})

t.test('a provider whose package is not found names the setting and the command', async (t) => {
  const load = async () => { throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' }) }
  const row = { stripe: { setting: 'STRIPE_WEBHOOK_SECRET', package: 'stripe', load } } as const
  await t.rejects(loadProviders(loadConfig({ STRIPE_WEBHOOK_SECRET: 'x' }), row), new ConfigError('STRIPE_WEBHOOK_SECRET requires the package stripe: npm install stripe'))
})

t.test('a package is loaded only for a provider that is on', async (t) => {
  t.equal((await loadProviders(loadConfig({ ASAAS_WEBHOOK_TOKEN: 'x', PAGBANK_TOKEN: 'y', PIX_WEBHOOK_TOKEN: 'z' }))).size, 3)
  t.strictSame([...(await loadProviders(loadConfig({}))).keys()], [])
})

t.test('a secret that the library cannot use stops the start, and is not in the message', async (t) => {
  for (const [name, value, rule] of [
    ['ADYEN_HMAC_KEY', 'this is no hexadecimal key', /^ADYEN_HMAC_KEY: each key must be hexadecimal/], ['ADYEN_HMAC_KEY', 'abcd', /at least 16 bytes/], ['ADYEN_HMAC_KEY', 'a'.repeat(63), /hexadecimal/],
    ['STANDARD_WEBHOOK_SECRET', 'whsec_%%%secret%%%', /^STANDARD_WEBHOOK_SECRET: /], ['STANDARD_WEBHOOK_SECRET', 'whsec_', /^STANDARD_WEBHOOK_SECRET: /]
  ] as const) {
    const error = await loadProviders(loadConfig({ [name]: value })).catch((error: unknown) => error)
    t.ok(error instanceof ConfigError)
    t.match((error as Error).message, rule)
    t.notOk((error as Error).message.includes(value.slice(6) || 'whsec'), (error as Error).message)
  }
})
