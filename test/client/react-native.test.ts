// The client where there is no page: with the globals of React Native alone, and with what the example passes to it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import vm from 'node:vm'
import t from 'tap'
import type { connect as Connect, ConnectOptions } from '../../src/client/index.js'
import { ROOT } from '../../src/root.js'
import { FakeServer, types } from './fake-server.js'

type ReactNative = (modules: object) => Partial<ConnectOptions>
const { reactNative } = await import(join(ROOT, 'examples/react-native/environment.js')) as { reactNative: ReactNative }

/** `AppState` of react-native. */
class AppState {
  currentState = 'active'
  readonly listeners = new Set<(state: string) => void>()
  addEventListener (type: string, listener: (state: string) => void) {
    if (type !== 'change') throw new Error(`no event ${type}`)
    this.listeners.add(listener)
    return { remove: () => this.listeners.delete(listener) }
  }

  become (state: string): void {
    this.currentState = state
    for (const listener of this.listeners) listener(state)
  }
}

/** Instance of react-native-mmkv. */
class Store {
  readonly #items = new Map<string, string>()
  get size (): number { return this.#items.size }
  getString (key: string): string | undefined { return this.#items.get(key) }
  set (key: string, value: string): void { this.#items.set(key, value) }
  delete (key: string): void { this.#items.delete(key) }
}

/** Starts an app with the classic build of the package, in an engine that has no more than React Native. */
function start (server: FakeServer, appState: AppState, store: Store) {
  const { setTimeout, clearTimeout } = server.clock
  const { WebSocket, fetch } = server
  const context = vm.createContext({ WebSocket, fetch, setTimeout, clearTimeout, URL, URLSearchParams, AbortController, TextEncoder, queueMicrotask })
  vm.runInContext(readFileSync(join(ROOT, 'packages/client/dist/client.global.js'), 'utf8'), context)
  const connect = vm.runInContext('WsPaymentClient.connect', context) as typeof Connect
  let ids = 0
  const randomUUID = () => `${store.size}-${server.log.length}-${ids++}`
  return connect({ url: 'wss://fake', roomId: 'room 1', role: 'device2', ...reactNative({ appState, store, randomUUID }) })
}

t.test('An app pays, goes to the background and comes back', async (t) => {
  const server = new FakeServer()
  const appState = new AppState()
  const store = new Store()
  const room = start(server, appState, store)
  const receipt = room.publish('CLICKED_PROCEED')
  await server.clock.advance(10)
  t.match(await receipt, { seq: 1 })
  server.sockets.mute = true
  void room.publish('CLICKED_PAY')
  appState.become('background')
  await server.clock.advance(10)
  t.strictSame(types(server), ['CLICKED_PROCEED', 'CLICKED_PAY'], 'the event went by a request')
  appState.become('active')
  await server.clock.advance(5000)
  t.equal(room.status, 'offline', 'the socket was probed, and is dead')
  server.sockets.mute = false
  await server.clock.advance(2000)
  t.equal(room.status, 'online')
  room.close()
  t.equal(appState.listeners.size, 0)
  await server.clock.advance(10)
  t.equal(store.size, 0)
})

t.test('An app that was ended goes on as the same device, with its pending events', async (t) => {
  const server = new FakeServer()
  const store = new Store()
  server.sockets.accept = 'hang'
  const before = start(server, new AppState(), store)
  void before.publish('CLICKED_PAY')
  await server.clock.advance(10)
  t.strictSame(types(server), [])
  server.sockets.accept = 'open'
  const after = start(server, new AppState(), store)
  await server.clock.advance(10)
  t.equal(after.deviceId, before.deviceId)
  t.strictSame(types(server), ['CLICKED_PAY'])
})
