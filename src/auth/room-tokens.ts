// Room tokens: signed by us for one role in one room, and checked again when a device shows one (JWT, RFC 7519, as RFC 8725 advises).
import { createSecretKey, type KeyObject } from 'node:crypto'
import { Type, type Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { Clocks } from '../clock.js'
import { Failure } from '../errors.js'
import { Role } from '../protocol/events.js'
import { DeviceId, RoomId } from '../protocol/identifiers.js'
import type { RoomClaims } from './policy.js'

/** The one algorithm that is taken: what a token says of itself decides nothing. */
const ALGORITHM = 'HS256'
const ISSUER = 'ws-payment-server'
const AUDIENCE = 'ws-payment-server/room'
/** RFC 8725 §3.11: a type of its own, so that no other token under the same secret passes for one. */
const TYPE = 'room+jwt'

/** RFC 7518 §3.2: as long as what the hash puts out, bytes. */
export const MIN_SECRET_BYTES = 32

const Payload = Type.Object({ room: RoomId, role: Role, deviceId: Type.Optional(DeviceId), exp: Type.Integer() })
const payloadCheck = TypeCompiler.Compile(Payload)

export interface RoomTokenRequest {
  readonly roomId: string
  readonly role: Role
  /** The only device that may use it. */
  readonly deviceId?: string | undefined
}

export class RoomTokens {
  readonly #keys: KeyObject[]
  readonly #clocks: Clocks

  /** @param secrets comma-separated: the first signs, all verify, so that they can be rotated */
  constructor (secrets: string, clocks: Clocks) {
    this.#keys = secretsOf(secrets).map((secret) => createSecretKey(Buffer.from(secret)))
    this.#clocks = clocks
  }

  /** @param ttl ms; the end is rounded down to a second, as a JWT says it */
  async sign ({ roomId, role, deviceId }: RoomTokenRequest, ttl: number): Promise<{ token: string, expiresAt: number }> {
    const now = this.#clocks.now()
    const seconds = Math.floor((now + ttl) / 1000)
    const token = await new SignJWT({ room: roomId, role, ...(deviceId !== undefined && { deviceId }) })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
      .setIssuer(ISSUER).setAudience(AUDIENCE).setIssuedAt(Math.floor(now / 1000)).setExpirationTime(seconds)
      .sign(this.#keys[0]!)
    return { token, expiresAt: seconds * 1000 }
  }

  /** @returns what the token allows, or `INVALID_TOKEN`, or `TOKEN_EXPIRED` for one that was valid */
  async verify (token: string): Promise<RoomClaims | Failure> {
    const now = this.#clocks.now()
    const offset = this.#clocks.monotonic() - now
    for (const key of this.#keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [ALGORITHM], typ: TYPE, issuer: ISSUER, audience: AUDIENCE, currentDate: new Date(now)
        })
        return payloadCheck.Check(payload) ? claimsOf(payload, offset) : new Failure('INVALID_TOKEN')
      } catch (error) {
        if (error instanceof errors.JWTExpired) return new Failure('TOKEN_EXPIRED')
        // Another secret may have signed it; whatever else is wrong with it, it is wrong under each.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) return new Failure('INVALID_TOKEN')
      }
    }
    return new Failure('INVALID_TOKEN')
  }
}

/** The secrets of a comma-separated list. */
export function secretsOf (list: string): string[] { return list.split(',').map((secret) => secret.trim()).filter((secret) => secret !== '') }

/** @param offset of the monotonic clock from the wall clock, ms */
function claimsOf ({ room, role, deviceId, exp }: Static<typeof Payload>, offset: number): RoomClaims {
  return { principal: role, roomId: room, deviceId, endsAt: exp * 1000 + offset }
}
