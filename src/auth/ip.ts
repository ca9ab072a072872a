// The library of IP addresses. It is required: an import would make Node.js search its text for exports before it runs it.
import { createRequire } from 'node:module'
import type ipaddr from 'ipaddr.js'

export const ip = createRequire(import.meta.url)('ipaddr.js') as typeof ipaddr
export type IPv4 = ipaddr.IPv4
export type IPv6 = ipaddr.IPv6
