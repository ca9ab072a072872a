// The React hook: it does what its README promises, with stand-ins for React's hooks.
import { join } from 'node:path'
import { build } from 'esbuild'
import t from 'tap'
import type { RoomEvent, Settled } from '../../src/client/index.js'
import { ROOT } from '../../src/root.js'
import { FakeServer, FakeStorage } from './fake-server.js'
import type { mount as Mount } from './react/react.js'

const folder = join(ROOT, 'test/client/react')

interface Handlers { onEvent?: (event: RoomEvent) => void, onSettled?: (settled: Settled) => void }

/** Bundles the hook with its imports resolved: React's hooks to the stand-ins, the client to its sources. */
async function hook (): Promise<{ usePaymentRoom: (options: object, handlers?: Handlers) => any, mount: typeof Mount }> {
  const { outputFiles } = await build({
    stdin: { contents: 'export { usePaymentRoom } from "./packages/client/src/react.ts"; export { mount } from "react"', resolveDir: ROOT },
    alias: { react: join(folder, 'react.ts'), 'ws-payment-client': join(ROOT, 'src/client/index.ts') },
    bundle: true,
    format: 'esm',
    write: false
  })
  return await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]!.text)}`)
}

const BACKEND = { source: 'api', verified: true }
const optionsOf = (server: FakeServer, more: object = {}) => ({
  url: 'ws://fake/', roomId: 'room 1', role: 'device1', deviceId: 'd1', storage: null, WebSocket: server.WebSocket, fetch: server.fetch, setTimeout: server.clock.setTimeout, clearTimeout: server.clock.clearTimeout, ...more
})

t.test('A component gets the status, the state and the events, and publishes its own', async (t) => {
  const { usePaymentRoom, mount } = await hook()
  const server = new FakeServer()
  const received: string[] = []
  const component = (name: string) => usePaymentRoom(optionsOf(server), { onEvent: ({ type }) => { received.push(`${name}: ${type}`) } })
  const { result, render, unmount } = mount(component, 'first')
  t.match(result(), { status: 'connecting', state: undefined })
  await server.clock.advance(10)
  t.match(result(), { status: 'online', state: { step: null, status: 'pending' } })
  server.publish('ENTERED_SUMMARY')
  t.equal(result().state.step, 'ENTERED_SUMMARY')
  const { publish } = result()
  render('second')
  server.publish('CLICKED_PROCEED')
  t.equal(result().publish, publish, 'publish stays the same function')
  t.strictSame(received, ['first: ENTERED_SUMMARY', 'second: CLICKED_PROCEED'])
  const receipt = publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 3 })
  t.equal(result().state.step, 'CLICKED_PAY')
  t.equal(server.sockets.all.length, 1, 'rendering again opens no second socket')
  unmount()
  t.equal(server.sent('LEAVE_ROOM').length, 1)
})

t.test('After a failure the payer can try again, and a result settles once, also over a reload', async (t) => {
  const { usePaymentRoom, mount } = await hook()
  const server = new FakeServer()
  const storage = new FakeStorage()
  const settled: unknown[] = []
  const component = () => usePaymentRoom(optionsOf(server, { storage, role: 'device2' }), { onSettled: ({ status, verified }) => { settled.push([status, verified]) } })
  const { result, unmount } = mount(component, undefined)
  await server.clock.advance(10)
  t.equal(result().canPay, true)
  void result().publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.equal(result().canPay, false, 'a result is awaited')
  server.publish('PAYMENT_ERROR', { error: 'declined' }, BACKEND)
  await server.clock.advance(10)
  t.match(result(), { canPay: true, state: { status: 'failed', attempt: 1 } })
  void result().publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(result(), { canPay: false, state: { status: 'pending', attempt: 2, lastError: { error: 'declined' } } })
  t.strictSame(settled, [], 'a failure settles nothing')
  server.publish('PAYMENT_SUCCESS', {}, BACKEND)
  await server.clock.advance(10)
  t.match(result(), { canPay: false, state: { status: 'succeeded' } })
  unmount()
  const reloaded = mount(component, undefined)
  await server.clock.advance(10)
  t.match(reloaded.result(), { status: 'online', canPay: false, state: { status: 'succeeded' } })
  t.strictSame(settled, [['succeeded', true]])
})

t.test('A result without a handler is kept for a later one', async (t) => {
  const { usePaymentRoom, mount } = await hook()
  const server = new FakeServer()
  const storage = new FakeStorage()
  const settled: string[] = []
  const first = mount(() => usePaymentRoom(optionsOf(server, { storage })), undefined)
  await server.clock.advance(10)
  server.publish('PAYMENT_SUCCESS', {}, BACKEND)
  await server.clock.advance(10)
  first.unmount()
  mount(() => usePaymentRoom(optionsOf(server, { storage }), { onSettled: ({ status }) => { settled.push(status) } }), undefined)
  await server.clock.advance(10)
  t.strictSame(settled, ['succeeded'])
})

t.test('Another room is another client, and the old client leaves', async (t) => {
  const { usePaymentRoom, mount } = await hook()
  const server = new FakeServer()
  const { result, render } = mount((roomId: string) => usePaymentRoom(optionsOf(server, { roomId })), 'room 1')
  await server.clock.advance(10)
  server.publish('CLICKED_PAY')
  render('room 2')
  t.match(result(), { status: 'connecting', state: undefined })
  await server.clock.advance(10)
  t.equal(result().status, 'online')
  t.strictSame(server.sent('JOIN_ROOM').map(({ payload }) => payload.roomId), ['room 1', 'room 2'])
  t.strictSame(server.sent('LEAVE_ROOM').map(({ payload }) => payload.roomId), ['room 1'])
})

t.test('StrictMode, which mounts twice, makes one device and loses no event', async (t) => {
  const { usePaymentRoom, mount } = await hook()
  const server = new FakeServer()
  const storage = new FakeStorage()
  const { result } = mount(() => usePaymentRoom(optionsOf(server, { storage, deviceId: undefined })), undefined, { strict: true })
  const receipt = result().publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 1 })
  t.equal(server.sockets.all.length, 2)
  t.equal(server.sent('JOIN_ROOM').length, 1, 'the first client closed before its socket was open')
  t.equal(result().status, 'online')
  t.equal(server.log.length, 1)
})
