// Self-test: it passes on this Node.js, and any internal that behaves in another way fails it, with a reason, within its limit.
import { Server } from 'node:net'
import t, { type Test } from 'tap'
import { ConnectionCount } from '../../../src/websocket/node/connection-count.js'
import { acceptorOf, internals, type Handle, type WriteRequest } from '../../../src/websocket/node/internals.js'
import { fastPathFault, selfTest } from '../../../src/websocket/node/self-test.js'
import { accepted } from '../accepted.js'

/** Replaces methods of an object until the test ends. */
function replace (t: Test, target: object, methods: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(methods)) {
    const before = Object.getOwnPropertyDescriptor(target, name)
    Object.defineProperty(target, name, { configurable: true, writable: true, value })
    t.teardown(() => {
      if (before) Object.defineProperty(target, name, before)
      else Reflect.deleteProperty(target, name)
    })
  }
}

/** Prepares each handle of an accepted connection before it is used. */
async function prepareHandles (t: Test, prepare: (handle: Handle) => void): Promise<void> {
  const { handle } = await accepted(t)
  const { useUserBuffer } = handle
  const prepared = new WeakSet<Handle>()
  // All TCP handles of the process inherit from one object.
  replace(t, Object.getPrototypeOf(handle) as object, {
    useUserBuffer (this: Handle, memory: Buffer) {
      // A net.Socket sets its buffer as well.
      if (!prepared.has(this)) prepare(this)
      prepared.add(this)
      return useUserBuffer.call(this, memory)
    }
  })
}

const openHandles = () => process.getActiveResourcesInfo().filter((name) => /^TCP/.test(name)).length

t.test('the self-test passes on this version of Node.js, once for all servers, and leaves nothing open', async (t) => {
  const before = openHandles()
  t.equal(await selfTest(), undefined, `Node.js ${process.versions.node}`)
  const first = fastPathFault()
  t.equal(await first, undefined)
  t.equal(fastPathFault(), first)
  await new Promise(setImmediate)
  t.ok(openHandles() <= before)
})

const FAILED = -104

/** Reason of a run that does not end. It names the stage, which depends on the speed of the machine too. */
const HANGS = /^no end after ./

const own = (handle: Handle, properties: PropertyDescriptorMap & ThisType<Handle>) => Object.defineProperties(handle, properties)

/** Differences in the handle of a connection, and their reasons. */
const HANDLES: ReadonlyArray<readonly [what: string, prepare: (handle: Handle) => void, reason: RegExp]> = [
  ['is never read', (handle) => own(handle, { readStart: { value: () => 0 } }), HANGS],
  ['cannot be read', (handle) => own(handle, { readStart: { value: () => FAILED } }), HANGS],
  ['does not call onread', (handle) => { handle.onread = () => {} }, HANGS],
  ['does not take a buffer', () => { throw new TypeError('not a buffer') }, /^not a buffer$/],
  ['finds no address', (handle) => own(handle, { getpeername: { value: () => FAILED } }), /^the address of a peer is not found$/],
  ['throws at the address', (handle) => own(handle, { getpeername: { value: () => { throw new Error('no address') } } }), /^no address$/],
  ['finds another address', (handle) => own(handle, {
    getpeername: {
      value: (peer: { address: string }) => {
        peer.address = '192.0.2.1'
        return 0
      }
    }
  }), /^the address of a peer is not found$/],
  ['refuses a write', (handle) => own(handle, { writeBuffer: { value: () => FAILED } }), /^a short write does not complete at once$/],
  ['takes a write and writes nothing', (handle) => own(handle, { writeBuffer: { value: () => 0 } }), /^no write is ever in flight$/],
  ['queues short writes', (handle) => own(handle, { writeBuffer: { value: (request: WriteRequest | null) => request ?? {} }, writeQueueSize: { value: 5 } }), /^a short write does not complete at once$/],
  ['does not report the end of a write', (handle) => {
    const { writeBuffer } = handle
    own(handle, {
      writeBuffer: {
        value: (request: WriteRequest | null, bytes: Uint8Array) => {
          const outcome = writeBuffer.call(handle, request, bytes)
          const pending = typeof outcome === 'object' ? outcome : request
          if (pending) Object.defineProperty(pending, 'oncomplete', { configurable: true, get: () => () => {}, set: () => {} })
          return outcome
        }
      }
    })
  }, HANGS],
  ['sends no FIN', (handle) => own(handle, { shutdown: { value: () => 0 } }), HANGS],
  ['does not close', (handle) => own(handle, { close: { value: () => {} } }), HANGS]
]

for (const [what, prepare, reason] of HANDLES) {
  t.test(`the self-test fails if a handle ${what}`, async (t) => {
    await prepareHandles(t, prepare)
    t.match(await selfTest(reason === HANGS ? 5 : undefined), reason)
  })
}

t.test('the self-test fails if a handle lacks a method', async (t) => {
  const { handle } = await accepted(t)
  replace(t, Object.getPrototypeOf(handle) as object, { getpeername: undefined })
  t.match(await selfTest(5), HANGS)
})

t.test('the self-test fails if the length of a read is wrong', async (t) => {
  const { readLength } = internals!
  for (const [what, wrong] of [['1 too long', () => readLength() + 1], ['always 0', () => 0], ['always the end', () => -4095]] as const) {
    await t.test(what, async (t) => {
      replace(t, internals!, { readLength: wrong })
      t.match(await selfTest(5), /./)
    })
  }
})

t.test('the self-test fails if connections are not counted', async (t) => {
  replace(t, ConnectionCount.prototype, { add: () => {}, remove: () => {}, subtract: () => {}, moveTo: () => {} })
  t.equal(await selfTest(), 'a claimed connection is not counted')
})

t.test('the self-test fails without a loopback interface', async (t) => {
  replace(t, Server.prototype, {
    listen (this: Server) {
      process.nextTick(() => this.emit('error', new Error('listen EADDRNOTAVAIL')))
      return this
    }
  })
  t.equal(await selfTest(), 'listen EADDRNOTAVAIL')
})

t.test('the self-test fails if a server accepts its connections in another way', async (t) => {
  const { listen } = Server.prototype
  replace(t, Server.prototype, {
    listen (this: Server, ...options: unknown[]) {
      this.prependListener('listening', () => { acceptorOf(this)!.onconnection = undefined })
      return Reflect.apply(listen, this, options)
    }
  })
  t.equal(await selfTest(), 'the connections of this server cannot be intercepted')
})
