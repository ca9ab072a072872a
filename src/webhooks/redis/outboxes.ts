// Finds the rooms with an outbox. There is no index of them, since it could not be kept in the same atomic step as the outbox in a cluster; SCAN returns every key that
// exists during the whole scan.
import { Cluster, type Redis } from 'ioredis'
import type { RoomRedis } from '../../broker/redis/scripts.js'

/** Keys that Redis looks at in one step, about a millisecond. */
const STEP = 1_000

/** Yields the rooms that have an outbox, some at a time, of all shards. */
export async function * roomsWithOutbox (commands: RoomRedis, prefix: string): AsyncGenerator<string[]> {
  const [start, end] = [`${prefix}:{`, '}:outbox']
  const servers: ReadonlyArray<Pick<Redis, 'scan'>> = commands instanceof Cluster ? commands.nodes('master') : [commands as Redis]
  for (const server of servers) {
    let cursor = '0'
    do {
      const [next, keys] = await server.scan(cursor, 'MATCH', `${start}*${end}`, 'COUNT', STEP)
      yield keys.map((key) => key.slice(start.length, -end.length))
      cursor = next
    } while (cursor !== '0')
  }
}
