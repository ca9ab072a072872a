// Tries the fast path in this process before a server relies on it: connections over the loopback interface, through the code that real ones take.
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { interceptConnections } from './intercept.js'
import { acceptorOf, handleOf, hasKnownHandle, internals, type Handle } from './internals.js'
import type { RawConnection } from './raw-connection.js'
import { HandleWriter, type WriteCallbacks } from './handle-writer.js'

/** Time limit, in steps. A process that is stalled for a second then loses one step, and not a third of its time. */
const STEP_MS = 100
const STEPS = 30

const HOST = '127.0.0.1'
const REQUEST = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
const BODY = 'by HTTP'
/** First bytes of a connection that is claimed. */
const CLAIM = 'claim'
const MORE = 'more'
const LAST = 'the last bytes'
/** Written until the kernel takes no more, at most CHUNKS times: 64 MiB. On Linux its buffers for one connection hold 10 MB by default. */
const CHUNK = 524_288
const CHUNKS = 128

let result: Promise<string | undefined> | undefined

/**
 * Result of {@link selfTest}, which runs once per process: it is a fact about this Node.js and this machine, the same for every server.
 * @returns the reason not to take the fast path; undefined if all is as expected
 */
export function fastPathFault (): Promise<string | undefined> { return (result ??= selfTest()) }

/** @param steps time limit, in units of 100 ms */
export async function selfTest (steps = STEPS): Promise<string | undefined> {
  if (!internals) return 'net.Socket does not use its handle as expected'
  const trial = new Trial()
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setInterval(() => { if (--steps <= 0) reject(new Error(`no end after ${trial.stage}`)) }, STEP_MS)
  })
  try {
    await Promise.race([trial.run(), trial.failed, timeout])
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    clearInterval(timer)
    trial.cleanUp()
  }
}

function check (isAsExpected: boolean, fault: string): asserts isAsExpected {
  if (!isAsExpected) throw new Error(fault)
}

/** A claimed connection, its events `data` (with the text) and `close`, and its peer. */
interface Claimed {
  readonly connection: RawConnection
  readonly events: EventEmitter
  readonly peer: Socket
}

/** One run of the self-test. */
class Trial {
  /** Last part that began, for the reason of a run that does not end. */
  stage = 'listening'
  #fail!: (error: unknown) => void
  /** Rejects with an error of a peer, or with one that is thrown in a callback of Node.js, where it would end the process. */
  readonly failed = new Promise<never>((_resolve, reject) => { this.#fail = reject })
  readonly #server = createServer((_request, response) => response.end(BODY))
  readonly #peers: Socket[] = []
  readonly #handles: Array<Partial<Handle> | undefined> = []
  /** Receives the next claimed connection. */
  #onClaim: (connection: RawConnection) => void = () => {}
  readonly #stop = interceptConnections(this.#server, {
    tryClaim: (connection, bytes) => {
      if (String(bytes) !== CLAIM) return false
      this.#onClaim(connection)
      return true
    },
    headSize: 0,
    onOff: (reason) => this.#fail(new Error(reason))
  })

