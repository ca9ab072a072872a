// A process that makes no code from text (--disallow-code-generation-from-strings): it starts and serves all the same.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { ROOT } from '../../src/root.js'
import { Peer } from '../peer.js'
import { startProcess } from '../server-process.js'
import { until } from '../until.js'

const FLAGS = ['--disallow-code-generation-from-strings']
const TOKENS = { TOKEN_SECRET: 'x'.repeat(32), API_KEYS: 'k'.repeat(32) }

/** Starts the built server with the flag. @returns its URL for HTTP */
async function start (t: Test, env: Record<string, string> = {}): Promise<string> {
  const { child, output } = startProcess({ PORT: '0', ...env }, { cwd: t.testdir({}), flags: FLAGS })
  t.teardown(() => child.kill('SIGKILL'))
  const url = () => /API at (http:\/\/127\.0\.0\.1:\d+)/.exec(output())?.[1]
  await until(() => `the server listens; its output: ${output()}`, () => url() !== undefined)
  return url()!
}

t.test('the flag holds in such a process: text that the build has not seen becomes no code', async (t) => {
  const preload = `
    const { provideRouterFunctions } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'dist/src/http/router-functions.js')))})
    provideRouterFunctions()
    const outcomes = [() => new Function('return 1'), () => Function('a', 'return a'), () => (0, eval)('1'), () => (() => {}).constructor('')].map((make) => { try { make(); return 'made' } catch (error) { return error.name } })
    console.log(outcomes.join())
    process.exit()`
  const { output, exit } = startProcess({}, { preload, flags: FLAGS })
  await exit
  t.equal(output().trim(), 'EvalError,EvalError,EvalError,EvalError')
})

for (const FAST_PATH of ['auto', 'off']) {
  t.test(`devices join, report, err and catch up, with FAST_PATH=${FAST_PATH}`, async (t) => {
    const url = await start(t, { FAST_PATH })
    const [shop, payer] = [await Peer.connect(t, url.replace('http', 'ws')), await Peer.connect(t, url.replace('http', 'ws'))]
    shop.send('JOIN_ROOM', { roomId: 'room-1', deviceId: 'shop', role: 'device1' })
    await shop.next('ROOM_JOINED')
    payer.send('JOIN_ROOM', { roomId: 'room-1', deviceId: 'phone', role: 'device2' })
    await payer.next('ROOM_JOINED')
    payer.send('PAYMENT_SUCCESS', { roomId: 'room-1', deviceId: 'phone', amount: 12.5, currency: 'BRL' })
    t.match(await shop.next('PAYMENT_SUCCESS'), { payload: { amount: 12.5 } })
    payer.send('PAYMENT_SUCCESS', { roomId: 'room-1', deviceId: 'phone', amount: 'much' })
    t.match(await payer.next('ERROR'), { payload: { code: 'INVALID_FRAME', message: /payload\.amount/ } })
  })
}

t.test('REST validates requests, writes responses, and signs tokens', async (t) => {
  const url = await start(t, { ...TOKENS, DATA_DIR: t.testdir({}) })
  const post = (path: string, body: object) => fetch(url + path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKENS.API_KEYS}` } })
  const event = await post('/api/rooms/room-1/events', { type: 'CLICKED_PAY', payload: {} })
  t.ok(event.ok, await event.clone().text())
  t.equal((await post('/api/rooms/room-1/events', { type: 7 })).status, 400)
  const token = await post('/api/rooms/room-1/tokens', { role: 'device2' })
  t.equal(token.status, 201)
  const { data } = await token.json() as { data: { token: string } }
  const peer = await Peer.connect(t, url.replace('http', 'ws'))
  peer.send('JOIN_ROOM', { roomId: 'room-1', deviceId: 'phone', role: 'device2', token: data.token })
  await peer.next('ROOM_JOINED')
  for (const path of ['/api/rooms', '/api/rooms/room-1', '/api/rooms/room-1/state', '/api/rooms/room-1/events', '/api/server/status', '/api/funnel', '/metrics']) {
    t.equal((await fetch(url + path, { headers: { authorization: `Bearer ${TOKENS.API_KEYS}` } })).status, 200, path)
  }
})

t.test('the pages are served, whichever are on', async (t) => {
  const PAGES = { DOCS: ['/docs', '/docs/json', '/docs/static/swagger-ui.css', '/docs/asyncapi.json'], PLAYGROUND: ['/playground'], CONSOLE: ['/console'] }
  const all = Object.keys(PAGES) as Array<keyof typeof PAGES>
  for (const off of [[], all, ...all.map((name) => [name])]) {
    const url = await start(t, Object.fromEntries(all.map((name) => [name, String(!off.includes(name))])))
    for (const name of all) for (const path of PAGES[name]) t.equal((await fetch(url + path)).status, off.includes(name) ? 404 : 200, `${path} without ${off.join(' and ') || 'none'}`)
    // A process that has just started may still count as delayed on a busy machine.
    await until('the process is ready', async () => (await fetch(`${url}/ready`)).status === 200)
  }
})
