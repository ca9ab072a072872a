// Settings: defaults, accepted values, and messages about invalid values.
import { join } from 'node:path'
import t from 'tap'
import { allowedOrigins, proxies, ConfigError, ConfigSchema, loadConfig, loadFor, PROVIDER_SECRETS, secretsIn } from '../src/config.js'
import { PROVIDERS } from '../src/providers/providers.js'

/** Message of the error that these settings cause. */
function complaint (env: Record<string, string>, envFile?: string): string {
  try {
    loadConfig(env, envFile)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('the settings were accepted')
}

t.test('without settings the server has the defaults of the seed', async (t) => {
  const { PORT, HOST, NODE_ENV, LOG_LEVEL, ...rest } = loadConfig({})
  t.strictSame({ PORT, HOST, NODE_ENV, LOG_LEVEL }, { PORT: 8080, HOST: '0.0.0.0', NODE_ENV: 'development', LOG_LEVEL: 'debug' })
  t.match(rest, {
    API_KEYS: undefined,
    TOKEN_SECRET: undefined,
    TOKEN_TTL_SECONDS: 900,
    RESULTS_FROM: 'any',
    ALLOWED_ORIGINS: '*',
    ROOM_RETENTION_SECONDS: 900,
    ROOM_LOG_SIZE: 200,
    MAX_ROOM_MEMBERS: 50,
    PAYERS: 0,
    MAX_ROOMS_PER_SOCKET: 100,
    MAX_CONNECTIONS: 0,
    MAX_CONNECTIONS_PER_IP: 0,
    MAX_MESSAGE_BYTES: 16384,
    MESSAGES_PER_SECOND: 20,
    MESSAGES_BURST: 40,
    JOIN_TIMEOUT_SECONDS: 10,
    HEARTBEAT_SECONDS: 25,
    HEARTBEAT_TIMEOUT_SECONDS: 8,
    OUTBOX_MAX_BYTES: 1048576,
    PRESENCE_GRACE_SECONDS: 5,
    SHUTDOWN_GRACE_SECONDS: 10,
    DOCS: true,
    PLAYGROUND: true,
    CONSOLE: true
  })
})

t.test('every setting has a description', async (t) => {
  for (const [name, { description }] of Object.entries(ConfigSchema.properties)) t.match(description, /./, name)
})

t.test('a setting has the given value, in its type', async (t) => {
  const config = loadConfig({ PORT: '0', HOST: '::', NODE_ENV: 'production', LOG_LEVEL: 'warn', ROOM_LOG_SIZE: '1', DOCS: 'false' })
  t.match(config, { PORT: 0, HOST: '::', NODE_ENV: 'production', LOG_LEVEL: 'warn', ROOM_LOG_SIZE: 1, DOCS: false })
  t.match(loadConfig({ PORT: '65535', DOCS: 'true' }), { PORT: 65535, DOCS: true })
})

t.test('the log level depends on NODE_ENV unless LOG_LEVEL is set', async (t) => {
  t.equal(loadConfig({ NODE_ENV: 'production' }).LOG_LEVEL, 'info')
  for (const NODE_ENV of ['development', 'test', 'staging']) t.equal(loadConfig({ NODE_ENV }).LOG_LEVEL, 'debug')
  for (const LOG_LEVEL of ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']) {
    for (const NODE_ENV of ['production', 'development']) t.equal(loadConfig({ NODE_ENV, LOG_LEVEL }).LOG_LEVEL, LOG_LEVEL)
  }
})

t.test('PLAYGROUND and CONSOLE are true outside production unless they are set', async (t) => {
  for (const name of ['PLAYGROUND', 'CONSOLE'] as const) {
    t.equal(loadConfig({ NODE_ENV: 'production' })[name], false)
    for (const NODE_ENV of ['development', 'test', 'staging']) t.equal(loadConfig({ NODE_ENV })[name], true)
    for (const NODE_ENV of ['production', 'development']) {
      t.equal(loadConfig({ NODE_ENV, [name]: 'true' })[name], true)
      t.equal(loadConfig({ NODE_ENV, [name]: 'false' })[name], false)
    }
  }
})

t.test('an empty variable counts as unset', async (t) => {
  const names = Object.keys(ConfigSchema.properties)
  t.strictSame(loadConfig(Object.fromEntries(names.map((name) => [name, '']))), loadConfig({}))
})

t.test('only settings are read, and only from the given environment', async (t) => {
  t.intercept(process, 'env', { value: { PORT: '1', HOST: 'elsewhere' } })
  t.match(loadConfig({}), { PORT: 8080, HOST: '0.0.0.0' })
  const config = loadConfig({ PATH: '/bin', port: '5', toString: 'x', constructor: 'y' } as Record<string, string>)
  t.strictSame(config, loadConfig({}))
})

t.test('a bad value is refused with the name of its variable and the rule, without the value', async (t) => {
  const integers = Object.keys(ConfigSchema.properties).filter((name) => ConfigSchema.properties[name as 'PORT'].type === 'integer')
  t.ok(integers.length >= 10)
  for (const name of integers) {
    for (const value of ['hunter2', '90.75', '12 monkeys', 'true', 'NaN', '1,024', '0x', '--5', '99999999999999999999.5x']) {
      t.equal(complaint({ [name]: value }), `${name} must be integer`, `${name}=${value}`)
    }
    t.match(complaint({ [name]: '-77' }), new RegExp(`^${name} must be >= \\d+$`))
  }
  for (const [name, value, rule] of [
    ['PORT', '-1', '>= 0'], ['PORT', '65536', '<= 65535'],
    ['ROOM_RETENTION_SECONDS', '0', '>= 1'], ['ROOM_RETENTION_SECONDS', '2147484', '<= 2147483'],
    ['ROOM_LOG_SIZE', '0', '>= 1'], ['ROOM_LOG_SIZE', '100001', '<= 100000'],
    ['MAX_ROOM_MEMBERS', '0', '>= 1'], ['MAX_ROOMS_PER_SOCKET', '0', '>= 1'], ['PAYERS', '-1', '>= 0'],
    ['MAX_MESSAGE_BYTES', '255', '>= 256'], ['MAX_MESSAGE_BYTES', '16777217', '<= 16777216'],
    ['HEARTBEAT_SECONDS', '0', '>= 1'], ['HEARTBEAT_TIMEOUT_SECONDS', '2147484', '<= 2147483'],
    ['PRESENCE_GRACE_SECONDS', '-1', '>= 0'], ['PRESENCE_GRACE_SECONDS', '3601', '<= 3600'],
    ['OUTBOX_MAX_BYTES', '1023', '>= 1024'], ['SHUTDOWN_GRACE_SECONDS', '0', '>= 1']
  ] as const) t.equal(complaint({ [name]: value }), `${name} must be ${rule}`, `${name}=${value}`)
  for (const value of ['yes', 'on', '1', 'TRUE', 'hunter2']) t.equal(complaint({ DOCS: value }), 'DOCS must be boolean', `DOCS=${value}`)
  for (const value of ['hunter2', 'INFO', 'verbose', '30']) {
    t.equal(complaint({ LOG_LEVEL: value }), 'LOG_LEVEL must be equal to one of the allowed values: trace, debug, info, warn, error, fatal, silent', `LOG_LEVEL=${value}`)
  }
})

t.test('several bad values are all named in one line', async (t) => {
  const message = complaint({ PORT: 'hunter2', ROOM_LOG_SIZE: '0', DOCS: 'perhaps', LOG_LEVEL: 'swordfish', HOST: 'fine' })
  for (const name of ['PORT', 'ROOM_LOG_SIZE', 'DOCS', 'LOG_LEVEL']) t.match(message, name)
  t.notMatch(message, 'HOST')
  t.notMatch(message, /hunter2|perhaps|swordfish|fine|\n/)
})

t.test('RESULTS_FROM=backend needs API_KEYS', async (t) => {
  t.match(loadConfig({ RESULTS_FROM: 'backend', API_KEYS: 'a-key' }), { RESULTS_FROM: 'backend', API_KEYS: 'a-key' })
  t.match(complaint({ RESULTS_FROM: 'backend' }), /^RESULTS_FROM=backend requires API_KEYS/)
  t.match(complaint({ RESULTS_FROM: 'backend', API_KEYS: '' }), /^RESULTS_FROM=backend requires API_KEYS/)
  t.equal(complaint({ RESULTS_FROM: 'hunter2' }), 'RESULTS_FROM must be equal to one of the allowed values: any, backend')
})

t.test('ALLOWED_ORIGINS is * or a list of origins as a browser sends them', async (t) => {
  const origins = (ALLOWED_ORIGINS: string) => allowedOrigins(loadConfig({ ALLOWED_ORIGINS }))
  t.equal(allowedOrigins(loadConfig({})), undefined)
  t.equal(origins('*'), undefined)
  t.strictSame(origins('https://shop.example'), ['https://shop.example'])
  t.strictSame(origins('https://shop.example, http://localhost:3000 ,https://[::1]:8443'), ['https://shop.example', 'http://localhost:3000', 'https://[::1]:8443'])
  for (const bad of [
    'shop.example', 'https://', 'https://shop.example/', 'https://shop.example/pay', 'https://shop.example?', 'https://user@shop.example', 'https://Shop.example', 'https://shop.example:443',
    'null', 'https://shop.example,null', '*,https://shop.example', 'https://*.shop.example/', 'https://shop.example,', ',', 'https://shop.example;https://other.example'
  ]) t.equal(complaint({ ALLOWED_ORIGINS: bad }), 'ALLOWED_ORIGINS must be * or a list of origins such as https://shop.example', JSON.stringify(bad))
})

t.test('REDIS_URL, REDIS_PREFIX and TRUST_PROXY are checked, and a bad URL is not repeated', async (t) => {
  t.match(loadConfig({ REDIS_URL: 'redis://:hunter2@redis:6379/1', REDIS_PREFIX: 'shop-1:wsp' }), { REDIS_URL: 'redis://:hunter2@redis:6379/1', REDIS_PREFIX: 'shop-1:wsp' })
  for (const bad of ['redis:hunter2', 'http://redis', 'redis://a,b']) t.match(complaint({ REDIS_URL: bad }), /^REDIS_URL must be redis:\/\/host:6379, redis\+sentinel[^]*$/)
  t.match(complaint({ REDIS_URL: 'redis+cluster://:hunter2@redis/1' }), /^REDIS_URL must not name a database: a cluster/)
  t.match(complaint({ REDIS_URL: 'redis://:hunter2@redis/-1' }), /^REDIS_URL must name the database by a number/)
  for (const url of ['redis:hunter2', 'redis+cluster://:hunter2@redis/1', 'redis://:hunter2@redis/-1', 'rediss+unix://:hunter2@/s']) t.notMatch(complaint({ REDIS_URL: url }), /hunter2/)
  for (const bad of ['{a}', 'a b', 'x'.repeat(65)]) t.match(complaint({ REDIS_PREFIX: bad }), /^REDIS_PREFIX must match pattern/)
  t.equal(proxies(loadConfig({})), undefined)
  t.strictSame(proxies(loadConfig({ TRUST_PROXY: '10.0.0.1, 10.1.0.0/16,loopback,::1,fd00::/8' })), ['10.0.0.1', '10.1.0.0/16', 'loopback', '::1', 'fd00::/8'])
  for (const bad of ['true', '10.0.0', '10.0.0.0/33', '10.0.0.1,', 'proxy.example', '::1/129', '*']) t.match(complaint({ TRUST_PROXY: bad }), /^TRUST_PROXY must be a list of addresses/, bad)
  for (const all of ['0.0.0.0/0', '::/0', 'loopback, 0.0.0.0/1, 128.0.0.0/1']) {
    t.equal(complaint({ TRUST_PROXY: all }), 'TRUST_PROXY must not include every address: clients could then forge their address', all)
  }
})

t.test('credentials of Sentinel are accepted with a Sentinel, and refused without one', async (t) => {
  const sentinel = { REDIS_URL: 'redis+sentinel://a/name', REDIS_SENTINEL_USERNAME: 'user', REDIS_SENTINEL_PASSWORD: 'secret' }
  t.match(loadConfig(sentinel), sentinel)
  for (const REDIS_URL of ['', 'redis://a', 'redis+cluster://a']) {
    t.match(complaint({ REDIS_URL, REDIS_SENTINEL_PASSWORD: 'hunter2' }), /^REDIS_SENTINEL_PASSWORD requires REDIS_URL=redis\+sentinel:[^]*(?<!hunter2)$/, REDIS_URL)
  }
  t.equal(complaint({ REDIS_URL: 'redis+sentinel://a/name', REDIS_SENTINEL_USERNAME: 'hunter2' }), 'REDIS_SENTINEL_USERNAME requires REDIS_SENTINEL_PASSWORD')
})

t.test('a settings file supplies settings that the environment lacks', async (t) => {
  const dir = t.testdir({ '.env': '# a comment\nPORT=9000\nHOST="127.0.0.1"\nDOCS=false\nSOMETHING_ELSE=1\n', bad: 'PORT=hunter2\n', empty: 'PORT=\nLOG_LEVEL=\nHOST=""\n' })
  t.strictSame(loadConfig({}, join(dir, '.env')), { ...loadConfig({}), PORT: 9000, HOST: '127.0.0.1', DOCS: false })
  t.match(loadConfig({ PORT: '9001' }, join(dir, '.env')), { PORT: 9001, HOST: '127.0.0.1' }, 'the environment overrides the file')
  t.match(loadConfig({ PORT: '' }, join(dir, '.env')), { PORT: 9000 }, 'an empty variable does not override the file')
  t.strictSame(loadConfig({}, join(dir, 'empty')), loadConfig({}), 'an empty value in the file counts as unset')
  t.equal(complaint({}, join(dir, 'bad')), 'PORT must be integer', 'the file follows the same rules')
  t.equal(process.env.SOMETHING_ELSE, undefined, 'the file does not change the environment')
})

t.test('white space and line breaks around a value are dropped', async (t) => {
  const secret = 'x'.repeat(32)
  const plain = {
    PORT: '9000',
    HOST: '127.0.0.1',
    NODE_ENV: 'production',
    LOG_LEVEL: 'warn',
    REDIS_URL: 'redis://redis:6379',
    REDIS_PREFIX: 'shop',
    API_KEYS: 'one,read:two',
    TOKEN_SECRET: secret,
    RESULTS_FROM: 'backend',
    TRUST_PROXY: '10.0.0.0/8',
    ALLOWED_ORIGINS: 'https://shop.example',
    DOCS: 'false',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318'
  }
  for (const around of [(value: string) => `${value}\n`, (value: string) => ` \t${value} `, (value: string) => `\ufeff${value}\r\n`]) {
    t.strictSame(loadConfig(Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, around(value)]))), loadConfig(plain))
  }
  const blank = ['PORT', 'HOST', 'NODE_ENV', 'LOG_LEVEL', 'REDIS_URL', 'REDIS_PREFIX', 'API_KEYS', 'TOKEN_SECRET', 'TRUST_PROXY', 'ALLOWED_ORIGINS', 'DOCS']
  for (const name of blank) t.match(complaint({ [name]: ' \n' }), name, `${name} of white space alone does not count as unset`)
})

