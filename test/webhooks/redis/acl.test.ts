// Rights of deploy/redis/users.acl: sufficient for webhooks, and the part of them that only webhooks need reaches no other key.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../../src/root.js'
import { startCluster, startRedis, withoutRedis } from '../../redis.js'
import { queueContract } from '../contract.js'
import { startRedisQueue } from './queue.js'

const FOLDER = join(ROOT, 'deploy/redis')
const RULES = /^user wsp on #REDIS_PASSWORD (.*)$/m.exec(readFileSync(join(FOLDER, 'users.acl'), 'utf8'))![1]!.split(' ')
const PASSWORD = 'a password'
let count = 0

t.test('the contract with the users of docker-compose.yml', { skip: withoutRedis }, async (t) => {
  const { port, client } = await startRedis(t, [], { command: join(FOLDER, 'start.sh'), env: { ...process.env, REDIS_PASSWORD: PASSWORD }, username: 'wsp', password: PASSWORD })
  t.test('the contract', async (t) => queueContract(t, (t, clock) => startRedisQueue(t, `redis://wsp:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`, clock, { prefix: `wsp:${++count}` })))
  t.test('rights for webhooks reach no other key', async (t) => {
    await t.rejects(client.lrem('wsp:{room}:log', 1, 'x'), /NOPERM/)
    await t.rejects(client.lrem('others', 1, 'x'), /NOPERM/)
    await t.rejects(client.lrem('wsp:x', 1, 'x'), /NOPERM/)
    await t.rejects(client.scan(0, 'TYPE', 'list'), /NOPERM/)
  })
})

t.test('the contract on a cluster with these rights', { skip: withoutRedis }, async (t) => {
  const { servers, url } = await startCluster(t)
  await Promise.all(servers.map(({ client }) => client.acl('SETUSER', 'wsp', 'on', '>secret', ...RULES, '+cluster|slots', '+cluster|info')))
  queueContract(t, (t, clock) => startRedisQueue(t, url.replace('//', '//wsp:secret@'), clock, { prefix: `wsp:${++count}` }))
})
