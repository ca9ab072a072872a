// Comma-separated lists of settings and options.
import t from 'tap'
import { entriesOf, filledEntriesOf } from '../src/comma-list.js'

t.test('a list is split at commas, and the white space around its entries is dropped', async (t) => {
  t.strictSame(entriesOf('a'), ['a'])
  t.strictSame(entriesOf(' a b ,c\t'), ['a b', 'c'])
  t.strictSame(filledEntriesOf(' a b ,c\t'), ['a b', 'c'])
})

t.test('entriesOf keeps empty entries, and filledEntriesOf drops them', async (t) => {
  t.strictSame(entriesOf('a,, b,'), ['a', '', 'b', ''])
  t.strictSame(filledEntriesOf('a,, b,'), ['a', 'b'])
  t.strictSame(entriesOf(''), [''])
  t.strictSame(filledEntriesOf(' , '), [])
})
