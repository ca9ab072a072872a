// The checker finds each kind of broken promise in a small journal made by hand.
import t from 'tap'
import { answersBetween } from './answers.js'
import { check } from './checker.js'
import type { Asked, Entry, Line } from './journal.js'

const room = 'r'
const sent = (id: string, inRoom = room): Entry => ({ what: 'sent', by: `phone ${inRoom}`, room: inRoom, id })
const acked = (id: string, seq: number, epoch = 'A'): Entry => ({ what: 'acked', by: `phone ${room}`, room, id, epoch, seq, duplicate: false })
const joined = (by: string, seq: number, asked: Asked = { seq: 0 }, { epoch = 'A', recovered = true, replayed = seq - asked.seq } = {}): Entry =>
  ({ what: 'joined', by, room, epoch, seq, asked, recovered, replayed })
const seen = (by: string, id: string, seq: number, { epoch = 'A', inRoom = room, digest = id, replayed = false } = {}): Entry =>
  ({ what: 'seen', by, room, epoch, seq, id, inRoom, digest, replayed })

const lines = (...entries: Entry[]): Line[] => entries.map((entry, at) => ({ at, ...entry }))
const violations = (...entries: Entry[]) => check(lines(...entries)).violations

t.test('A run without a fault has no violation, and its figures are right', async (t) => {
  t.strictSame(check(lines(
    joined('w', 0), sent('1'), seen('w', '1', 1), acked('1', 1), { what: 'closed', by: 'w', room, code: 1006 },
    sent('2'), { what: 'refused', by: 'phone r', room, id: '2', code: 'UNAVAILABLE' }, sent('2'), acked('2', 2),
    joined('w', 2, { epoch: 'A', seq: 1 }), seen('w', '2', 2, { replayed: true }), sent('3')
  )), {
    violations: [],
    figures: { published: 3, acknowledged: 2, delivered: 2, recovered: 1, declared: 0, lost: 0, forgotten: 0, unavailable: 1, closed: { 1006: 1 } }
  })
})

t.test('I1: an acknowledged event that a watcher never received is a violation', async (t) => {
  t.match(violations(joined('w', 0), sent('1'), acked('1', 1)), [/^I1: w never saw 1, acknowledged as 1 of r \(A\)/])
  t.match(violations(joined('w', 0), sent('1'), acked('1', 1), joined('w', 0, { epoch: 'A', seq: 0 })), [/^I1/], 'the last catch-up does not bring it either')
  t.match(violations(joined('w', 0), joined('v', 0), sent('1'), acked('1', 1), seen('v', '1', 1)), [/^I1: w/], 'another watcher received it')
})

t.test('I1: a declared loss is no violation, unless it was declared too early or for another log', async (t) => {
  const anew = joined('w', 0, { epoch: 'A', seq: 0 }, { epoch: 'B', recovered: false, replayed: 0 })
  const { violations: none, figures } = check(lines(joined('w', 0), sent('1'), acked('1', 1), anew))
  t.strictSame(none, [])
  t.match(figures, { declared: 1, lost: 1 })
  t.strictSame(violations(joined('w', 0), sent('1'), acked('1', 1), joined('w', 1, { epoch: 'A', seq: 0 }, { recovered: false, replayed: 0 })), [], 'trimmed')
  t.match(check(lines(joined('w', 0), sent('1'), acked('1', 1), seen('w', '1', 1), joined('late', 1, { seq: 0 }, { recovered: false, replayed: 0 }))), {
    violations: [], figures: { lost: 0, forgotten: 1 }
  }, 'a watcher that joins later has lost nothing')
  t.match(violations(joined('w', 0), anew, sent('1'), acked('1', 1)), [/^I1/], 'declared before the event was sent')
  t.match(violations(joined('w', 0), sent('1'), anew, acked('1', 1, 'B')), [/^I1/], 'lost in the new epoch')
  t.match(violations(joined('w', 0), sent('1'), acked('1', 1), joined('w', 0, { epoch: 'A', seq: 0 }, { recovered: false, replayed: 0 })), [/^I1/], 'the log does not reach the position')
})

t.test('I1: a result missing from the state is a violation', async (t) => {
  const result: Entry = { what: 'sent', by: 'phone r', room, id: '1', transactionId: 't1' }
  const withResult = { ...joined('w', 1, { epoch: 'A', seq: 1 }), transactionId: 't1' } as Entry
  t.strictSame(violations(joined('w', 0), result, seen('w', '1', 1), acked('1', 1), withResult), [])
  t.match(violations(joined('w', 0), result, seen('w', '1', 1), acked('1', 1), joined('w', 1, { epoch: 'A', seq: 1 })), [/^I1: the state of r lost its result 1/])
})