t.test('a misspelt NODE_ENV=production is refused instead of running as development', async (t) => {
  const dir = t.testdir({ '.env': 'PORT=9000\n' })
  for (const NODE_ENV of ['production', 'production\n', ' production']) t.match(loadConfig({ NODE_ENV }, join(dir, '.env')), { NODE_ENV: 'production', LOG_LEVEL: 'info', PLAYGROUND: false, PORT: 8080 }, JSON.stringify(NODE_ENV))
  for (const NODE_ENV of ['"production"', "'production'", '“production”', 'Production', 'PRODUCTION', 'prod', 'PROD', 'producton', 'productive', 'production;', 'production # live', '=production', 'pro duction']) {
    t.match(complaint({ NODE_ENV }), /^NODE_ENV must be production, without quotes/, NODE_ENV)
  }
  for (const NODE_ENV of ['development', 'test', 'staging', 'preprod', 'qa', 'reproduction']) t.match(loadConfig({ NODE_ENV }), { NODE_ENV, PLAYGROUND: true })
})

t.test('a missing settings file is accepted, but an unreadable one is refused', async (t) => {
  const dir = t.testdir({})
  t.strictSame(loadConfig({}, join(dir, '.env')), loadConfig({}))
  t.throws(() => loadConfig({}, dir))
})

