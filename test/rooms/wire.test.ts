// One write for all that a turn has for a socket.
import { Writable } from 'node:stream'
import t from 'tap'
import { beginTurn, endTurn, hold } from '../../src/rooms/wire.js'

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

t.test('what is held back within a turn is written as it ends, and what was held back before it', async (t) => {
  const written: string[] = []
  const sink = () => new Writable({ writev: (chunks, done) => { written.push(chunks.map(({ chunk }) => String(chunk)).join('')); done() } })
  const [before, within] = [sink(), sink()]
  hold(before as never)
  before.write('before')
  beginTurn()
  hold(within as never)
  within.write('one ')
  hold(within as never)
  within.write('two')
  t.strictSame(written, [])
  endTurn()
  t.strictSame(written, ['before', 'one two'])
  t.equal(within.writableCorked, 0)

  beginTurn()
  endTurn()
  hold(within as never)
  within.write('later')
  t.equal(written.length, 2)
  await new Promise((resolve) => process.nextTick(resolve))
  t.strictSame(written.slice(2), ['later'], 'outside of one, it is the tick that ends')
})
