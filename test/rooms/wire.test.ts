// One write for all that a turn has for a socket.
import { Writable } from 'node:stream'
import t from 'tap'
import { hold } from '../../src/rooms/wire.js'

t.test('a socket that is gone by the end of the turn holds up nobody', async (t) => {
  const written: string[] = []
  const sink = () => new Writable({ write: (chunk, _encoding, done) => { written.push(String(chunk)); done() } })
  const [gone, there] = [sink(), sink()]
  for (const socket of [gone, there]) {
    hold(socket as never)
    hold(socket as never)
    socket.write('x')
  }
  gone.on('error', () => {})
  gone.destroy(new Error('reset'))
  await new Promise((resolve) => process.nextTick(resolve))
  t.strictSame(written, ['x'])
})
