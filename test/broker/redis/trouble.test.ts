// Errors in words: a report names the cause, and no part of the command that failed.
import t from 'tap'
import { troubleOf } from '../../../src/broker/redis/trouble.js'

const of = (message: string, code?: string) => troubleOf(Object.assign(new Error(message), code === undefined ? {} : { code }))

t.test('the messages of Redis 7.0 to 8 for a missing right name the right', async (t) => {
  for (const [message, right] of [
    ['NOPERM this user has no permissions to run the \'ssubscribe\' command', 'SSUBSCRIBE'],
    ['NOPERM User wsp has no permissions to run the \'cluster|slots\' command', 'CLUSTER SLOTS'],
    ['ERR The user executing the script can\'t run this command or subcommand', 'HSET'],
    ['NOPERM No permissions to access a key', 'HSET'],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', 'HSET']
  ] as const) t.match(troubleOf(new Error(message), 'HSET'), { code: 'NOPERM', reason: `the ACL does not permit ${right}` })
})

t.test('the errors for refused writes name their cause', async (t) => {
  t.match(of('OOM command not allowed when used memory > \'maxmemory\'. script: 1f, on @user_script:1.'), { code: 'OOM', reason: 'it refuses writes: out of memory (maxmemory)' })
  t.match(of('NOREPLICAS Not enough good replicas to write.'), { code: 'NOREPLICAS', kind: 'refused' })
  t.match(of('MISCONF Errors writing to the AOF file: No space left on device'), { code: 'MISCONF', kind: 'refused' })
})

t.test('the errors of a connection name their cause, even inside the error of a cluster', async (t) => {
  t.match(of('getaddrinfo EAI_AGAIN redis', 'EAI_AGAIN'), { code: 'EAI_AGAIN', reason: 'its host name cannot be resolved' })
  t.match(of('Hostname/IP does not match certificate\'s altnames', 'ERR_TLS_CERT_ALTNAME_INVALID'), { reason: 'its TLS certificate names another host' })
  t.match(of('certificate has expired', 'CERT_HAS_EXPIRED'), { kind: 'unreachable' })
  t.match(of('unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'), { reason: 'its TLS certificate is not trusted' })
  t.match(troubleOf(Object.assign(new Error('Failed to refresh slots cache.'), { lastNodeError: new Error('WRONGPASS invalid username-password pair') })), { code: 'WRONGPASS' })
})

t.test('an unknown command reports that Redis 7.0 or newer is needed', async (t) => {
  t.match(of('ERR unknown command `evalsha`, with args beginning with: `secret`'), { code: 'UNKNOWN', reason: 'it does not support EVALSHA: Redis 7.0 or newer is required' })
  t.match(of('ERR unknown command \'ssubscribe\', with args beginning with: \'wsp:db0:{secret}\''), { reason: 'it does not support SSUBSCRIBE: Redis 7.0 or newer is required' })
})

t.test('other text of an error message is not reported', async (t) => {
  for (const error of [of('WRONGTYPE Operation against a key holding secret'), of('secret'), of('ERR value secret is not an integer'), 'secret', undefined, null]) {
    t.equal(troubleOf(error).kind, 'error')
    t.notMatch(JSON.stringify(troubleOf(error)), /secret/)
  }
})