t.test('a number is digits only, in no other notation', async (t) => {
  for (const value of ['Infinity', '-Infinity', '1e999', '1e3', '0x1F90', ' ', '80 80', '+5', '1'.repeat(16)]) {
    t.match(complaint({ HEARTBEAT_SECONDS: value }), /^HEARTBEAT_SECONDS must be integer/, value)
  }
})

t.test('API_KEYS refuses empty keys and keys with spaces, and needs a key with all permissions', async (t) => {
  t.match(complaint({ API_KEYS: 'one, a key' }), /^API_KEYS must not contain an empty key or a key with spaces/)
  t.match(complaint({ API_KEYS: 'one,read:' }), /^API_KEYS must not contain an empty key/)
  t.match(complaint({ API_KEYS: 'read:one' }), /^API_KEYS must contain at least one key that is not read-only/)
  t.match(loadConfig({ API_KEYS: 'one,read:two' }), { API_KEYS: 'one,read:two' })
})

t.test('TOKEN_SECRET needs at least 32 bytes in each secret, and needs API_KEYS', async (t) => {
  const secret = 'x'.repeat(32)
  t.match(loadConfig({ API_KEYS: 'key', TOKEN_SECRET: `${secret}, ${'é'.repeat(16)}` }), { TOKEN_SECRET: /^x{32}/ })
  for (const value of ['x'.repeat(31), `${secret},short`, ',', ' ']) {
    const problem = complaint({ API_KEYS: 'key', TOKEN_SECRET: value })
    t.equal(problem, 'TOKEN_SECRET must contain secrets of at least 32 bytes each')
  }
  t.match(complaint({ TOKEN_SECRET: secret }), /^TOKEN_SECRET requires API_KEYS/)
})

