// Settings: one schema of environment variables, read once and validated at start.
import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import envSchema from 'env-schema'
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { READ_ONLY } from './auth/api-keys.js'
import { holdEveryClient, isNetwork } from './auth/networks.js'
import { RESULT_SENDERS } from './auth/policy.js'
import { checkSecrets, DEFAULT_TTL_SECONDS } from './auth/room-tokens.js'
import { parseAddress } from './broker/redis/address.js'
import { entriesOf, filledEntriesOf } from './comma-list.js'
import { MAX_TTL_SECONDS } from './protocol/fields.js'
import { StringEnum } from './protocol/schema.js'

const seconds = (fallback: number, description: string) => Type.Integer({ minimum: 1, maximum: 2_147_483, default: fallback, description })

/** Each property is an environment variable; `description` and `default` match the table in docs/reference/settings.md. */
export const ConfigSchema = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8080, description: 'Port to listen on; 0 takes a free one' }),
  HOST: Type.String({ minLength: 1, default: '0.0.0.0', description: 'Address to listen on' }),
  NODE_ENV: Type.String({ minLength: 1, default: 'development', description: '`production`: JSON logs and no `.env`; otherwise pretty logs' }),
  LOG_LEVEL: Type.Optional(StringEnum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    description: 'Lowest level that is logged; without it `info` in production, `debug` otherwise'
  })),
  REDIS_URL: Type.Optional(Type.String({
    description: '`redis://…`, `redis+sentinel://…/name`, `redis+cluster://…` or `redis+unix:///path`, `rediss` for TLS: rooms are shared by every node on that Redis; without it they live in this process'
  })),
  REDIS_SENTINEL_USERNAME: Type.Optional(Type.String({ description: 'User of the Sentinels themselves, where they have one. Needs `REDIS_SENTINEL_PASSWORD`' })),
  REDIS_SENTINEL_PASSWORD: Type.Optional(Type.String({ description: 'Password of the Sentinels themselves; the one in `REDIS_URL` is of the Redis behind them' })),
  REDIS_PREFIX: Type.String({ pattern: '^[\\w.:-]{1,64}$', default: 'wsp', description: 'Begins every key and every channel in Redis' }),
  API_KEYS: Type.Optional(Type.String({ description: 'Comma-separated; set: the REST API needs one of them. `read:` before a key: it only reads' })),
  TOKEN_SECRET: Type.Optional(Type.String({
    description: 'At least 32 bytes; set: joining a room needs a token. Comma-separated for rotation: the first signs, all verify. Needs `API_KEYS`'
  })),
  TOKEN_TTL_SECONDS: Type.Integer({ minimum: 1, maximum: MAX_TTL_SECONDS, default: DEFAULT_TTL_SECONDS, description: 'Life of a token that the API mints' }),
  RESULTS_FROM: StringEnum(RESULT_SENDERS, { default: 'any', description: '`backend`: `PAYMENT_SUCCESS` and `PAYMENT_ERROR` are taken from a backend with an API key only' }),
  TRUST_PROXY: Type.Optional(Type.String({ description: 'Comma-separated addresses and networks of the proxies whose `X-Forwarded-For` counts; `Forwarded` is not read' })),
  REQUESTS_PER_SECOND: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 50, description: 'REST requests per API key, or per address without one (429); 0: no limit' }),
  ALLOWED_ORIGINS: Type.String({ minLength: 1, default: '*', description: 'Comma-separated browser origins that may use the socket and the API; `*`: any' }),
  ROOM_RETENTION_SECONDS: seconds(900, 'How long a room is kept once it is empty'),
  ROOM_LOG_SIZE: Type.Integer({ minimum: 1, maximum: 100_000, default: 200, description: 'Events kept in a room' }),
  MAX_ROOM_MEMBERS: Type.Integer({ minimum: 1, default: 50, description: 'Sockets in one room, on this node' }),
  MAX_ROOMS_PER_SOCKET: Type.Integer({ minimum: 1, default: 100, description: 'Rooms that one socket may be in' }),
  MAX_CONNECTIONS: Type.Integer({ minimum: 0, maximum: 10_000_000, default: 0, description: 'Sockets and event streams of this node (503); 0: no limit' }),
  MAX_CONNECTIONS_PER_IP: Type.Integer({ minimum: 0, maximum: 10_000_000, default: 0, description: 'The same for one address, or one IPv6 network of 64 bits (429); 0: no limit' }),
  MAX_MESSAGE_BYTES: Type.Integer({ minimum: 256, maximum: 16_777_216, default: 16384, description: 'Largest frame (close 1009) and request body (413)' }),
  MESSAGES_PER_SECOND: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 20, description: 'Messages and pings from one socket (`RATE_LIMITED`; five times as many: close 4004); 0: no limit' }),
  MESSAGES_BURST: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 40, description: 'How many of them may come at once' }),
  HEARTBEAT_SECONDS: seconds(25, 'Time between pings'),
  HEARTBEAT_TIMEOUT_SECONDS: seconds(8, 'How long to wait for a pong (close 4003)'),
  JOIN_TIMEOUT_SECONDS: seconds(10, 'How long a socket has to join, where tokens are asked for (close 4502)'),
  OUTBOX_MAX_BYTES: Type.Integer({ minimum: 1024, default: 1_048_576, description: 'Bytes that may wait for one slow socket (close 4001)' }),
  PRESENCE_GRACE_SECONDS: Type.Integer({ minimum: 0, maximum: 3600, default: 5, description: 'How long a device may be away before `DEVICE_LEFT`' }),
  SHUTDOWN_GRACE_SECONDS: seconds(10, 'How long a stop may take'),
  FAST_PATH: StringEnum(['auto', 'off'], { default: 'auto', description: '`off`: every socket goes through `http` and `ws`, for two to four times the CPU; `auto`: only those that need it' }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://[^\\s]+$', description: 'Address of an OpenTelemetry collector; set: REST requests are traced there' })),
  OTEL_SERVICE_NAME: Type.String({ minLength: 1, default: 'ws-payment-server', description: 'What the traces call this server' }),
  DOCS: Type.Boolean({ default: true, description: 'Swagger UI at `/docs`' }),
  PLAYGROUND: Type.Optional(Type.Boolean({ description: 'A page to try it all out, at `/playground`; without it `false` in production, `true` otherwise' }))
})
export type Config = Readonly<Static<typeof ConfigSchema>> & { readonly LOG_LEVEL: string, readonly PLAYGROUND: boolean }

