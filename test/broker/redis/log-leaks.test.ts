// Log under refusals and outages of Redis, with marked payloads, passwords and keys: no mark appears in it.
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { FORMATS, PASSWORD, publish, search, start } from '../../log-marks.js'
import { startCluster, startRedis, withoutRedis, type RedisServer } from '../../redis.js'
import { until } from '../../until.js'

t.jobs = 2

for (const NODE_ENV of FORMATS) {
  t.test(`${NODE_ENV}: refusals and outages of Redis leave no mark in the log`, { skip: withoutRedis, buffered: true }, async (t) => {
    const redis = await startRedis(t)
    await redis.client.config('SET', 'requirepass', PASSWORD)
    const server = await start(t, { NODE_ENV, REDIS_URL: `redis://default:${encodeURIComponent(PASSWORD)}@127.0.0.1:${redis.port}` })
    const { client } = redis
    await client.auth(PASSWORD)
    const isReady = async () => (await fetch(`${server.http}/ready`)).status === 200
    await until(() => `the server is ready; its output: ${server.output()}`, isReady)
    t.equal(await publish(server), 201)

    // One line per change: during the wait, many events are refused.
    const refused = (code: string) => server.logs(new RegExp(`"code":"${code}"`), () => publish(server))
    const refusals: Record<string, [breakIt: () => Promise<unknown>, mend: () => Promise<unknown>]> = {
      OOM: [() => client.config('SET', 'maxmemory', '1'), () => client.config('SET', 'maxmemory', '0')],
      NOPERM: [() => client.call('ACL', 'SETUSER', 'default', '-evalsha'), () => client.call('ACL', 'SETUSER', 'default', '+evalsha')],
      WRONGTYPE: [() => client.set('wsp:{r}', 'a text'), () => client.del('wsp:{r}')]
    }
    for (const [code, [breakIt, mend]] of Object.entries(refusals)) {
      await breakIt()
      await refused(code)
      await mend()
      await until('the server is ready again', isReady)
      search(t, server)
      t.pass(code)
    }

    for (const [name, breakIt, mend] of outages(redis)) {
      const before = server.output().length
      await breakIt()
      await server.logs(/Redis/, () => publish(server), before)
      await mend()
      await until(() => `the server is ready again after ${name}; its output: ${server.output().slice(-2_000)}`, isReady, 60_000)
      search(t, server)
      t.pass(name)
    }
    await client.script('FLUSH')
    await until('the scripts are loaded again', async () => await publish(server) === 201)
    search(t, server)
  })

  t.test(`${NODE_ENV}: a room on another shard leaves no mark in the log`, { skip: withoutRedis, buffered: true }, async (t) => {
    const { servers: [, second] } = await startCluster(t, 2)
    const server = await start(t, { NODE_ENV, REDIS_URL: `redis://127.0.0.1:${second!.port}` })
    // Rooms in the first and in the second half of the slots.
    await server.logs(/"code":"MOVED"/, async () => { for (const room of ['a', 'b', 'c', 'd']) await publish(server, room) }, 0)
    search(t, server)
  })

  t.test(`${NODE_ENV}: a server in place of Redis that quotes each command leaves no mark in the log`, { buffered: true }, async (t) => {
    const quoting = net.createServer((socket) => {
      socket.on('error', () => { /* cut off */ })
      socket.on('data', (data) => {
        // Commands are arrays of texts (RESP); the answer quotes all of them.
        const commands = String(data).split(/(?=\*\d+\r\n\$)/).map((text) => text.split('\r\n').filter((line) => !/^[*$]\d+$/.test(line) && line !== ''))
        for (const [name, ...args] of commands) {
          const isSetUp = ['hello', 'client', 'info', 'auth'].includes(name!.toLowerCase()) && accepts
          socket.write(isSetUp ? '$12\r\nredis_mode:x\r\n' : `-ERR unknown command \`${name}\`, with args beginning with: ${args.map((arg) => `\`${arg}\`, `).join('')}\r\n`)
        }
      })
    }).listen(0, '127.0.0.1')
    let accepts = false
    await once(quoting, 'listening')
    t.teardown(() => quoting.close())
    const { port } = quoting.address() as net.AddressInfo
    const server = await start(t, { NODE_ENV, REDIS_URL: `redis://default:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}` })
    for (let i = 0; i < 5; i++) t.equal(await publish(server), 503, 'the password is refused and quoted')
    accepts = true
    await server.logs(/"code":"UNKNOWN"/, () => publish(server), 0)
    search(t, server)
  })
}

/** Stops Redis, freezes it, and changes its password. */
function outages (redis: RedisServer): Array<[name: string, breakIt: () => Promise<unknown>, mend: () => Promise<unknown>]> {
  const drop = () => redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  return [
    // Clients leave a replica at once, so that few of its refusals are logged.
    ['a replica', () => redis.client.call('REPLICAOF', '127.0.0.1', '1'), () => redis.client.call('REPLICAOF', 'NO', 'ONE')],
    ['another password', async () => {
      await redis.client.config('SET', 'requirepass', 'another')
      await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await drop()
    }, () => redis.client.config('SET', 'requirepass', PASSWORD)],
    ['standing still', async () => { process.kill(redis.pid, 'SIGSTOP') }, async () => { process.kill(redis.pid, 'SIGCONT') }],
    ['gone', () => redis.kill(), async () => {
      await redis.start()
      await until('Redis accepts commands', async () => await redis.client.config('SET', 'requirepass', PASSWORD).then(() => true, () => false))
      await redis.client.auth(PASSWORD)
    }]
  ]
}
