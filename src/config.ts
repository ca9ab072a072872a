// Settings: one schema of environment variables, read once and validated at start.
import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { Type, type Static } from '@sinclair/typebox'
import { READ_ONLY } from './auth/api-keys.js'
import { holdEveryClient, isNetwork } from './auth/networks.js'
import { RESULT_SENDERS } from './auth/policy.js'
import { checkSecrets, DEFAULT_TTL_SECONDS } from './auth/token-secrets.js'
import { DATA_SYNCS } from './broker/journal/data-sync.js'
import { parseAddress } from './broker/redis/address.js'
import { entriesOf, filledEntriesOf } from './comma-list.js'
import { MAX_TTL_SECONDS } from './protocol/fields.js'
import { WEBHOOK_TYPES } from './protocol/notifications.js'
import { StringEnum } from './protocol/schema.js'
import { readValues } from './setting-values.js'
import { destinationFault } from './webhooks/destination.js'
import { secretFault } from './webhooks/signature.js'

const seconds = (fallback: number, description: string) => Type.Integer({ minimum: 1, maximum: 2_147_483, default: fallback, description })

/** Each property is an environment variable; `description` and `default` match the table in docs/reference/settings.md. */
export const ConfigSchema = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8080, description: 'Port to listen on; 0 selects a free port' }),
  HOST: Type.String({ minLength: 1, default: '0.0.0.0', description: 'Address to listen on' }),
  NODE_ENV: Type.String({ minLength: 1, default: 'development', description: '`production`: JSON logs and no `.env` file; otherwise human-readable logs' }),
  LOG_LEVEL: Type.Optional(StringEnum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    description: 'Minimum log level; by default `info` in production, otherwise `debug`'
  })),
  REDIS_URL: Type.Optional(Type.String({
    description: '`redis://…`, `redis+sentinel://…/name`, `redis+cluster://…` or `redis+unix:///path`; `rediss` for TLS. Nodes with the same Redis share their rooms; without it, rooms are kept in memory'
  })),
  REDIS_SENTINEL_USERNAME: Type.Optional(Type.String({ description: 'Username for the Sentinels. Requires `REDIS_SENTINEL_PASSWORD`' })),
  REDIS_SENTINEL_PASSWORD: Type.Optional(Type.String({ description: 'Password for the Sentinels; the password in `REDIS_URL` is for Redis' })),
  DATA_DIR: Type.Optional(Type.String({
    minLength: 1, description: 'Folder of the journal, in which the rooms of a single node outlive its process; without it and without Redis, rooms end with the process'
  })),
  DATA_SYNC: StringEnum(DATA_SYNCS, {
    default: 'second',
    description: 'Safety against a loss of power: `none`: up to the kernel; `second`: all but the last second; `always`: everything acknowledged, at the speed of the disk'
  }),
  REDIS_PREFIX: Type.String({ pattern: '^[\\w.:-]{1,64}$', default: 'wsp', description: 'Prefix of all keys and channels in Redis' }),
  API_KEYS: Type.Optional(Type.String({ description: 'Comma-separated API keys; if set, the REST API requires one. The prefix `read:` makes a key read-only' })),
  TOKEN_SECRET: Type.Optional(Type.String({
    description: 'Secret of at least 32 bytes; if set, joining a room requires a token. Comma-separated for rotation: the first signs, all verify. Requires `API_KEYS`'
  })),
  TOKEN_TTL_SECONDS: Type.Integer({ minimum: 1, maximum: MAX_TTL_SECONDS, default: DEFAULT_TTL_SECONDS, description: 'Default lifetime of the tokens that the API creates' }),
  RESULTS_FROM: StringEnum(RESULT_SENDERS, { default: 'any', description: '`backend`: `PAYMENT_SUCCESS` and `PAYMENT_ERROR` are accepted only with an API key' }),
  STRIPE_WEBHOOK_SECRET: Type.Optional(Type.String({ description: 'Signing secret of the Stripe endpoint `/webhooks/stripe`; comma-separated for rotation. Requires the package `stripe`' })),
  STANDARD_WEBHOOK_SECRET: Type.Optional(Type.String({
    description: 'Secret, `whsec_…`, of a sender of Standard Webhooks at `/webhooks/standard`; comma-separated for rotation. Requires the package `standardwebhooks`'
  })),
  MERCADOPAGO_WEBHOOK_SECRET: Type.Optional(Type.String({
    description: 'Secret signature of the Mercado Pago webhook `/webhooks/mercadopago`; comma-separated for rotation. Requires `MERCADOPAGO_ACCESS_TOKEN` and the package `mercadopago`'
  })),
  MERCADOPAGO_ACCESS_TOKEN: Type.Optional(Type.String({
    description: 'Access token of Mercado Pago, which reads the payments of its webhooks; comma-separated for rotation. Requires `MERCADOPAGO_WEBHOOK_SECRET`'
  })),
  MERCADOPAGO_API_URL: Type.String({ pattern: '^https?://[^\\s]+$', default: 'https://api.mercadopago.com', description: 'URL of the API of Mercado Pago' }),
  ADYEN_HMAC_KEY: Type.Optional(Type.String({
    description: 'HMAC key, hexadecimal, of the Adyen webhook `/webhooks/adyen`; comma-separated for rotation. Requires the package `@adyen/api-library`'
  })),
  ASAAS_WEBHOOK_TOKEN: Type.Optional(Type.String({ description: 'Authentication token of the Asaas webhook `/webhooks/asaas`; comma-separated for rotation' })),
  PAGBANK_TOKEN: Type.Optional(Type.String({ description: 'Token of the PagBank account, which signs its notifications to `/webhooks/pagbank`; comma-separated for rotation' })),
  PIX_WEBHOOK_TOKEN: Type.Optional(Type.String({
    description: 'Token of your choice in the URL of the Pix webhook, `/webhooks/pix?token=…`; comma-separated for rotation. The proxy checks the client certificate of the bank'
  })),
  WEBHOOK_URL: Type.Optional(Type.String({ description: 'URL, `https://…`, that gets the changes of all rooms as signed webhooks. Requires `WEBHOOK_SECRET`' })),
  WEBHOOK_SECRET: Type.Optional(Type.String({
    description: 'Secret, `whsec_…`, that signs the webhooks sent to `WEBHOOK_URL` and to the `webhookUrl` of a room; comma-separated for rotation: all sign. ' +
      'Requires the package `standardwebhooks`, and with `REDIS_URL` also `bullmq`'
  })),
  WEBHOOK_EVENTS: Type.String({
    minLength: 1, default: WEBHOOK_TYPES.filter((type) => type !== 'payment.progressed').join(','), description: 'Comma-separated types of the webhooks that are sent; `payment.progressed` (each step of the payer) is not among the default ones'
  }),
  WEBHOOK_ALLOW_PRIVATE: Type.Boolean({ default: false, description: 'Sends webhooks also to private addresses, and over plain HTTP' }),
  TRUST_PROXY: Type.Optional(Type.String({ description: 'Comma-separated addresses and networks of trusted proxies, whose `X-Forwarded-For` is used; `Forwarded` is ignored' })),
  REQUESTS_PER_SECOND: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 50, description: 'Maximum REST requests per API key, or per address without a key (429); 0: no limit' }),
  ALLOWED_ORIGINS: Type.String({ minLength: 1, default: '*', description: 'Comma-separated browser origins that may use the socket and the API; `*`: all' }),
  ROOM_RETENTION_SECONDS: seconds(900, 'Time until an empty room is deleted'),
  LATE_RESULTS_SECONDS: Type.Integer({
    minimum: 0, maximum: MAX_TTL_SECONDS, default: 259_200, description: 'Time after the deadline of a payment link in which the room is kept and takes results of a backend'
  }),
  STALL_SECONDS: Type.Integer({
    minimum: 0, maximum: MAX_TTL_SECONDS, default: 120, description: 'Time without an event after which a payment whose payer has begun is stalled (`PAYMENT_STALLED`); 0: never'
  }),
  ROOM_LOG_SIZE: Type.Integer({ minimum: 1, maximum: 100_000, default: 200, description: 'Maximum events in the log of a room' }),
  MAX_ROOM_MEMBERS: Type.Integer({ minimum: 1, default: 50, description: 'Maximum members of a room on this node; the last fifth is for `device1`' }),
  PAYERS: Type.Integer({ minimum: 0, maximum: 1000, default: 0, description: 'Maximum payers (devices with the role `device2`) in a room at once (`ROOM_TAKEN`); 0: no limit' }),
  MAX_ROOMS_PER_SOCKET: Type.Integer({ minimum: 1, default: 100, description: 'Maximum rooms per socket' }),
  MAX_CONNECTIONS: Type.Integer({ minimum: 0, maximum: 10_000_000, default: 0, description: 'Maximum sockets and event streams on this node (503); 0: no limit' }),
  MAX_CONNECTIONS_PER_IP: Type.Integer({ minimum: 0, maximum: 10_000_000, default: 0, description: 'Maximum sockets and event streams per IPv4 address or IPv6 /64 network (429); 0: no limit' }),
  MAX_MESSAGE_BYTES: Type.Integer({ minimum: 256, maximum: 16_777_216, default: 16384, description: 'Maximum size of a message (close code 1009) and of a request body (413)' }),
  MESSAGES_PER_SECOND: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 20, description: 'Maximum messages and pings from one socket (`RATE_LIMITED`; at five times the limit close code 4004); 0: no limit' }),
  MESSAGES_BURST: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 40, description: 'Messages and pings that one socket may send at once' }),
  HEARTBEAT_SECONDS: seconds(25, 'Interval between pings'),
  HEARTBEAT_TIMEOUT_SECONDS: seconds(8, 'Time limit for a pong (close code 4003)'),
  JOIN_TIMEOUT_SECONDS: seconds(10, 'Time limit for a socket to join, if tokens are required (close code 4502)'),
  OUTBOX_MAX_BYTES: Type.Integer({ minimum: 1024, default: 1_048_576, description: 'Maximum bytes queued for one slow socket (close code 4001)' }),
  PRESENCE_GRACE_SECONDS: Type.Integer({ minimum: 0, maximum: 3600, default: 5, description: 'Time that a device may be disconnected before `DEVICE_LEFT` is sent' }),
  SHUTDOWN_GRACE_SECONDS: seconds(10, 'Time limit for a shutdown'),
  FAST_PATH: StringEnum(['auto', 'off'], { default: 'auto', description: '`auto`: sockets use the fast path where possible; `off`: all sockets use `http` and `ws`, at two to four times the CPU' }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://[^\\s]+$', description: 'URL of an OpenTelemetry collector; if set, REST requests are traced' })),
  OTEL_SERVICE_NAME: Type.String({ minLength: 1, default: 'ws-payment-server', description: 'Service name in traces' }),
  DOCS: Type.Boolean({ default: true, description: 'Serves Swagger UI at `/docs`' }),
  PLAYGROUND: Type.Optional(Type.Boolean({ description: 'Serves the playground at `/playground`; by default `false` in production, otherwise `true`' })),
  CONSOLE: Type.Optional(Type.Boolean({ description: 'Serves the operator\'s console at `/console`; by default `false` in production, otherwise `true`' }))
})
export type Config = Readonly<Static<typeof ConfigSchema>> & { readonly LOG_LEVEL: string, readonly PLAYGROUND: boolean, readonly CONSOLE: boolean }

