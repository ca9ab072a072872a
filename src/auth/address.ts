// Addresses of callers, for counting: an IPv4 address stands for a caller, and of IPv6 the network, since a caller has all of it (RFC 6177).
import { isIP, isIPv4, isIPv6 } from 'node:net'

/**
 * Reduces `X-Forwarded-For` to addresses: proxies also write `192.0.2.1:5678` (Azure), `[2001:db8::1]:443` and quotes, and each port would count as a caller.
 * An entry that is no address (`unknown`) is dropped with all before it, so the caller counts as the proxy that wrote the entry.
 * @param header its value
 * @returns comma-separated addresses; empty where there is none
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

/** The address in one entry, without port, brackets and quotes. */
function addressIn (entry: string): string | undefined {
  const text = entry.replace(/^"(.*)"$/, '$1')
  if (isIP(text) !== 0) return text
  const [, bracketed = '', dotted = ''] = /^(?:\[(.+)\]|([\d.]+))(?::\d{1,5})?$/.exec(text) ?? []
  if (isIPv6(bracketed)) return bracketed
  return isIPv4(dotted) ? dotted : undefined
}

/** @param address as the connection or a trusted proxy says it @returns the address, or the first 64 bits of an IPv6 one */
export function networkOf (address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  // What `::` leaves out are zeros, as many as are missing of eight.
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  while (groups.length + rest.length < 8) groups.push('0')
  return [...groups, ...rest].slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(':') + '::/64'
}