t.test('I2: two orders, a step back, and different bytes are violations', async (t) => {
  const both = [joined('v', 0), joined('w', 0), sent('1'), sent('2'), seen('v', '1', 1), seen('v', '2', 2)]
  t.match(violations(...both, seen('w', '2', 1), seen('w', '1', 2)), [/^I2: w: place 1/, /^I3: w: 2/, /^I2: w: place 2/, /^I3: w: 1/], 'swapped')
  t.match(violations(...both, seen('w', '1', 1), seen('w', '2', 2), seen('w', '2', 2)), [/^I2: w: 2 of r \(A\) came where 3 should/], 'repeated')
  t.match(violations(...both, seen('w', '1', 1), seen('w', '2', 2, { digest: 'other' })), [/^I2: w: 2 .* not the same for everyone/])
  t.match(violations(...both, acked('1', 2)), [/^I2: phone r: place 2/, /^I3/], 'the acknowledgement gave another position')
})

t.test('I3: one id at two positions is a violation', async (t) => {
  const twice = [joined('w', 0), sent('1'), seen('w', '1', 1), sent('1')]
  t.match(violations(...twice, seen('w', '1', 2)), [/^I3: w: 1 of r \(A\) is both 1 and 2/])
  t.match(violations(...twice, acked('1', 1), acked('1', 2)), [/^I3: phone r/])
  const anew = joined('w', 0, { epoch: 'A', seq: 1 }, { epoch: 'B', recovered: false, replayed: 0 })
  t.strictSame(violations(...twice, anew, seen('w', '1', 1, { epoch: 'B' }), acked('1', 1, 'B')), [], 'in another epoch the id may come again')
})

t.test('I4: silent gaps are violations', async (t) => {
  const start = [joined('w', 0), sent('1'), sent('2'), sent('3'), seen('w', '1', 1)]
  t.match(violations(...start, seen('w', '3', 3)), [/^I4: w: 2–2 of r \(A\) are missing before 3/], 'live')
  t.match(violations(...start, joined('w', 3, { epoch: 'A', seq: 1 }, { replayed: 1 })), [/^I4: w: recovered from 1 to 3 with 1 events/], 'an incomplete replay')
  t.match(violations(...start, joined('w', 3, { epoch: 'A', seq: 1 }), seen('w', '3', 3)), [/^I4: w: 2–2/], 'a hole in a replay')
  t.match(violations(...start, joined('w', 1, { epoch: 'A', seq: 1 }, { epoch: 'B' })), [/^I4: w: recovered from A into B/], 'another log')
  t.match(violations(...start, { what: 'behind', by: 'w', room, epoch: 'A', seq: 1, log: { epoch: 'A', seq: 2 } }), [/^I4: w stayed at 1/], 'a missed last event that no event follows')
})

t.test('I6: an event of another room, or of none, is a violation', async (t) => {
  t.match(violations(joined('w', 0), sent('1', 'q'), seen('w', '1', 1, { inRoom: 'q' })), [/^I6: w in r was sent 1 of q/])
  t.match(violations(joined('w', 0), sent('1', 'q'), seen('w', '1', 1)), [/^I6: w in r was sent 1, which nobody sent there/])
})

t.test('Answers and closes that no fault explains are violations', async (t) => {
  t.match(violations({ what: 'refused', by: 'phone r', room, id: '1', code: 'INTERNAL' }), [/^refused: phone r was told INTERNAL about 1/])
  t.match(violations({ what: 'closed', by: 'w', room, code: 1011 }), [/^closed: w was closed with 1011/])
})

t.test('Answers to publishers during a fault are counted and timed', async (t) => {
  const refused: Entry = { what: 'refused', by: 'phone r', room, id: '2', code: 'UNAVAILABLE' }
  const journal = lines(sent('1'), acked('1', 1), sent('2'), sent('3'), refused, sent('2'), acked('3', 2), acked('2', 3), sent('4'))
  t.strictSame(answersBetween(journal, 2, 5), { answered: 3, slowest: 2, acknowledged: 0, backAfter: 1 })
  t.strictSame(answersBetween(journal, 0, 3), { answered: 3, slowest: 1, acknowledged: 1, backAfter: 3 })
  t.equal(answersBetween(journal, 1, 3).acknowledged, 0, 'the event was sent before')
  t.strictSame(answersBetween(journal, 8, 20), { answered: 0, slowest: 12, acknowledged: 0, backAfter: Infinity }, 'the event was never answered')
  t.strictSame(answersBetween([...journal, { at: 9, what: 'closed', by: 'phone r', room, code: 1006 }], 8, 20).slowest, 0, 'the socket was closed')
})
