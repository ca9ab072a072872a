// Finds connections to Redis on which commands wait and nothing arrives, and closes them. A process that was starved of CPU does not count as a silent Redis.
import type { Redis } from 'ioredis'

/** Interval between two looks at a connection, ms. */
const LOOK_INTERVAL = 250

/**
 * Closes each connection of a client after a silence. The option `socketTimeout` of ioredis is a timer, which fires in a process that was starved of CPU
 * before that process reads the replies that have arrived meanwhile. Looks are counted instead: the event loop reads its sockets between any two of them.
 * @param limit silence that closes the connection, ms; it ends at most two looks later
 */
export function closeSilent (redis: Redis, limit: number): void {
  redis.on('connect', () => {
    const { stream } = redis
    let heard = stream.bytesRead
    let silence = 0
    const timer = setInterval(() => {
      if (redis.commandQueue.length > 0 && stream.bytesRead === heard) silence += LOOK_INTERVAL
      else silence = 0
      heard = stream.bytesRead
      // The first look may come directly after the command.
      if (silence > limit) stream.destroy(new Error('Socket timeout'))
    }, LOOK_INTERVAL).unref()
    stream.once('close', () => clearInterval(timer))
  })
}
