// Bytes and text, by the methods that Node.js has besides the documented ones, and without those.
import t from 'tap'
import { asciiText, copyInto, latin1Of, writeAscii, writeUtf8 } from '../src/bytes.js'

const TEXTS = ['', 'a', '{"type":"CLICKED_PAY"}', 'x'.repeat(1000), `${'left '.repeat(20)}${'right '.repeat(20)}`, 'cut out of a text'.slice(4, 11)]

t.test('text becomes bytes at a place, and the same text again', async (t) => {
  for (const text of TEXTS) {
    const memory = Buffer.alloc(text.length + 6, 0xff)
    t.equal(writeAscii(memory, text, 3), text.length)
    t.ok(memory.equals(Buffer.from(`\xff\xff\xff${text}\xff\xff\xff`, 'latin1')))
    t.equal(asciiText(memory, 3, 3 + text.length), text)
  }
})

t.test('so does text that is not ASCII', async (t) => {
  for (const text of [...TEXTS, 'ã€😀"']) {
    const memory = Buffer.alloc(Buffer.byteLength(text) + 3)
    t.equal(writeUtf8(memory, text, 3), Buffer.byteLength(text))
    t.equal(memory.toString('utf8', 3), text)
  }
})

t.test('bytes are copied to a place', async (t) => {
  const memory = Buffer.alloc(5)
  copyInto(memory, Uint8Array.of(1, 2), 2)
  t.strictSame([...memory], [0, 0, 1, 2, 0])
})

t.test('a Node.js without methods for Latin-1 has the documented ones', async (t) => {
  const { latin1Write, latin1Slice } = latin1Of({})
  for (const text of TEXTS) {
    const memory = Buffer.alloc(text.length + 2)
    t.equal(latin1Write.call(memory, text, 1), text.length)
    t.ok(memory.equals(Buffer.from(`\0${text}\0`)))
    t.equal(latin1Slice.call(memory, 1, 1 + text.length), text)
  }
})
