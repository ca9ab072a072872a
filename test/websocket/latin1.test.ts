// Latin-1 text and bytes, by the undocumented methods of Buffer and, if Node.js lacks them, by the documented ones.
import t from 'tap'
import { asciiText, latin1Of, writeAscii } from '../../src/websocket/latin1.js'

const TEXTS = ['', 'a', '{"type":"CLICKED_PAY"}', 'x'.repeat(1000), `${'left '.repeat(20)}${'right '.repeat(20)}`, 'cut out of a text'.slice(4, 11)]

t.test('text is written as bytes at an offset, and read back as the same text', async (t) => {
  for (const text of TEXTS) {
    const memory = Buffer.alloc(text.length + 6, 0xff)
    t.equal(writeAscii(memory, text, 3), text.length)
    t.ok(memory.equals(Buffer.from(`\xff\xff\xff${text}\xff\xff\xff`, 'latin1')))
    t.equal(asciiText(memory, 3, 3 + text.length), text)
  }
})

t.test('without the undocumented methods the documented ones are used', async (t) => {
  const { latin1Write, latin1Slice } = latin1Of({})
  for (const text of TEXTS) {
    const memory = Buffer.alloc(text.length + 2)
    t.equal(latin1Write.call(memory, text, 1), text.length)
    t.ok(memory.equals(Buffer.from(`\0${text}\0`)))
    t.equal(latin1Slice.call(memory, 1, 1 + text.length), text)
  }
})