/** @returns the browser origins that may use this server, or undefined if any origin may */
export function allowedOrigins ({ ALLOWED_ORIGINS }: Pick<Config, 'ALLOWED_ORIGINS'>): string[] | undefined {
  return ALLOWED_ORIGINS === '*' ? undefined : entriesOf(ALLOWED_ORIGINS)
}

/** @returns the proxies whose `X-Forwarded-For` is trusted, or undefined if there are none */
export function proxies ({ TRUST_PROXY }: { readonly TRUST_PROXY?: string | undefined }): string[] | undefined {
  return TRUST_PROXY === undefined ? undefined : entriesOf(TRUST_PROXY)
}

type Secrets = Pick<Config, 'REDIS_URL' | 'REDIS_SENTINEL_PASSWORD' | 'API_KEYS' | 'TOKEN_SECRET'>

/** @returns the secrets in the settings, which must never be logged: API keys, token secrets, and Redis passwords, decoded and as spelt in the URL */
export function secretsIn ({ REDIS_URL = '', REDIS_SENTINEL_PASSWORD, API_KEYS = '', TOKEN_SECRET = '' }: Secrets): string[] {
  const address = parseAddress(REDIS_URL)
  const password = typeof address === 'string' ? undefined : address.options.password
  const [, encodedPassword] = /^[^@]*:\/\/[^@]*?:([^@]*)@/.exec(REDIS_URL) ?? []
  const keys = filledEntriesOf(API_KEYS).map((key) => key.startsWith(READ_ONLY) ? key.slice(READ_ONLY.length) : key)
  return [password, encodedPassword, REDIS_SENTINEL_PASSWORD, ...keys, ...filledEntriesOf(TOKEN_SECRET)].filter((text): text is string => text !== undefined && text !== '')
}

/** Invalid settings. The message names each variable and its rule, never the value. */
export class ConfigError extends Error {}

/**
 * Reads and validates the settings. An empty variable counts as unset. White space around a value is trimmed: a value read from a file often ends with a line
 * break. A value of white space alone breaks its rule and does not count as unset: an unset `API_KEYS` would leave the API open.
 * @param env usually `process.env`
 * @param envFile file in `.env` format with values for variables missing from `env`; ignored in production, and need not exist
 * @throws {ConfigError} naming every variable that breaks its rule
 */
export function loadConfig (env: NodeJS.ProcessEnv, envFile?: string): Config {
  const inProduction = env.NODE_ENV?.trim() === 'production'
  const variables = { ...withoutEmpty(readEnvFile(inProduction ? undefined : envFile)), ...withoutEmpty(env) }
  return validateSettings(Object.fromEntries(Object.entries(variables).filter(([key]) => key in ConfigSchema.properties)))
}

/**
 * Validates settings and adds the defaults.
 * @param given values as text, by the names in {@link ConfigSchema}
 * @throws {ConfigError} naming every setting that breaks its rule
 */
