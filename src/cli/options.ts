// Options shared by several commands, and the values derived from them.
import { decodeJwt } from 'jose'
import type { Role } from '../client/index.js'
import { ROLES } from '../protocol/events.js'
import type { Option } from './command.js'
import { usageError } from './cli-error.js'
import type { Terminal } from './terminal.js'

const URL_DEFAULT = 'ws://localhost:8080'
/** Default time limit for the server, s. */
const TIMEOUT = 5

export const SHARED = {
  url: { type: 'string', value: '<url>', help: `URL of the server (default: ${URL_DEFAULT})` },
  timeout: { type: 'number', value: '<s>', help: `time limit for a response of the server, in seconds (default: ${TIMEOUT})`, min: 0.05, max: 3600 },
  json: { type: 'boolean', help: 'prints JSON lines, also on a terminal' },
  'device-id': { type: 'string', value: '<name>', help: 'id of the device; default: the device of the token, otherwise device_1 or device_2' },
  token: { type: 'string', value: '<token>', help: 'room token, if the server requires one; default: ROOM_TOKEN in the environment' },
  'api-key': { type: 'string', value: '<key>', help: 'API key, if the server requires one; default: API_KEY in the environment' }
} as const satisfies Record<string, Option>

/** Returns the API key of the options, else of the environment. */
export function keyOf ({ 'api-key': key }: { 'api-key'?: string | undefined }, { env }: Pick<Terminal, 'env'>): string | undefined { return key ?? (env.API_KEY || undefined) }

/** Returns the server's URL and the time limit. @throws {CliError} if the URL is invalid */
export function serverOf ({ url = URL_DEFAULT, timeout = TIMEOUT }: { url?: string | undefined, timeout?: number | undefined }): { url: string, timeout: number } {
  if (!URL.canParse(url) || !/^(ws|http)s?:\/\//.test(url)) throw usageError('--url must be a URL such as ws://localhost:8080')
  return { url, timeout }
}

/** Returns the device's identity: from the options, else from the token. The token is only decoded here; the server verifies it. */
export function identityOf (
  { 'device-id': name, role, token }: { 'device-id'?: string | undefined, role?: Role | undefined, token?: string | undefined }, fallback: Role, env: NodeJS.ProcessEnv
): { deviceId: string, role: Role, token: string | undefined } {
  const roomToken = token ?? (env.ROOM_TOKEN || undefined)
  const claims = roomToken === undefined ? {} : claimsOf(roomToken)
  const isRole = (value: unknown): value is Role => ROLES.includes(value as Role)
  const ownRole = role ?? (isRole(claims.role) ? claims.role : fallback)
  return { role: ownRole, deviceId: name ?? (typeof claims.deviceId === 'string' ? claims.deviceId : ownRole.replace('device', 'device_')), token: roomToken }
}

function claimsOf (token: string): Record<string, unknown> {
  try {
    return decodeJwt(token)
  } catch {
    // The server reports the error.
    return {}
  }
}