  async run (): Promise<void> {
    this.#server.on('error', this.#fail).listen(0, HOST)
    await once(this.#server, 'listening')
    this.#guardCallbacks()
    await this.#tryRequests()
    const [bare, streamed] = [await this.#claim(), await this.#claim()]
    this.stage = 'the use of a stream'
    await tryStream(streamed)
    const closed = once(this.#server.close(), 'close')
    this.stage = 'writes without a stream'
    await tryWrites(bare)
    check(await this.#connections() === 1, 'a claimed connection is not counted')
    this.stage = 'the end of a connection'
    await tryEnd(bare)
    this.stage = 'the close of the server'
    await closed
  }

  cleanUp (): void {
    for (const peer of this.#peers) peer.destroy()
    this.#stop()
    this.#server.close()
    for (const handle of this.#handles) handle?.close?.(() => {})
  }

  #connections (): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_error, count) => resolve(count)))
  }

  /** Passes what is thrown while Node.js accepts a connection or reads its first bytes to {@link failed}. */
  #guardCallbacks (): void {
    const acceptor = acceptorOf(this.#server)!
    const { onconnection } = acceptor
    const guard = (call: () => void) => {
      try { call() } catch (error) { this.#fail(error) }
    }
    acceptor.onconnection = (error, handle) => guard(() => {
      this.#handles.push(handle)
      onconnection!.call(acceptor, error, handle)
      const { onread } = handle!
      handle!.onread = (chunk) => guard(() => onread!.call(handle as Handle, chunk))
    })
  }

  #dial (): Socket {
    const peer = connect((this.#server.address() as AddressInfo).port, HOST).setNoDelay().on('error', this.#fail)
    this.#peers.push(peer)
    return peer
  }

  /** Two requests on one connection: the first is read here and handed off, the second is read by Node's HTTP parser. */
  async #tryRequests (): Promise<void> {
    this.stage = 'a request'
    const peer = this.#dial()
    for (let n = 0; n < 2; n++) {
      peer.write(REQUEST)
      const answer = await textOf(peer, BODY)
      check(answer.startsWith('HTTP/1.1 200 '), 'a request that was handed to HTTP is not answered')
    }
    peer.destroy()
  }

  async #claim (): Promise<Claimed> {
    this.stage = 'the claim of a connection'
    const events = new EventEmitter()
    const claimed = new Promise<RawConnection>((resolve) => { this.#onClaim = resolve })
    const peer = this.#dial()
    peer.write(CLAIM)
    const connection = await claimed
    connection.listener = {
      onData: (memory, length) => { events.emit('data', memory.toString('latin1', 0, length)) },
      onClose: () => { events.emit('close') }
    }
    check(connection.address === peer.localAddress, 'the address of a peer is not found')
    return { connection, events, peer }
  }
}

/** Text from a peer until it ends with `end`. */
function textOf (peer: Socket, end: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const onData = (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (!text.endsWith(end)) return
      peer.off('data', onData)
      resolve(text)
    }
    peer.on('data', onData)
  })
}

/** Writes and reads on a connection that gets a net.Socket, and closes it. */
async function tryStream ({ connection, events, peer }: Claimed): Promise<void> {
  const { handle } = connection
  const stream = connection.openStream()!
  check(hasKnownHandle(stream) && handleOf(stream) === handle, 'a net.Socket does not keep its handle')
  const received = textOf(peer, LAST)
  stream.write(LAST)
  check(await received === LAST, 'a net.Socket on an accepted handle writes something else')
  await tryRead(events, peer)
  const closed = once(events, 'close')
  stream.end()
  await closed
}

async function tryRead (events: EventEmitter, peer: Socket): Promise<void> {
  const read = once(events, 'data')
  peer.write(MORE)
  check((await read)[0] === MORE, 'what is read is not what was sent')
}

/** A write that completes at once, then as many as the kernel takes, of which the last completes when the peer reads. */
async function tryWrites ({ connection, events, peer }: Claimed): Promise<void> {
  const handle = connection.handle!
  const handles = new HandleWriter()
  const callbacks: WriteCallbacks = { onWritten: () => {}, onFailed: () => {} }
  check(handles.write(handle, Buffer.from(MORE), callbacks) === 'written', 'a short write does not complete at once')
  const chunk = Buffer.alloc(CHUNK)
  let expected = MORE.length
  const written = new Promise<void>((resolve, reject) => {
    const once: WriteCallbacks = { onWritten: resolve, onFailed: () => reject(new Error('a write in flight fails')) }
    let outcome = 'written'
    for (let n = 0; n < CHUNKS && outcome === 'written'; n++, expected += CHUNK) outcome = handles.write(handle, chunk, once)
    check(outcome === 'pending', outcome === 'written' ? 'no write is ever in flight' : 'a long write is refused')
  })
  const received = new Promise<void>((resolve) => {
    const onData = ({ length }: Buffer) => {
      expected -= length
      if (expected > 0) return
      peer.off('data', onData)
      resolve()
    }
    peer.on('data', onData)
  })
  await Promise.all([written, received])
  check(expected === 0, 'a long write arrives with another length')
  await tryRead(events, peer)
}

/** The last bytes, FIN, and the end by the peer, which answers a FIN with its own. */
async function tryEnd ({ connection, events, peer }: Claimed): Promise<void> {
  const closed = once(events, 'close')
  const ended = once(peer, 'end')
  const received = textOf(peer, LAST)
  check(connection.writeAndClose(Buffer.from(LAST)), 'a connection does not end')
  await Promise.all([closed, ended, received])
  check(await received === LAST, 'the last bytes are others')
}
