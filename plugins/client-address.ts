// Decorates `clientAddress`: the address of a client, the same for a request and for a handshake that never becomes one.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addressesOf } from '../src/auth/address.js'
import { proxies } from '../src/config.js'

// Required: an import would make Node.js search its text for exports before it runs it.
const { default: proxyAddr } = createRequire(import.meta.url)('@fastify/proxy-addr') as typeof import('@fastify/proxy-addr')

declare module 'fastify' {
  interface FastifyInstance {
    clientAddress: ClientAddress
  }
}

interface ClientAddress {
  readonly ofRequest: (request: Pick<FastifyRequest, 'ip' | 'raw'>) => string
  /** @returns undefined if the server alone knows the proxies that it trusts, so that only a request has an address */
  readonly ofHandshake: (headers: IncomingHttpHeaders, peer: string) => string | undefined
}

export default fp(async (app) => {
  const trusted = proxies(app.config)
  const isTrusted = trusted && proxyAddr.compile(trusted)
  // Fastify defines `ips` only on a server with `trustProxy`, whose value is not public.
  const serverTrusts = app.hasRequestDecorator('ips')

  const throughProxies = (headers: IncomingHttpHeaders, peer: string) => {
    const forwardedFor = headers['x-forwarded-for']
    if (!isTrusted || typeof forwardedFor !== 'string') return peer
    return proxyAddr({ headers: { 'x-forwarded-for': addressesOf(forwardedFor) }, socket: { remoteAddress: peer } } as unknown as IncomingMessage, isTrusted)
  }
  app.decorate('clientAddress', {
    ofRequest: (request) => isTrusted ? throughProxies(request.raw.headers, request.raw.socket.remoteAddress!) : request.ip,
    ofHandshake: (headers, peer) => !isTrusted && serverTrusts && headers['x-forwarded-for'] !== undefined ? undefined : throughProxies(headers, peer)
  })
}, { name: 'client-address' })
