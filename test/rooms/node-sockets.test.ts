// What is known of sockets from the inside is left alone where it is not as expected.
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import t from 'tap'
import { findStreamWrap, isKnown, isTried, streamWrap } from '../../src/rooms/node-sockets.js'

t.test('this version of Node.js is one of those that were tried, and others are not', async (t) => {
  t.ok(isTried(process.versions.node))
  for (const version of ['120.0.0', '2.0.0', '19.9.0', '']) t.notOk(isTried(version), version)
  t.ok(streamWrap)
})

t.test('a socket of another kind is not known', async (t) => {
  const socket = new Socket()
  t.ok(isKnown(socket))
  t.notOk(isKnown(socket, false))
  t.notOk(isKnown(new TLSSocket(socket)))
})

t.test('a part of Node.js that is missing, refused or another one is none', async (t) => {
  t.equal(findStreamWrap({ binding: () => { throw new Error('No such binding') } }), undefined)
  t.equal(findStreamWrap({} as unknown as Parameters<typeof findStreamWrap>[0]), undefined)
  t.ok(findStreamWrap({ binding: () => streamWrap! }))
  for (const lacking of Object.keys(streamWrap!)) t.equal(findStreamWrap({ binding: () => ({ ...streamWrap!, [lacking]: undefined }) }), undefined, `without ${lacking}`)
})
