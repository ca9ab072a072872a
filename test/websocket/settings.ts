// The settings of a server that the cases are run against: limits that are not what they are about are out of the way.
import { MAX_MESSAGE_BYTES } from './cases.js'

export const SETTINGS = {
  MAX_MESSAGE_BYTES: String(MAX_MESSAGE_BYTES),
  OUTBOX_MAX_BYTES: '67108864',
  MESSAGES_PER_SECOND: '0',
  // Nobody is pinged while a case runs.
  HEARTBEAT_SECONDS: '3600',
  LOG_LEVEL: 'info'
}
