// Ports for programs that take their port as a setting.
import { once } from 'node:events'
import net from 'node:net'

/** Ports that no operating system gives to outgoing connections or to servers on port 0 (Linux: from 32,768, others from 49,152): none is taken between its choice and its use. */
const FIRST = 20_000
const COUNT = 12_000

/** Each process begins elsewhere, and takes no port twice before all others. */
let next = Math.floor(Math.random() * COUNT)

/** Finds a port that is free now. @throws if a hundred in sequence are in use */
export async function freePort (): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST + next
    next = (next + 1) % COUNT
    if (await isFree(port)) return port
  }
  throw new Error('no free port')
}

async function isFree (port: number): Promise<boolean> {
  const probe = net.createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
  } catch {
    return false
  }
  await new Promise((resolve) => probe.close(resolve))
  return true
}