/** @returns the browser origins that may use this server, or undefined if any origin may */
export function allowedOrigins ({ ALLOWED_ORIGINS }: Pick<Config, 'ALLOWED_ORIGINS'>): string[] | undefined {
  return ALLOWED_ORIGINS === '*' ? undefined : entriesOf(ALLOWED_ORIGINS)
}

/** @returns the proxies whose `X-Forwarded-For` is trusted, or undefined if there are none */
export function proxies ({ TRUST_PROXY }: { readonly TRUST_PROXY?: string | undefined }): string[] | undefined {
  return TRUST_PROXY === undefined ? undefined : entriesOf(TRUST_PROXY)
}

/** Secrets that are shared with payment providers, each a comma-separated list. */
export const PROVIDER_SECRETS = [
  'STRIPE_WEBHOOK_SECRET', 'STANDARD_WEBHOOK_SECRET', 'MERCADOPAGO_WEBHOOK_SECRET', 'MERCADOPAGO_ACCESS_TOKEN', 'ADYEN_HMAC_KEY', 'ASAAS_WEBHOOK_TOKEN', 'PAGBANK_TOKEN',
  'PIX_WEBHOOK_TOKEN'
] as const

export type Secrets = Pick<Config, 'REDIS_URL' | 'REDIS_SENTINEL_PASSWORD' | 'API_KEYS' | 'TOKEN_SECRET' | 'WEBHOOK_SECRET' | 'WEBHOOK_URL' | typeof PROVIDER_SECRETS[number]>

