// Settings as options of the plugin: camelCase names and typed values, derived from the schema of the environment variables.
import type { Static } from '@sinclair/typebox'
import { ConfigError, ConfigSchema, PROVIDER_SECRETS, validateSettings, type Config } from './config.js'

/** Settings of the process: a Fastify instance that registers the plugin has its own port, log and traces. */
const PROCESS_SETTINGS = ['PORT', 'HOST', 'NODE_ENV', 'LOG_LEVEL', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_SERVICE_NAME'] as const

/** Settings that hold comma-separated lists. */
const LISTS = ['API_KEYS', 'TOKEN_SECRET', ...PROVIDER_SECRETS, 'WEBHOOK_SECRET', 'WEBHOOK_EVENTS', 'TRUST_PROXY', 'ALLOWED_ORIGINS'] as const

type Settings = Static<typeof ConfigSchema>
type Name = Exclude<keyof Settings, typeof PROCESS_SETTINGS[number]>

type CamelCase<Name extends string> = Name extends `${infer First}_${infer Rest}` ? `${Lowercase<First>}${Capitalize<CamelCase<Rest>>}` : Lowercase<Name>
type Value<Key extends Name> = Key extends typeof LISTS[number] ? string | readonly string[] : Settings[Key]

/** Each setting by its name in camelCase, such as `maxRoomMembers` for `MAX_ROOM_MEMBERS`. A setting with a comma-separated list also takes an array. */
export type SettingOptions = { readonly [Key in Name as CamelCase<Key>]?: Value<Key> | undefined }

const camelCase = (name: string) => name.toLowerCase().replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase())

const IN_PROCESS: ReadonlySet<string> = new Set(PROCESS_SETTINGS)
/** Environment name of each option. */
const SETTINGS: ReadonlyMap<string, string> = new Map(Object.keys(ConfigSchema.properties).filter((name) => !IN_PROCESS.has(name)).map((name) => [camelCase(name), name]))
const IS_LIST: ReadonlySet<string> = new Set(LISTS)

/**
 * Validates options by the rules of the environment variables. Unlike an empty variable, an empty value does not count as unset: `apiKeys: []` would leave the
 * API open. The playground and the console are off unless they are asked for.
 * @throws {ConfigError} naming every option that breaks its rule
 */
export function configFromOptions (options: SettingOptions): Config {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const problems = given.flatMap(([name, value]) => checkOption(name, value))
  if (problems.length > 0) throw new ConfigError(problems.join('; '))
  try {
    return validateSettings({ NODE_ENV: 'production', ...Object.fromEntries(given.map(([name, value]) => [SETTINGS.get(name)!, String(value)])) })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.message.replace(/\b[A-Z]+(?:_[A-Z]+)*\b/g, (word) => SETTINGS.has(camelCase(word)) ? camelCase(word) : word))
  }
}

/** Checks what a text would hide: an unknown name, and a value that turns into the text of another one. */
function checkOption (name: string, value: unknown): string[] {
  const setting = SETTINGS.get(name)
  if (setting === undefined) return [`${name} is not an option`]
  if (Array.isArray(value) && IS_LIST.has(setting)) {
    return value.every((entry) => typeof entry === 'string' && !entry.includes(',') && entry.trim() !== '') ? [] : [`${name} must be a list of non-empty strings without commas`]
  }
  return ['string', 'number', 'boolean'].includes(typeof value) ? [] : [`${name} must be a ${IS_LIST.has(setting) ? 'string or a list of strings' : 'string, number or boolean'}`]
}
