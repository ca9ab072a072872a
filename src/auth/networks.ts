// Networks of trusted proxies: their syntax, and a check that they do not hold every address there is.
import { isIP } from 'node:net'
import { ip, type IPv4, type IPv6 } from './ip.js'

/** Names that @fastify/proxy-addr knows for networks. */
const NAMED: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal'])

/** Bits that precede an IPv4 address in its form of an IPv6 address (RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96

/** First and last unicast address of IPv4 and global unicast address of IPv6 (RFC 4291 §2.4): every client on the internet has one of them. */
const CLIENTS = { ipv4: rangeOf('1.0.0.0', '223.255.255.255'), ipv6: rangeOf('2000::', '3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') }

interface Range { readonly first: bigint, readonly last: bigint }

/** Checks if a text is an address, a network with its length (`10.0.0.0/8`), or the name of one. */
export function isNetwork (text: string): boolean {
  if (NAMED.has(text)) return true
  const [, address = '', bits = '0'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  return version !== 0 && Number(bits) <= (version === 4 ? 32 : 128)
}

/**
 * Checks if networks together hold all IPv4 or all IPv6 addresses that a client can have. Behind such proxies every client could name any address as its own.
 * @param networks each as `isNetwork` accepts it
 */
export function holdEveryClient (networks: readonly string[]): boolean {
  const ranges = networks.filter((network) => !NAMED.has(network)).map(parseNetwork)
  return (['ipv4', 'ipv6'] as const).some((kind) => cover(ranges.filter((range) => range.kind === kind), CLIENTS[kind]))
}

/** Parses a network as @fastify/proxy-addr does: one of IPv4 addresses mapped into IPv6 holds IPv4 clients. */
function parseNetwork (text: string): Range & { readonly kind: 'ipv4' | 'ipv6' } {
  const [address = '', length] = text.split('/')
  const parsed = ip.parse(address)
  const bits = BigInt(parsed.kind() === 'ipv6' ? 128 : 32)
  const hostBits = bits - BigInt(length ?? bits)
  const first = numberOf(parsed) >> hostBits << hostBits
  const isMapped = parsed.kind() === 'ipv6' && (parsed as IPv6).isIPv4MappedAddress() && bits - hostBits >= MAPPED_BITS
  const start = isMapped ? first & 0xffffffffn : first
  return { kind: isMapped ? 'ipv4' : parsed.kind(), first: start, last: start + (1n << hostBits) - 1n }
}

function cover (ranges: Range[], { first, last }: Range): boolean {
  let next = first
  for (const range of ranges.sort((a, b) => a.first < b.first ? -1 : 1)) {
    if (range.first > next) break
    if (range.last >= next) next = range.last + 1n
  }
  return next > last
}

function rangeOf (first: string, last: string): Range { return { first: numberOf(ip.parse(first)), last: numberOf(ip.parse(last)) } }

function numberOf (address: IPv4 | IPv6): bigint { return BigInt(`0x${Buffer.from(address.toByteArray()).toString('hex')}`) }