/**
 * @returns the secrets in the settings, which must never be logged: API keys, secrets of tokens and webhooks, Redis passwords, decoded and as spelt in the URL, and the
 * URL of the webhooks, whose path or query may be a secret of the receiver
 */
export function secretsIn ({ REDIS_URL = '', REDIS_SENTINEL_PASSWORD, API_KEYS = '', WEBHOOK_URL, ...others }: Secrets): string[] {
  const address = parseAddress(REDIS_URL)
  const password = typeof address === 'string' ? undefined : address.options.password
  const [, encodedPassword] = /^[^@]*:\/\/[^@]*?:([^@]*)@/.exec(REDIS_URL) ?? []
  const keys = filledEntriesOf(API_KEYS).map((key) => key.startsWith(READ_ONLY) ? key.slice(READ_ONLY.length) : key)
  const lists = (['TOKEN_SECRET', 'WEBHOOK_SECRET', ...PROVIDER_SECRETS] as const).flatMap((name) => filledEntriesOf(others[name] ?? ''))
  return [password, encodedPassword, REDIS_SENTINEL_PASSWORD, WEBHOOK_URL, ...keys, ...lists].filter((text): text is string => text !== undefined && text !== '')
}

/** Invalid settings. The message names each variable and its rule, never the value. */
export class ConfigError extends Error {}