export function validateSettings (given: NodeJS.ProcessEnv): Config {
  const data = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, value!.trim()]))
  const problems = [...checkIntegers(data), ...checkTogether(data)]
  try {
    const config = envSchema<Static<typeof ConfigSchema>>({ schema: ConfigSchema as TSchema, data, env: false })
    const isProduction = config.NODE_ENV === 'production'
    if (problems.length === 0) return { ...config, LOG_LEVEL: config.LOG_LEVEL ?? (isProduction ? 'info' : 'debug'), PLAYGROUND: config.PLAYGROUND ?? !isProduction }
  } catch (error) {
    const { errors } = error as { errors: Array<{ instancePath: string, message?: string, params: { allowedValues?: string[] } }> }
    problems.push(...errors.map(({ instancePath, message, params }) =>
      `${instancePath.slice(1)} ${message}${params.allowedValues ? `: ${params.allowedValues.join(', ')}` : ''}`))
  }
  throw new ConfigError([...new Set(problems)].join('; '))
}

function readEnvFile (path: string | undefined): NodeJS.ProcessEnv {
  return path !== undefined && existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {}
}

function withoutEmpty (variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''))
}

/** Accepts integers in decimal digits only: coercion would also accept `Infinity`, `1e9` and `0x1F90`. */
function checkIntegers (data: NodeJS.ProcessEnv): string[] {
  const isInteger = (key: string) => (ConfigSchema.properties as Record<string, TSchema>)[key]!.type === 'integer'
  return Object.entries(data).filter(([key, value]) => isInteger(key) && !/^-?\d{1,15}$/.test(value!)).map(([key]) => `${key} must be integer`)
}

/** Checks the Redis settings together. Sentinel credentials that no connection would use are an error: the Sentinels would be queried without a password. */
function checkRedis ({ REDIS_URL, REDIS_SENTINEL_USERNAME, REDIS_SENTINEL_PASSWORD }: NodeJS.ProcessEnv): string[] {
  const address = REDIS_URL === undefined ? undefined : parseAddress(REDIS_URL)
  if (typeof address === 'string') return [`REDIS_URL ${address}`]
  if (REDIS_SENTINEL_PASSWORD !== undefined && address?.kind !== 'sentinel') return ['REDIS_SENTINEL_PASSWORD needs REDIS_URL=redis+sentinel://…: there is no other Sentinel']
  if (REDIS_SENTINEL_USERNAME !== undefined && REDIS_SENTINEL_PASSWORD === undefined) return ['REDIS_SENTINEL_USERNAME needs REDIS_SENTINEL_PASSWORD']
  return []
}

/** Checks rules that the schema cannot express. */
function checkTogether ({ NODE_ENV = 'development', RESULTS_FROM, API_KEYS, TOKEN_SECRET, TRUST_PROXY, ALLOWED_ORIGINS = '*', ...redis }: NodeJS.ProcessEnv): string[] {
  const problems = checkRedis(redis)
  // `"production"` in quotes, as `docker --env-file` passes it on, `Production` and `prod` would silently run in development mode.
  if (NODE_ENV !== 'production' && /^prod/i.test(NODE_ENV.replace(/[^a-z]/gi, ''))) problems.push('NODE_ENV must be written production, without quotes; another name must not begin with prod')
  const networks = proxies({ TRUST_PROXY }) ?? []
  if (!networks.every(isNetwork)) problems.push('TRUST_PROXY must be a list of addresses such as 10.0.0.1, networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal')
  else if (holdEveryClient(networks)) problems.push('TRUST_PROXY must not hold every address: anybody could then name any address as theirs')
  // A value of separators alone would look like keys to the operator, and leave the API open.
  const keys = filledEntriesOf(API_KEYS ?? '')
  if (API_KEYS !== undefined && keys.every((key) => key.startsWith(READ_ONLY))) problems.push('API_KEYS must hold at least one key that may do everything')
  if (keys.some((key) => /\s/.test(key) || key === READ_ONLY)) problems.push('API_KEYS must not hold an empty key, or one with spaces: no header could carry it')
  const rule = TOKEN_SECRET === undefined ? undefined : checkSecrets(TOKEN_SECRET)
  if (rule !== undefined) problems.push(`TOKEN_SECRET ${rule}`)
  if (TOKEN_SECRET !== undefined && API_KEYS === undefined) problems.push('TOKEN_SECRET needs API_KEYS: without a key anybody could have a token minted')
  if (RESULTS_FROM === 'backend' && API_KEYS === undefined) problems.push('RESULTS_FROM=backend needs API_KEYS: without a key nobody is known to be a backend')
  // An origin is scheme, host and port (RFC 6454 §6.2). Any other text would silently match no origin, and `null` would match every sandboxed page.
  const isOrigin = (text: string) => URL.canParse(text) && new URL(text).origin === text
  if (!(allowedOrigins({ ALLOWED_ORIGINS }) ?? []).every(isOrigin)) problems.push('ALLOWED_ORIGINS must be * or a list of origins such as https://shop.example')
  return problems
}