t.test('API_KEYS without any key is refused', async (t) => {
  for (const value of [',', ' ', ' , ,']) t.equal(complaint({ API_KEYS: value }), 'API_KEYS must contain at least one key that is not read-only')
})

t.test('all problems of the settings are named at once', async (t) => {
  t.match(complaint({ PORT: 'x', RESULTS_FROM: 'backend', ALLOWED_ORIGINS: 'x', ROOM_LOG_SIZE: '0' }),
    /PORT must be integer.*ROOM_LOG_SIZE must be >= 1.*RESULTS_FROM=backend requires API_KEYS.*ALLOWED_ORIGINS must be/)
})

t.test('the secrets of a payment provider are lists with an entry, and those of Mercado Pago come together', async (t) => {
  t.match(loadConfig({ STRIPE_WEBHOOK_SECRET: 'whsec_new, whsec_old', MERCADOPAGO_WEBHOOK_SECRET: 's', MERCADOPAGO_ACCESS_TOKEN: 't' }), {
    STRIPE_WEBHOOK_SECRET: 'whsec_new, whsec_old', MERCADOPAGO_API_URL: 'https://api.mercadopago.com'
  })
  for (const name of PROVIDER_SECRETS) t.match(complaint({ [name]: ' , ' }), `${name} must contain at least one secret`)
  t.match(complaint({ MERCADOPAGO_WEBHOOK_SECRET: 's' }), /^MERCADOPAGO_WEBHOOK_SECRET requires MERCADOPAGO_ACCESS_TOKEN/)
  t.match(complaint({ MERCADOPAGO_ACCESS_TOKEN: 's' }), /^MERCADOPAGO_ACCESS_TOKEN requires MERCADOPAGO_WEBHOOK_SECRET/)
  t.match(complaint({ MERCADOPAGO_API_URL: 'api.mercadopago.com' }), /MERCADOPAGO_API_URL/)
})

