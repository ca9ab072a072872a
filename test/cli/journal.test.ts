// The commands backup and inspect: on the folder of a running server, and of one that has stopped.
import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { draftEvent } from '../../src/broker/event-draft.js'
import { STALL } from '../broker/contract.js'
import { crash, freshFolder, Machine, type Run } from '../broker/journal/fresh.js'
import { cli } from './terminal.js'

/** A folder in which each kind of record is. */
async function written (machine: Machine): Promise<Run> {
  const options = { segmentBytes: 1_000, minBytes: 1_500 }
  const run = await machine.start(options)
  const { broker } = run
  await broker.createRoom('r', { ttl: 3_600_000, amount: 5, currency: 'BRL', reference: 'order 1' })
  await broker.publish('r', draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r' }, id: 'a' }, { source: 'device', timestamp: 1_000_000 }), false)
  await broker.publish('r', draftEvent({ type: 'PAYMENT_REFUNDED', payload: { roomId: 'r' } }, { source: 'api', verified: true, timestamp: 1_000_001, idempotencyKey: 'k' }), false)
  await broker.publish('other', draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'other' } }, { source: 'device', timestamp: 1_000_002 }), true)
  machine.time += 1
  await broker.tick()
  machine.time += STALL
  await broker.tick()
  await broker.closeRoom('other')
  return run
}

t.test('inspect prints the records of one room, for people and for programs', async (t) => {
  const machine = new Machine(freshFolder(t))
  const run = await written(machine)
  const { exit, stdout } = cli(t, ['inspect', '--room', 'r', '--data', machine.dir], { isTTY: true, env: { NO_COLOR: '1' } })
  t.equal(await exit, 0)
  const lines = stdout().trim().split('\n')
  t.match(lines, [
    /^room {4}r opened at 1970-01-01T00:16:40.000Z, epoch epoch1, deadline 1970-01-01T01:16:40.000Z \{"amount":5,"currency":"BRL","reference":"order 1"\}$/,
    /^name {4}r is also order 1$/,
    /^event {3}r #1 1970-01-01T00:16:40.000Z CLICKED_PAY from device, to 0, id a \{"roomId":"r"\}$/,
    /^event {3}r #2 1970-01-01T00:16:40.001Z PAYMENT_REFUNDED from api, verified, to 0, key k \{"roomId":"r"\}$/
  ])
  const facts = cli(t, ['inspect'], { env: { DATA_DIR: machine.dir } })
  t.equal(await facts.exit, 0)
  t.match(facts.facts().filter(({ roomId }) => roomId === 'other'), [
    { kind: 'room' }, { kind: 'event', receivers: 0, verified: false, event: { type: 'CLICKED_PAY', seq: 1 } }, { kind: 'stall' }, { kind: 'end', rememberedUntil: Number }
  ])
  crash(run)
})

t.test('inspect prints rooms that were written anew, new epochs, and a tail that is not whole', async (t) => {
  const machine = new Machine(freshFolder(t))
  const run = await written(machine)
  for (let n = 0; run.folder.segments.oldest === 1; n++) {
    await run.broker.publish(`x${n}`, draftEvent({ type: 'CLICKED_PAY', payload: { roomId: `x${n}` } }, { source: 'device', timestamp: 1_000_000 }), true)
    machine.time += 60_000
    await run.broker.tick()
    await new Promise<void>((resolve) => { run.folder.journal.whenSynced(resolve) })
  }
  crash(run)
  machine.bootId = 'boot-2'
  const second = await machine.start()
  appendFileSync(join(machine.dir, `00000000000${second.folder.segments.number}.log`), Buffer.from([1, 2, 3]))
  const { exit, stdout } = cli(t, ['inspect', '--room', 'r'], { isTTY: true, env: { NO_COLOR: '1', DATA_DIR: machine.dir } })
  t.equal(await exit, 0)
  t.match(stdout(), /^state {3}r written anew, epoch epoch1, state \{.*"expected":5.*\n(?:.*\n)*event {3}r #1 .*CLICKED_PAY from device, to 0, id a /m)
  t.match(stdout(), /^epochs {2}all rooms so far have new epochs: [\w-]{12}-…\ntail {4}.*from byte \d+: 3 bytes of no whole record$/m)
  const all = cli(t, ['inspect'], { isTTY: true, env: { NO_COLOR: '1', DATA_DIR: machine.dir } })
  await all.exit
  t.match(all.stdout(), /^end {5}x1 ended$/m)
  crash(second)
})

t.test('backup copies the journal of a running server', async (t) => {
  const machine = new Machine(freshFolder(t))
  const run = await written(machine)
  const to = join(machine.dir, 'copy')
  const { exit, facts } = cli(t, ['backup', to, '--data', machine.dir])
  t.equal(await exit, 0)
  t.match(facts(), [{ kind: 'backup', from: machine.dir, to, segments: Number, bytes: Number }])
  t.ok(existsSync(join(to, '000000000001.log')))
  const again = cli(t, ['backup', to], { env: { DATA_DIR: machine.dir } })
  t.equal(await again.exit, 1)
  t.equal(again.stderr(), `ws-payment-server: ${to} is not empty\n`)
  crash(run)
})

t.test('a folder that is missing, empty or not named', async (t) => {
  const dir = freshFolder(t)
  mkdirSync(join(dir, 'empty'))
  const cases: Array<[string[], number, RegExp]> = [
    [['inspect'], 64, /inspect requires DATA_DIR in the environment, or --data/],
    [['backup', join(dir, 'to')], 64, /backup requires DATA_DIR in the environment, or --data/],
    [['inspect', '--data', join(dir, 'empty')], 1, /has no journal/],
    [['inspect', '--data', join(dir, 'missing')], 1, /ENOENT/],
    [['backup', join(dir, 'to'), '--data', join(dir, 'missing')], 1, /ENOENT/]
  ]
  for (const [args, code, message] of cases) {
    const { exit, stderr } = cli(t, args)
    t.equal(await exit, code, args.join(' '))
    t.match(stderr(), message)
  }
})
