// Addresses that a webhook may be sent to: public ones, so that the URL of a webhook opens no way into the network of the server.
import { ip, type IPv6 } from '../auth/ip.js'

/** Global unicast addresses of IPv6 (RFC 4291 §2.4). All others are reserved, or hold an address of IPv4 or of a local network. */
const GLOBAL = ip.IPv6.parseCIDR('2000::/3')

/** Checks if an address is public. An address of IPv4 that is mapped into IPv6 counts as that of IPv4; translations such as NAT64 and 6to4 are not public. */
export function isPublic (address: string): boolean {
  if (!ip.isValid(address)) return false
  const parsed = ip.process(address)
  return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || (parsed as IPv6).match(GLOBAL))
}

/** @returns the address in the host of a URL, or undefined if the host is a name. The parser of URLs has turned every spelling of an IPv4 address into the usual one. */
export function literalIn ({ hostname }: URL): string | undefined {
  const address = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return ip.isValid(address) ? address : undefined
}