t.test('secretsIn finds the secrets of all payment providers', async (t) => {
  const settings = Object.fromEntries(PROVIDER_SECRETS.map((name) => [name, `new-${name},old-${name}`]))
  t.strictSame(secretsIn(settings), PROVIDER_SECRETS.flatMap((name) => [`new-${name}`, `old-${name}`]))
  t.strictSame(Object.values(PROVIDERS).map(({ setting }) => setting).filter((name) => !(PROVIDER_SECRETS as readonly string[]).includes(name)), [], 'the setting of each provider is a secret')
})

t.test('the webhooks that are sent have a secret of the right form, an https URL and known types', async (t) => {
  const secret = `whsec_${Buffer.alloc(24, 'x').toString('base64')}`
  t.match(loadConfig({}), { WEBHOOK_EVENTS: /^payment\.succeeded,.*,room\.closed$/, WEBHOOK_ALLOW_PRIVATE: false })
  t.match(loadConfig({ WEBHOOK_URL: 'https://shop.example/hook?x=1', WEBHOOK_SECRET: `${secret}, ${secret}`, WEBHOOK_EVENTS: 'payment.progressed, room.closed' }), { WEBHOOK_EVENTS: 'payment.progressed, room.closed' })
  t.match(loadConfig({ WEBHOOK_URL: 'http://10.0.0.1/hook', WEBHOOK_SECRET: secret, WEBHOOK_ALLOW_PRIVATE: 'true' }), { WEBHOOK_ALLOW_PRIVATE: true })
  t.match(complaint({ WEBHOOK_URL: 'https://shop.example/hook' }), /^WEBHOOK_URL requires WEBHOOK_SECRET/)
  t.equal(complaint({ WEBHOOK_URL: 'http://shop.example/hook', WEBHOOK_SECRET: secret }), 'WEBHOOK_URL must begin with https://')
  t.equal(complaint({ WEBHOOK_URL: `https://shop.example/${'x'.repeat(2048)}`, WEBHOOK_SECRET: secret }), 'WEBHOOK_URL must have at most 2048 characters')
  for (const wrong of ['topsecret', 'whsec_topsecret', `whsec_${Buffer.alloc(23).toString('base64')}`, `whsec_${Buffer.alloc(65).toString('base64')}`, `${secret}, whsec_`]) {
    t.equal(complaint({ WEBHOOK_SECRET: wrong }), 'WEBHOOK_SECRET must be whsec_ and then 24 to 64 bytes in base64')
  }
  t.equal(complaint({ WEBHOOK_SECRET: ' , ' }), 'WEBHOOK_SECRET must contain at least one secret')
  for (const wrong of ['payment.paid', 'payment.succeeded,', 'room.created']) t.match(complaint({ WEBHOOK_EVENTS: wrong }), /^WEBHOOK_EVENTS must be a list of payment\.progressed, /)
  t.strictSame(secretsIn({ WEBHOOK_SECRET: 'new,old', WEBHOOK_URL: 'https://shop.example/hook' }), ['https://shop.example/hook', 'new', 'old'])
})

t.test('secretsIn finds the keys, the secrets, and the password of Redis in both spellings', async (t) => {
  t.strictSame(secretsIn({}), [])
  t.strictSame(secretsIn({ REDIS_URL: 'redis://redis.example:6379' }), [])
  t.strictSame(secretsIn({ REDIS_URL: 'redis://user:p%40ss@h', API_KEYS: 'one, read:two', TOKEN_SECRET: 'old,new' }), ['p@ss', 'p%40ss', 'one', 'two', 'old', 'new'])
})

t.test('code that cannot be loaded names the setting that needs it, and the command that installs a missing package', async (t) => {
  const missing = async () => { throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' }) }
  await t.rejects(loadFor('WEBHOOK_SECRET', 'bullmq', missing), new ConfigError('WEBHOOK_SECRET requires the package bullmq: npm install bullmq'))
  await t.rejects(loadFor('WEBHOOK_SECRET', 'bullmq', async () => { throw new Error('is too short') }), new ConfigError('WEBHOOK_SECRET: is too short'))
  t.equal(await loadFor('WEBHOOK_SECRET', 'bullmq', async () => 'loaded'), 'loaded')
})
