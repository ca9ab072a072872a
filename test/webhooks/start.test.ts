// The start of a server that sends webhooks: without the packages that it needs, and with them.
import t from 'tap'
import { startProcess } from '../server-process.js'
import { SECRET } from './receiver.js'

/** Makes Node.js find no package of this name, as if it were not installed. */
const without = (name: string) => `
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(\`export async function resolve (specifier, context, next) {
    if (specifier === '${name}' || specifier.startsWith('${name}/')) throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
    return next(specifier, context)
  }\`))`

t.test('without its packages the server does not start: exit code 78, and one line with the command', async (t) => {
  for (const [name, env] of [['standardwebhooks', {}], ['bullmq', { REDIS_URL: 'redis://127.0.0.1:1' }]] as const) {
    const server = startProcess({ PORT: '0', NODE_ENV: 'production', WEBHOOK_SECRET: SECRET, ...env }, { cwd: t.testdir({}), preload: without(name) })
    t.teardown(() => server.child.kill('SIGKILL'))
    t.equal(await server.exit, 78, name)
    t.equal(server.errors(), `settings: WEBHOOK_SECRET requires the package ${name}: npm install ${name}\n`)
  }
})

t.test('without WEBHOOK_SECRET no package is loaded', async (t) => {
  const server = startProcess({ PORT: '0', NODE_ENV: 'production' }, { cwd: t.testdir({}), preload: without('standardwebhooks') })
  t.teardown(() => server.child.kill('SIGKILL'))
  await new Promise<void>((resolve) => { server.child.stdout!.on('data', () => { if (/server started/.test(server.output())) resolve() }) })
  server.child.kill('SIGTERM')
  t.equal(await server.exit, 0)
})
