// Real Redis for tests: started on a free loopback port, stopped with the test.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Redis } from 'ioredis'
import type { Certificates } from './certificates.js'
import { freePort } from './free-port.js'
import { without } from './installed.js'

/** Reason to skip a test that needs Redis, or false. */
export const withoutRedis = without('redis-server', 'redis-server')

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Client for reading and breaking this Redis. */
  readonly client: Redis
  readonly pid: number
  kill: (signal?: NodeJS.Signals) => Promise<void>
  /** Starts this Redis again on the same port and folder. */
  start: () => Promise<void>
}

export interface RedisSettings {
  readonly port?: number
  /** Certificates for TLS, which is then the only protocol, also between servers. */
  readonly tls?: Certificates
  /** Password of the client of the test. */
  readonly password?: string
  /** User name of the client of the test, if not the default user. */
  readonly username?: string
  /** Command that starts Redis; by default redis-server. */
  readonly command?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Arguments of Redis for a port: with TLS there is no port for plain text. */
function portArgs (port: number, tls: Certificates | undefined): string[] {
  if (!tls) return ['--port', String(port)]
  const files = ['--tls-cert-file', tls.cert, '--tls-key-file', tls.key, '--tls-ca-cert-file', tls.ca]
  return ['--port', '0', '--tls-port', String(port), ...files, '--tls-auth-clients', 'no', '--tls-replication', 'yes']
}

/**
 * Starts a Redis for one test.
 * @param args further settings, such as `--appendonly yes`
 */
export async function startRedis (t: Test, args: string[] = [], { port, tls, command = 'redis-server', env, ...login }: RedisSettings = {}): Promise<RedisServer> {
  const dir = mkdtempSync(join(tmpdir(), 'redis-'))
  const usedPort = port ?? await freePort()
  let child: ChildProcess | undefined
  let exited: Promise<unknown> = Promise.resolve()
  const start = async () => {
    // A file of settings comes first in the arguments; a Sentinel knows fewer settings.
    const file = args.filter((arg) => arg.endsWith('.conf') && arg.startsWith('/'))
    const own = file.length > 0 ? ['--dir', dir] : ['--bind', '127.0.0.1', '--dir', dir, '--save', '', '--loglevel', 'warning']
    const all = [...file, ...portArgs(usedPort, tls), ...own, ...args.filter((arg) => !file.includes(arg))]
    const run = () => {
      child = spawn(command, all, { stdio: 'ignore', ...(env && { env }) })
      exited = once(child, 'exit')
    }
    run()
    for (let i = 0; i < 400; i++) {
      // The Redis before it on this port may not have released it yet.
      if (child?.exitCode !== null) run()
      const socket = net.connect(usedPort, '127.0.0.1')
      const connected = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false)
      socket.destroy()
      if (connected) return
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error('Redis did not start')
  }
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    child?.kill('SIGCONT')
    child?.kill(signal)
    await exited
  }
  await start()
  const secure = tls && { tls: { ca: readFileSync(tls.ca), servername: 'localhost' } }
  const client = new Redis({ ...login, port: usedPort, host: '127.0.0.1', ...secure, maxRetriesPerRequest: 50, retryStrategy: () => 50, autoResendUnfulfilledCommands: true })
  client.on('error', () => { /* the test breaks the connection */ })
  t.teardown(async () => {
    client.disconnect()
    await kill()
    rmSync(dir, { recursive: true, force: true })
  })
  return { port: usedPort, url: `redis${tls ? 's' : ''}://127.0.0.1:${usedPort}`, client, get pid () { return child!.pid! }, kill, start }
}

/** Ports of a node of a cluster: for clients, and for the other nodes. */
interface ClusterPorts { readonly port: number, readonly busPort: number }

export interface ClusterSettings extends RedisSettings {
  /** Makes further arguments of one node from its ports. */
  readonly nodeArgs?: (ports: ClusterPorts) => string[] | Promise<string[]>
}

/** Starts a cluster of masters that share the slots evenly. */
export async function startCluster (t: Test, masters = 3, args: string[] = [], { nodeArgs, ...settings }: ClusterSettings = {}): Promise<{ servers: RedisServer[], url: string }> {
  const started = await Promise.all(Array.from({ length: masters }, async (_, n) => {
    // The default bus port, 10,000 above the port, may be in use or too high.
    const ports = { port: await freePort(), busPort: await freePort() }
    const own = ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${n}.conf`, '--cluster-node-timeout', '2000', '--cluster-port', String(ports.busPort)]
    const server = await startRedis(t, [...args, ...own, ...(settings.tls ? ['--tls-cluster', 'yes'] : []), ...(await nodeArgs?.(ports) ?? [])], { ...settings, port: ports.port })
    return { ...ports, server }
  }))
  const servers = started.map(({ server }) => server)
  const [first] = servers as [RedisServer, ...RedisServer[]]
  const bounds = Array.from({ length: masters + 1 }, (_, n) => Math.round(n * 16_384 / masters))
  await Promise.all(servers.map(({ client }, i) => client.call('CLUSTER', 'ADDSLOTSRANGE', bounds[i]!, bounds[i + 1]! - 1)))
  for (const { port, busPort } of started.slice(1)) await first.client.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
  const isComplete = async () => {
    const infos = await Promise.all(servers.map(({ client }) => client.call('CLUSTER', 'INFO')))
    return infos.every((info) => /cluster_state:ok/.test(String(info)) && String(info).includes(`cluster_known_nodes:${masters}\r`))
  }
  for (let i = 0; i < 400 && !await isComplete(); i++) await new Promise((resolve) => setTimeout(resolve, 50))
  return { servers, url: `redis${settings.tls ? 's' : ''}+cluster://127.0.0.1:${first.port}` }
}

/** Starts a master, a replica of it, and a Sentinel that watches them. */
export async function startSentinel (t: Test): Promise<{ master: RedisServer, replica: RedisServer, url: string }> {
  const master = await startRedis(t)
  const replica = await startRedis(t, ['--replicaof', '127.0.0.1', String(master.port)])
  for (let i = 0; i < 400 && !/master_link_status:up/.test(await replica.client.info('replication')); i++) await new Promise((resolve) => setTimeout(resolve, 25))
  const conf = join(mkdtempSync(join(tmpdir(), 'sentinel-')), 'sentinel.conf')
  writeFileSync(conf, `sentinel monitor payments 127.0.0.1 ${master.port} 1\nsentinel down-after-milliseconds payments 1000\nsentinel failover-timeout payments 5000\n`)
  const sentinel = await startRedis(t, [conf, '--sentinel'])
  for (let i = 0; i < 400 && !/slaves=1/.test(await sentinel.client.info('sentinel')); i++) await new Promise((resolve) => setTimeout(resolve, 50))
  return { master, replica, url: `redis+sentinel://127.0.0.1:${sentinel.port}/payments` }
}
