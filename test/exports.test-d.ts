// Types of the root of the package, as a dependent program sees them. Compiled by `npm run typecheck`, never run.
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import {
  buildApp, ConfigError, createLogger, Failure, loadConfig, paymentRooms, serverOptions,
  type AppOptions, type Broker, type Config, type ErrorCode, type MaybePromise, type PaymentRoomsOptions, type RoomView, type SettingOptions
} from 'ws-payment-server'

/** Compiles only if both types are the same. */
function isSame<A, B> (..._same: (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? [] : ['these types differ']): void {}

const app = Fastify({ ...serverOptions(), logger: true })
app.register(paymentRooms, {
  prefix: '/payments',
  logLevel: 'warn',
  apiKeys: ['a', 'read:b'],
  tokenSecret: 's',
  trustProxy: 'loopback',
  allowedOrigins: ['https://shop.example'],
  maxRoomMembers: 2,
  docs: false,
  resultsFrom: 'backend',
  maxConnectionsPerIp: 5,
  redisUrl: undefined
})
app.register(paymentRooms, { config: loadConfig(process.env) })
app.register(paymentRooms)
// @ts-expect-error not an option
app.register(paymentRooms, { maxRoomMember: 2 })
// @ts-expect-error the environment's name
app.register(paymentRooms, { API_KEYS: 'a' })
// @ts-expect-error the port is the process's
app.register(paymentRooms, { port: 80 })
// @ts-expect-error a text for a number
app.register(paymentRooms, { maxRoomMembers: '2' })
// @ts-expect-error a list for a text
app.register(paymentRooms, { redisUrl: ['redis://here'] })
// @ts-expect-error not one of the values
app.register(paymentRooms, { resultsFrom: 'nobody' })

isSame<SettingOptions['maxRoomMembers'], number | undefined>()
isSame<SettingOptions['apiKeys'], string | readonly string[] | undefined>()
isSame<SettingOptions['fastPath'], 'auto' | 'off' | undefined>()
isSame<SettingOptions['docs'], boolean | undefined>()
isSame<PaymentRoomsOptions['config'], Config | undefined>()
isSame<Extract<keyof SettingOptions, 'port' | 'host' | 'nodeEnv' | 'logLevel' | 'otelServiceName'>, never>()

isSame<ReturnType<typeof buildApp>, FastifyInstance>()
isSame<Parameters<typeof buildApp>, [AppOptions]>()
isSame<ReturnType<typeof loadConfig>, Config>()
isSame<Config['MAX_ROOM_MEMBERS'], number>()
const options: FastifyServerOptions = serverOptions({ now: () => 0 })
buildApp({ config: loadConfig({}), logger: createLogger(loadConfig({})), now: () => 0 })
// @ts-expect-error a logger is needed
buildApp({ config: loadConfig({}) })

export const failure = new Failure('ROOM_NOT_FOUND')
isSame<typeof failure.code, ErrorCode>()
isSame<typeof failure.status, number>()
// @ts-expect-error not a code
const unknown = new Failure('NOT_A_CODE')
const error: Error = new ConfigError('message')
isSame<ReturnType<Broker['read']>, MaybePromise<RoomView | Failure>>()

export { error, options, unknown }
