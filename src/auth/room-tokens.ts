// Room tokens: signs a JWT (RFC 7519) for one role in one room, and verifies it when a device presents it; follows the best practices of RFC 8725.
import { createSecretKey, type KeyObject } from 'node:crypto'
import { Type, type Static } from '@sinclair/typebox'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { Clocks } from '../clock.js'
import { filledEntriesOf } from '../comma-list.js'
import { Failure } from '../errors.js'
import { checkOf } from '../protocol/compiled-checks.js'
import { Role } from '../protocol/events.js'
import { DeviceId, RoomId } from '../protocol/identifiers.js'
import type { RoomClaims } from './policy.js'

/** The only accepted algorithm: the `alg` header of a token does not select one. */
const ALGORITHM = 'HS256'
const ISSUER = 'ws-payment-server'
const AUDIENCE = 'ws-payment-server/room'
/** Explicit `typ` (RFC 8725 §3.11): no other kind of token under the same secret passes as a room token. */
const TYPE = 'room+jwt'

const Payload = Type.Object({ room: RoomId, role: Role, deviceId: Type.Optional(DeviceId), exp: Type.Integer() })
const isPayload = checkOf(Payload)

export interface RoomTokenRequest {
  readonly roomId: string
  readonly role: Role
  /** The only device that may use the token; undefined: any device. */
  readonly deviceId?: string | undefined
}

export class RoomTokens {
  readonly #keys: KeyObject[]
  readonly #clocks: Clocks

  /** @param secrets comma-separated, for rotation: the first signs, all verify */
  constructor (secrets: string, clocks: Clocks) {
    this.#keys = filledEntriesOf(secrets).map((secret) => createSecretKey(Buffer.from(secret)))
    this.#clocks = clocks
  }

  /** @param ttl ms; the expiry is rounded down to a second, the unit of `exp` in a JWT */
  async sign ({ roomId, role, deviceId }: RoomTokenRequest, ttl: number): Promise<{ token: string, expiresAt: number }> {
    const now = this.#clocks.now()
    const seconds = Math.floor((now + ttl) / 1000)
    const token = await new SignJWT({ room: roomId, role, ...(deviceId !== undefined && { deviceId }) })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
      .setIssuer(ISSUER).setAudience(AUDIENCE).setIssuedAt(Math.floor(now / 1000)).setExpirationTime(seconds)
      .sign(this.#keys[0]!)
    return { token, expiresAt: seconds * 1000 }
  }

  /** @returns the claims of the token, or the failure `TOKEN_EXPIRED` for a token that was valid, otherwise `INVALID_TOKEN` */
  async verify (token: string): Promise<RoomClaims | Failure> {
    const now = this.#clocks.now()
    const offset = this.#clocks.monotonic() - now
    for (const key of this.#keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [ALGORITHM], typ: TYPE, issuer: ISSUER, audience: AUDIENCE, currentDate: new Date(now)
        })
        return isPayload(payload) ? claimsOf(payload, offset) : new Failure('INVALID_TOKEN')
      } catch (error) {
        if (error instanceof errors.JWTExpired) return new Failure('TOKEN_EXPIRED')
        // Another secret may have signed the token. Any other error is the same under every secret.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) return new Failure('INVALID_TOKEN')
      }
    }
    return new Failure('INVALID_TOKEN')
  }
}

/** @param offset monotonic clock minus wall clock, ms */
function claimsOf ({ room, role, deviceId, exp }: Static<typeof Payload>, offset: number): RoomClaims {
  return { principal: role, roomId: room, deviceId, endsAt: exp * 1000 + offset }
}