/**
 * Loads the code that a setting needs, which may rest on a package that is not in every installation.
 * @throws {ConfigError} if the package is not installed, or the code refuses the value of the setting
 */
export async function loadFor<T> (setting: string, library: string | undefined, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw new ConfigError(`${setting}: ${(error as Error).message}`)
    throw new ConfigError(`${setting} requires the package ${library}: npm install ${library}`)
  }
}

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
  const { values, problems } = readValues(ConfigSchema.properties, data)
  const broken = [...new Set([...problems, ...checkTogether(data)])]
  if (broken.length > 0) throw new ConfigError(broken.join('; '))
  const config = values as Static<typeof ConfigSchema>
  const isProduction = config.NODE_ENV === 'production'
  const { LOG_LEVEL = isProduction ? 'info' : 'debug', PLAYGROUND = !isProduction, CONSOLE = !isProduction } = config
  return { ...config, LOG_LEVEL, PLAYGROUND, CONSOLE }
}

function readEnvFile (path: string | undefined): NodeJS.ProcessEnv {
  return path !== undefined && existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {}
}

function withoutEmpty (variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''))
}

/** Checks the Redis settings together. Sentinel credentials that no connection would use are an error: the Sentinels would be queried without a password. */
function checkRedis ({ REDIS_URL, DATA_DIR, REDIS_SENTINEL_USERNAME, REDIS_SENTINEL_PASSWORD }: NodeJS.ProcessEnv): string[] {
  const address = REDIS_URL === undefined ? undefined : parseAddress(REDIS_URL)
  if (typeof address === 'string') return [`REDIS_URL ${address}`]
  if (address && DATA_DIR !== undefined) return ['DATA_DIR cannot be combined with REDIS_URL: rooms are in one of the two']
  if (REDIS_SENTINEL_PASSWORD !== undefined && address?.kind !== 'sentinel') return ['REDIS_SENTINEL_PASSWORD requires REDIS_URL=redis+sentinel://…']
  if (REDIS_SENTINEL_USERNAME !== undefined && REDIS_SENTINEL_PASSWORD === undefined) return ['REDIS_SENTINEL_USERNAME requires REDIS_SENTINEL_PASSWORD']
  return []
}

/** Checks the secrets of the payment providers. A list without an entry would switch a webhook on that no delivery can pass. */
function checkProviders (env: NodeJS.ProcessEnv): string[] {
  const problems = PROVIDER_SECRETS.filter((name) => env[name] !== undefined && filledEntriesOf(env[name]).length === 0).map((name) => `${name} must contain at least one secret`)
  const { MERCADOPAGO_WEBHOOK_SECRET: secret, MERCADOPAGO_ACCESS_TOKEN: token } = env
  if (secret !== undefined && token === undefined) problems.push('MERCADOPAGO_WEBHOOK_SECRET requires MERCADOPAGO_ACCESS_TOKEN: the result of a payment is read with it')
  if (token !== undefined && secret === undefined) problems.push('MERCADOPAGO_ACCESS_TOKEN requires MERCADOPAGO_WEBHOOK_SECRET')
  return problems
}

