// The React example: it compiles against the client's types, and does what its README says, with stand-ins for React's hooks.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import t from 'tap'
import type { RoomEvent } from '../../src/client/index.js'
import { ROOT } from '../../src/root.js'
import { plainNode } from '../plain-node.js'
import { FakeServer, FakeStorage } from './fake-server.js'
import type { mount as Mount } from './react/react.js'

const folder = join(ROOT, 'test/client/react')

/** The example with its imports resolved: React's hooks to ours, the client to its sources. */
async function example (): Promise<{ useRoom: (options: object, onEvent?: (event: RoomEvent) => void) => any, mount: typeof Mount }> {
  const { outputFiles } = await build({
    stdin: { contents: 'export { useRoom } from "./examples/react/useRoom.tsx"; export { mount } from "react"', resolveDir: ROOT },
    alias: { react: join(folder, 'react.ts'), 'ws-payment-server/client': join(ROOT, 'src/client/index.ts') },
    bundle: true,
    format: 'esm',
    write: false
  })
  return await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]!.text)}`)
}

const optionsOf = (server: FakeServer, more: object = {}) => ({
  url: 'ws://fake/', roomId: 'room 1', role: 'device1', deviceId: 'd1', storage: null, WebSocket: server.WebSocket, fetch: server.fetch, setTimeout: server.clock.setTimeout, clearTimeout: server.clock.clearTimeout, ...more
})

t.test('the example fits the client\'s types', async (t) => {
  const { status, stdout } = spawnSync(...plainNode(createRequire(import.meta.url).resolve('typescript/bin/tsc'), '-p', folder), { encoding: 'utf8' })
  t.equal(stdout, '')
  t.equal(status, 0)
})

t.test('a component sees the status and the state, hears events, and tells its own', async (t) => {
  const { useRoom, mount } = await example()
  const server = new FakeServer()
  const heard: string[] = []
  const component = (name: string) => useRoom(optionsOf(server), ({ type }) => { heard.push(`${name}: ${type}`) })
  const { result, render, unmount } = mount(component, 'first')
  t.match(result(), { status: 'connecting', state: undefined })
  await server.clock.advance(10)
  t.match(result(), { status: 'online', state: { step: null, status: 'pending' } })
  server.publish('ENTERED_SUMMARY')
  t.equal(result().state.step, 'ENTERED_SUMMARY')
  const { publish } = result()
  render('second')
  server.publish('CLICKED_PROCEED')
  t.equal(result().publish, publish, 'it stays the same function')
  t.strictSame(heard, ['first: ENTERED_SUMMARY', 'second: CLICKED_PROCEED'])
  const receipt = publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 3 })
  t.equal(result().state.step, 'CLICKED_PAY')
  t.equal(server.sockets.all.length, 1, 'rendering again joins nothing again')
  unmount()
  t.equal(server.sent('LEAVE_ROOM').length, 1)
})

t.test('another room is another client, and the old one is left', async (t) => {
  const { useRoom, mount } = await example()
  const server = new FakeServer()
  const { result, render } = mount((roomId: string) => useRoom(optionsOf(server, { roomId })), 'room 1')
  await server.clock.advance(10)
  server.publish('CLICKED_PAY')
  render('room 2')
  t.match(result(), { status: 'connecting', state: undefined })
  await server.clock.advance(10)
  t.equal(result().status, 'online')
  t.strictSame(server.sent('JOIN_ROOM').map(({ payload }) => payload.roomId), ['room 1', 'room 2'])
  t.strictSame(server.sent('LEAVE_ROOM').map(({ payload }) => payload.roomId), ['room 1'])
})

t.test('StrictMode, which joins twice, makes one device of it and loses nothing', async (t) => {
  const { useRoom, mount } = await example()
  const server = new FakeServer()
  const storage = new FakeStorage()
  const { result } = mount(() => useRoom(optionsOf(server, { storage, deviceId: undefined })), undefined, { strict: true })
  const receipt = result().publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 1 })
  t.equal(server.sockets.all.length, 2)
  t.equal(server.sent('JOIN_ROOM').length, 1, 'the first was left before it was open')
  t.equal(result().status, 'online')
  t.equal(server.log.length, 1)
})
