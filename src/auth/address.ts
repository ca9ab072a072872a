// Whose address it is, for counting: an IPv4 address stands for a caller, and of IPv6 the network, since a caller has all of it (RFC 6177).
import { isIPv6 } from 'node:net'

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
