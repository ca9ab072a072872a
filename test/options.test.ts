// Options of the plugin: the settings under other names, with the same rules.
import t from 'tap'
import { ConfigError, ConfigSchema, loadConfig } from '../src/config.js'
import { configFromOptions, type SettingOptions } from '../src/options.js'

const SECRET = 's'.repeat(32)

/** Message of the ConfigError that these options cause. */
function problemOf (options: object): string {
  try {
    configFromOptions(options as SettingOptions)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'none'
}

t.test('without options the settings have the defaults of production', async (t) => {
  t.strictSame(configFromOptions({}), loadConfig({ NODE_ENV: 'production' }))
  t.strictSame(configFromOptions({ apiKeys: undefined, docs: undefined }), configFromOptions({}), 'an undefined option is unset')
})

t.test('each option sets the setting of its name', async (t) => {
  t.match(configFromOptions({
    apiKeys: ['one', 'read:two'],
    tokenSecret: SECRET,
    maxRoomMembers: 2,
    allowedOrigins: ['https://a.example', 'https://b.example'],
    docs: false,
    playground: true,
    console: true,
    maxConnectionsPerIp: 7,
    resultsFrom: 'backend',
    trustProxy: 'loopback',
    fastPath: 'off',
    redisPrefix: 'x'
  }), {
    API_KEYS: 'one,read:two',
    TOKEN_SECRET: SECRET,
    MAX_ROOM_MEMBERS: 2,
    ALLOWED_ORIGINS: 'https://a.example,https://b.example',
    DOCS: false,
    PLAYGROUND: true,
    CONSOLE: true,
    MAX_CONNECTIONS_PER_IP: 7,
    RESULTS_FROM: 'backend',
    TRUST_PROXY: 'loopback',
    FAST_PATH: 'off',
    REDIS_PREFIX: 'x'
  })
})

t.test('every setting but those of the process is an option', async (t) => {
  const camel = (name: string) => name.toLowerCase().replace(/_./g, (text) => text[1]!.toUpperCase())
  const isOption = (name: string) => !problemOf({ [camel(name)]: {} }).includes('is not an option')
  t.strictSame(Object.keys(ConfigSchema.properties).filter((name) => !isOption(name)), ['PORT', 'HOST', 'NODE_ENV', 'LOG_LEVEL', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_SERVICE_NAME'])
})

t.test('the error about a wrong option has the sentence of the setting, with the name of the option', async (t) => {
  for (const [options, message] of [
    [{ tokenSecret: SECRET }, 'tokenSecret requires apiKeys: without a key every client could create tokens'],
    [{ resultsFrom: 'backend' }, 'resultsFrom=backend requires apiKeys: without a key no client is identified as a backend'],
    [{ apiKeys: ['k'], tokenSecret: 'short' }, 'tokenSecret must contain secrets of at least 32 bytes each'],
    [{ apiKeys: [] }, 'apiKeys must contain at least one key that is not read-only'],
    [{ apiKeys: '' }, 'apiKeys must contain at least one key that is not read-only'],
    [{ apiKeys: ['a,b'] }, 'apiKeys must be a list of non-empty strings without commas'],
    [{ apiKeys: ['a', ' '] }, 'apiKeys must be a list of non-empty strings without commas'],
    [{ apiKeys: 5n }, 'apiKeys must be a string or a list of strings'],
    [{ allowedOrigins: ['https://a.example/'] }, 'allowedOrigins must be * or a list of origins such as https://shop.example'],
    [{ maxRoomMembers: 0 }, 'maxRoomMembers must be >= 1'],
    [{ maxRoomMembers: 1.5 }, 'maxRoomMembers must be integer'],
    [{ maxRoomMembers: Infinity }, 'maxRoomMembers must be integer'],
    [{ maxRoomMembers: null }, 'maxRoomMembers must be a string, number or boolean'],
    [{ maxRoomMembers: [5] }, 'maxRoomMembers must be a string, number or boolean'],
    [{ docs: 'perhaps' }, 'docs must be boolean'],
    [{ fastPath: 'on' }, 'fastPath must be equal to one of the allowed values: auto, off'],
    [{ redisUrl: 'http://here' }, /^redisUrl /],
    [{ redisSentinelPassword: 'p' }, 'redisSentinelPassword requires redisUrl=redis+sentinel://…'],
    [{ maxRoomMember: 5, port: 80 }, 'maxRoomMember is not an option; port is not an option'],
    [{ roomLogSize: 0, docs: 'x' }, 'roomLogSize must be >= 1; docs must be boolean']
  ] as const) t.match(problemOf(options), message, JSON.stringify(options, (_key, value) => typeof value === 'bigint' ? String(value) : value as unknown))
})
