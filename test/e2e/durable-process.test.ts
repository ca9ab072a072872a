// Process with a journal: its start, its refusals with their exit codes, and its end when the disk fails.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freshFolder } from '../broker/journal/fresh.js'
import { Peer } from '../peer.js'
import { startProcess, type ProcessOptions, type ServerProcess } from '../server-process.js'
import { until } from '../until.js'

function start (t: Test, dir: string, env: Record<string, string> = {}, options: ProcessOptions = {}): ServerProcess {
  const server = startProcess({ PORT: '0', NODE_ENV: 'production', DATA_DIR: dir, ...env }, { cwd: t.testdir({}), ...options })
  t.teardown(() => server.child.kill('SIGKILL'))
  return server
}

const urlIn = (output: string) => /ws:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]

async function started (t: Test, dir: string, env?: Record<string, string>, options?: ProcessOptions) {
  const server = start(t, dir, env, options)
  await until(() => `the server listens; its output: ${server.output()}`, () => urlIn(server.output()) !== undefined, 60_000)
  return { ...server, url: urlIn(server.output())! }
}

async function publish (t: Test, url: string) {
  const phone = await Peer.connect(t, url)
  const { payload: { epoch } } = await phone.join('r', 'phone')
  phone.send('CLICKED_PAY', { roomId: 'r' }, 'a')
  await phone.next('ACK')
  return { phone, epoch: epoch as string }
}

t.test('a deploy while the old process still stops: the new one waits for the folder, and clients recover', async (t) => {
  const dir = join(freshFolder(t), 'data')
  const first = await started(t, dir)
  const { phone, epoch } = await publish(t, first.url)
  const next = start(t, dir)
  first.child.kill('SIGTERM')
  t.equal(await phone.closed, 1012)
  t.equal(await first.exit, 0)
  await until(() => `the next one listens; its output: ${next.output()}`, () => urlIn(next.output()) !== undefined, 60_000)
  const back = await Peer.connect(t, urlIn(next.output())!)
  back.send('JOIN_ROOM', { roomId: 'r', deviceId: 'phone', recover: { epoch, seq: 1 } })
  t.match(await back.next('ROOM_JOINED'), { payload: { epoch, seq: 1, recovered: true, state: { step: 'CLICKED_PAY' } } })
})

t.test('a second process on the folder exits with 78 and a sentence, and the first one goes on', async (t) => {
  const dir = join(freshFolder(t), 'data')
  const first = await started(t, dir)
  const second = start(t, dir)
  t.equal(await second.exit, 78)
  t.match(second.errors(), /^journal: another process uses .*data\n$/)
  await publish(t, first.url)
})

t.test('a folder of a newer version, and one that is none, exit with 78', async (t) => {
  const dir = join(freshFolder(t), 'data')
  const first = await started(t, dir)
  first.child.kill('SIGTERM')
  await first.exit
  const path = join(dir, '000000000001.log')
  const bytes = readFileSync(path)
  bytes.writeUInt16LE(9, 4)
  writeFileSync(path, bytes)
  const newer = start(t, dir)
  t.equal(await newer.exit, 78)
  t.match(newer.errors(), /^journal: .*000000000001\.log has format 9 of a newer version; .* Start the newer version\n$/)
  const file = start(t, path)
  t.equal(await file.exit, 78)
  t.match(file.errors(), /^journal: DATA_DIR cannot be used: EEXIST/)
})

t.test('DATA_DIR beside REDIS_URL is a wrong setting', async (t) => {
  const { exit, errors } = start(t, 'data', { REDIS_URL: 'redis://127.0.0.1:1' })
  t.equal(await exit, 78)
  t.equal(errors(), 'settings: DATA_DIR cannot be combined with REDIS_URL: rooms are in one of the two\n')
})

t.test('a failed write ends the process with 74 before the event is acknowledged', async (t) => {
  // SIGWINCH, which the server ignores, breaks the disk.
  const preload = `
    import fs from 'node:fs'
    const { writeSync } = fs
    let isBroken = false
    process.on('SIGWINCH', () => { isBroken = true })
    fs.writeSync = (fd, bytes, ...rest) => {
      if (isBroken && bytes.length === 262_144) throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })
      return writeSync(fd, bytes, ...rest)
    }`
  const dir = join(freshFolder(t), 'data')
  const server = await started(t, dir, {}, { preload })
  const { phone } = await publish(t, server.url)
  const shop = await Peer.connect(t, server.url)
  await shop.join('r', 'shop')
  server.child.kill('SIGWINCH')
  await until('the disk is broken', async () => {
    if (server.child.exitCode !== null) return true
    phone.send('CLICKED_PROCEED', { roomId: 'r' }, `b${phone.frames.length}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    return server.child.exitCode !== null
  })
  t.equal(await server.exit, 74)
  t.match(server.output(), /"level":60.*"code":"EIO".*"journal cannot be written, stopping"/)
  await Promise.all([phone.closed, shop.closed])
  const told = [...phone.frames, ...shop.frames].flatMap(({ type, seq, payload }) => type === 'ACK' ? [payload.seq as number] : seq === undefined ? [] : [seq])
  const next = await started(t, dir)
  const reader = await Peer.connect(t, next.url)
  t.ok((await reader.join('r')).payload.seq >= Math.max(...told), 'nobody was told of an event that is not there')
})

t.test('a folder that its user may not write exits with 78', { skip: process.getuid?.() === 0 && 'root may write everywhere' }, async (t) => {
  const dir = freshFolder(t)
  chmodSync(dir, 0o500)
  t.teardown(() => chmodSync(dir, 0o700))
  const { exit, errors } = start(t, join(dir, 'data'))
  t.equal(await exit, 78)
  t.match(errors(), /^journal: DATA_DIR cannot be used: EACCES/)
})
