// Client addresses for rate and connection limits: one client per IPv4 address or per IPv6 /64 network, since a client owns the whole network (RFC 6177).
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { ip } from './ip.js'

/**
 * Reduces `X-Forwarded-For` to addresses: proxies also write `192.0.2.1:5678` (Azure), `[2001:db8::1]:443` and quotes, and each port would count as a client.
 * An entry without an address (`unknown`) is dropped with all entries before it, so the client counts as the proxy that wrote the entry.
 * @param header value of the header
 * @returns comma-separated addresses; empty if there are none
 */
export function addressesOf (header: string): string {
  if (isIP(header) !== 0) return header
  const addresses: string[] = []
  for (const entry of header.split(',').reverse()) {
    if (entry.trim() === '') continue
    const address = addressIn(entry.trim())
    if (address === undefined) break
    addresses.push(address)
  }
  return addresses.reverse().join(', ')
}

/** Parses the address in one entry, without port, brackets and quotes. */
function addressIn (entry: string): string | undefined {
  const text = entry.replace(/^"(.*)"$/, '$1')
  if (isIP(text) !== 0) return text
  const [, bracketed = '', dotted = ''] = /^(?:\[(.+)\]|([\d.]+))(?::\d{1,5})?$/.exec(text) ?? []
  if (isIPv6(bracketed)) return bracketed
  return isIPv4(dotted) ? dotted : undefined
}

/**
 * Reduces an address to what is counted as one caller.
 * @param address as the connection or a trusted proxy reports it
 * @returns an IPv4 address, also of one mapped into IPv6, or the first 64 bits of an IPv6 one; any other text as it is
 */
export function networkOf (address: string): string {
  if (!isIPv6(address)) return address
  const parsed = ip.IPv6.parse(address)
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.parts.slice(0, 4).map((part) => part.toString(16)).join(':') + '::/64'
}