/** Checks the settings of the webhooks that are sent. */
function checkWebhooks ({ WEBHOOK_URL, WEBHOOK_SECRET, WEBHOOK_EVENTS, WEBHOOK_ALLOW_PRIVATE }: NodeJS.ProcessEnv): string[] {
  const problems: string[] = []
  const fault = WEBHOOK_URL === undefined ? undefined : destinationFault(WEBHOOK_URL, WEBHOOK_ALLOW_PRIVATE === 'true')
  if (fault !== undefined) problems.push(`WEBHOOK_URL ${fault}`)
  if (WEBHOOK_URL !== undefined && WEBHOOK_SECRET === undefined) problems.push('WEBHOOK_URL requires WEBHOOK_SECRET: the receiver could not tell the webhooks from forged ones')
  const secrets = filledEntriesOf(WEBHOOK_SECRET ?? '')
  if (WEBHOOK_SECRET !== undefined && secrets.length === 0) problems.push('WEBHOOK_SECRET must contain at least one secret')
  problems.push(...secrets.map(secretFault).filter((rule) => rule !== undefined).map((rule) => `WEBHOOK_SECRET ${rule}`))
  const types = entriesOf(WEBHOOK_EVENTS ?? WEBHOOK_TYPES[0])
  if (!types.every((type) => (WEBHOOK_TYPES as readonly string[]).includes(type))) problems.push(`WEBHOOK_EVENTS must be a list of ${WEBHOOK_TYPES.join(', ')}`)
  return problems
}

/** Checks rules that the schema cannot express. */
function checkTogether ({ NODE_ENV = 'development', RESULTS_FROM, API_KEYS, TOKEN_SECRET, TRUST_PROXY, ALLOWED_ORIGINS = '*', ...others }: NodeJS.ProcessEnv): string[] {
  const problems = [...checkRedis(others), ...checkProviders(others), ...checkWebhooks(others)]
  // `"production"` in quotes, as `docker --env-file` passes it on, `Production` and `prod` would silently run in development mode.
  if (NODE_ENV !== 'production' && /^prod/i.test(NODE_ENV.replace(/[^a-z]/gi, ''))) problems.push('NODE_ENV must be production, without quotes; no other value may begin with prod')
  const networks = proxies({ TRUST_PROXY }) ?? []
  if (!networks.every(isNetwork)) problems.push('TRUST_PROXY must be a list of addresses such as 10.0.0.1, networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal')
  else if (holdEveryClient(networks)) problems.push('TRUST_PROXY must not include every address: clients could then forge their address')
  // A value of separators alone would look like keys to the operator, and leave the API open.
  const keys = filledEntriesOf(API_KEYS ?? '')
  if (API_KEYS !== undefined && keys.every((key) => key.startsWith(READ_ONLY))) problems.push('API_KEYS must contain at least one key that is not read-only')
  if (keys.some((key) => /\s/.test(key) || key === READ_ONLY)) problems.push('API_KEYS must not contain an empty key or a key with spaces')
  const rule = TOKEN_SECRET === undefined ? undefined : checkSecrets(TOKEN_SECRET)
  if (rule !== undefined) problems.push(`TOKEN_SECRET ${rule}`)
  if (TOKEN_SECRET !== undefined && API_KEYS === undefined) problems.push('TOKEN_SECRET requires API_KEYS: without a key every client could create tokens')
  if (RESULTS_FROM === 'backend' && API_KEYS === undefined) problems.push('RESULTS_FROM=backend requires API_KEYS: without a key no client is identified as a backend')
  // An origin is scheme, host and port (RFC 6454 §6.2). Any other text would silently match no origin, and `null` would match every sandboxed page.
  const isOrigin = (text: string) => URL.canParse(text) && new URL(text).origin === text
  if (!(allowedOrigins({ ALLOWED_ORIGINS }) ?? []).every(isOrigin)) problems.push('ALLOWED_ORIGINS must be * or a list of origins such as https://shop.example')
  return problems
}
