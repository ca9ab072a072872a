// Comma-separated lists of settings and options.
import t from 'tap'
import { entriesOf, filledEntriesOf } from '../src/comma-list.js'

t.test('a list is split at commas, without the space around its entries', async (t) => {
  t.strictSame(entriesOf('a'), ['a'])
  t.strictSame(entriesOf(' a b ,c\t'), ['a b', 'c'])
  t.strictSame(filledEntriesOf(' a b ,c\t'), ['a b', 'c'])
})

t.test('an empty entry is kept for a reader that refuses it, and dropped for one that skips it', async (t) => {
  t.strictSame(entriesOf('a,, b,'), ['a', '', 'b', ''])
  t.strictSame(filledEntriesOf('a,, b,'), ['a', 'b'])
  t.strictSame(entriesOf(''), [''])
  t.strictSame(filledEntriesOf(' , '), [])
})
