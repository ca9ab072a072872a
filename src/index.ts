// Root of the package: the plugin, the whole server, and the types that go with them.
export { buildApp, type AppOptions } from './app.js'
export type { Action, Claims, RoomClaims } from './auth/policy.js'
export type {
  Broker, BrokerListener, CloseCause, Lifetime, LogEntry, Position, Published, ReadFrom, RoomSummary, RoomView
} from './broker/broker.js'
export type { EventDraft } from './broker/event-draft.js'
export type { Clocks } from './clock.js'
export { ConfigError, loadConfig, type Config } from './config.js'
export { Failure, type ErrorCode, type ErrorDetail } from './errors.js'
export { serverOptions, type ServerSettings } from './http/server-options.js'
export { createLogger } from './logger.js'
export type { MaybePromise } from './maybe-promise.js'
export type { SettingOptions } from './options.js'
export { paymentRooms, type PaymentRoomsOptions } from './payment-rooms.js'
