// Settings of a server for the cases: limits that are not under test are out of the way.
import { MAX_MESSAGE_BYTES, SMALL_LIMIT } from './cases.js'

export const SETTINGS = {
  MAX_MESSAGE_BYTES: String(MAX_MESSAGE_BYTES),
  OUTBOX_MAX_BYTES: '67108864',
  MESSAGES_PER_SECOND: '0',
  // Cases do not answer pings, and may take their time on a slow machine.
  HEARTBEAT_SECONDS: '3600',
  HEARTBEAT_TIMEOUT_SECONDS: '3600',
  LOG_LEVEL: 'info'
}

/** Returns the settings for the cases of the limit. */
export const LIMIT_SETTINGS = { ...SETTINGS, MAX_MESSAGE_BYTES: String(SMALL_LIMIT) }
