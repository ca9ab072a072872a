// token: mints a room token, with TOKEN_SECRET in the environment or through the API.
import { Value } from '@sinclair/typebox/value'
import { RoomTokens } from '../auth/room-tokens.js'
import { checkSecrets, DEFAULT_TTL_SECONDS } from '../auth/token-secrets.js'
import { SYSTEM_CLOCKS } from '../clock.js'
import { ROLES } from '../protocol/events.js'
import { MAX_TTL_SECONDS } from '../protocol/fields.js'
import { DeviceId, RoomId } from '../protocol/identifiers.js'
import { Api, type RoomToken } from './api.js'
import { command } from './command.js'
import { usageError } from './cli-error.js'
import { serverOf, SHARED } from './options.js'
import { Printer, type Terminal } from './terminal.js'

const { url, timeout, json, 'device-id': deviceId, 'api-key': apiKey } = SHARED

export const token = command({
  summary: 'creates a room token, with TOKEN_SECRET in the environment or through the API',
  words: ['<room>'],
  example: 'payment_123 --role device2',
  options: {
    role: { type: 'string', value: '<role>', help: 'device1 (watches) or device2 (pays); required', oneOf: ROLES },
    'device-id': { ...deviceId, help: 'the only device that may use the token' },
    ttl: { type: 'number', value: '<s>', help: `lifetime in seconds (default: ${DEFAULT_TTL_SECONDS}, or the default of the server)`, min: 1, max: MAX_TTL_SECONDS, integer: true },
    'api-key': { ...apiKey, help: 'creates the token through the API; default: API_KEY in the environment, unless TOKEN_SECRET is set' },
    create: { type: 'boolean', help: 'creates the room if it does not exist; requires an API key' },
    url,
    timeout,
    json: { ...json, help: 'prints JSON, with the expiry time' }
  },
  run: async ([roomId], values, terminal) => {
    const { role, 'device-id': device, ttl } = values
    const { TOKEN_SECRET, API_KEY } = terminal.env
    if (!role) throw usageError('token requires --role')
    if (!Value.Check(RoomId, roomId)) throw usageError('the room must have 1–128 characters of A-Z a-z 0-9 . _ : ~ -')
    if (device !== undefined && !Value.Check(DeviceId, device)) throw usageError('--device-id must have 1–128 characters and no control characters')
    const key = values['api-key'] ?? (TOKEN_SECRET ? undefined : API_KEY || undefined)
    if (key === undefined && !TOKEN_SECRET) throw usageError('token requires TOKEN_SECRET or API_KEY in the environment, or --api-key')
    if (key === undefined && values.create) throw usageError('--create requires --api-key')
    if (key === undefined) return tell(await sign(TOKEN_SECRET!, { roomId, role, deviceId: device }, ttl), values.json, terminal)
    const api = new Api({ ...serverOf(values), roomId, apiKey: key }, terminal)
    if (values.create) await api.openRoom()
    return tell(await api.mintToken({ role, deviceId: device, ttlSeconds: ttl }), values.json, terminal)
  }
})

async function sign (secrets: string, request: Parameters<RoomTokens['sign']>[0], ttl = DEFAULT_TTL_SECONDS): Promise<RoomToken> {
  // The server does not start with such a secret.
  const rule = checkSecrets(secrets)
  if (rule !== undefined) throw usageError(`TOKEN_SECRET ${rule}`)
  return await new RoomTokens(secrets, SYSTEM_CLOCKS).sign(request, ttl * 1000)
}

/** Prints the token alone, so that a script can assign it to a variable. */
function tell (minted: RoomToken, json: boolean | undefined, terminal: Terminal): number {
  if (json) new Printer(terminal, json).tell('token', { token: minted.token, expiresAt: minted.expiresAt }, '', '')
  else terminal.stdout.write(`${minted.token}\n`)
  return 0
}
