// Log of one room: numbered, bounded, without gaps, and exact about trimmed entries.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { EventLog } from '../../../src/broker/memory/event-log.js'
import { draftEvent, eventText, type EventDraft } from '../../../src/broker/event-draft.js'
import { encodeTextFrame, FrameWriter, payloadOf } from '../../../src/websocket/frame-writer.js'

const draft = (n: number, id?: string): EventDraft => draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r', n }, id }, { source: 'device', timestamp: 1000 + n, origin: 'client_1' })

function filled (size: number, events: number): EventLog {
  const log = new EventLog('e1', size, new FrameWriter())
  for (let n = 1; n <= events; n++) log.append(draft(n))
  return log
}

const seqs = (entries: ReadonlyArray<{ seq: number }>): number[] => entries.map(({ seq }) => seq)

t.test('a new log is empty and readable from the start', async (t) => {
  const log = new EventLog('e1', 3, new FrameWriter())
  t.equal(log.seq, 0)
  t.strictSame(log.readAfter({ seq: 0 }), { recovered: true, entries: [] })
  t.strictSame(log.readAfter({ epoch: 'e1', seq: 0 }), { recovered: true, entries: [] })
  t.strictSame(log.readAfter({ epoch: 'e1', seq: 1 }), { recovered: false, entries: [] })
  t.equal(log.find(draft(1, 'a')), undefined)
})

t.test('an appended event gets the next number, is encoded with it, and keeps its epoch and its origin', async (t) => {
  const log = new EventLog('e1', 3, new FrameWriter())
  for (const seq of [1, 2, 3, 4, 5]) {
    const event = draft(seq, `id ${seq}`)
    const entry = log.append(event)
    t.match(entry, { epoch: 'e1', seq, origin: 'client_1' })
    t.ok(encodeTextFrame(eventText(event, seq)).equals(entry.frame))
    t.equal(log.seq, seq)
  }
})

t.test('a log keeps as many entries as its size and drops the oldest first', async (t) => {
  for (const [size, events, remaining] of [[1, 1, [1]], [1, 5, [5]], [3, 3, [1, 2, 3]], [3, 4, [2, 3, 4]], [3, 9, [7, 8, 9]]] as const) {
    t.strictSame(seqs(filled(size, events).readAfter({ epoch: 'gone', seq: 0 }).entries), remaining, `${events} events in a log of ${size}`)
  }
})

t.test('a read after a position returns the later entries, or all entries with recovered: false', async (t) => {
  const log = filled(3, 5)
  for (const [epoch, seq, recovered, entries] of [
    ['e1', 5, true, []],
    ['e1', 4, true, [5]],
    ['e1', 3, true, [4, 5]],
    ['e1', 2, true, [3, 4, 5]],
    ['e1', 1, false, [3, 4, 5]],
    ['e1', 0, false, [3, 4, 5]],
    ['e1', 6, false, [3, 4, 5]],
    ['e1', 1e9, false, [3, 4, 5]],
    ['e1', -1, false, [3, 4, 5]],
    ['e0', 5, false, [3, 4, 5]],
    ['e0', 2, false, [3, 4, 5]],
    ['', 5, false, [3, 4, 5]],
    [undefined, 0, false, [3, 4, 5]],
    [undefined, 5, false, [3, 4, 5]]
  ] as const) {
    const read = log.readAfter({ epoch, seq })
    t.strictSame([read.recovered, seqs(read.entries)], [recovered, entries], `after ${epoch} ${seq}`)
  }
  t.match(filled(3, 3).readAfter({ seq: 0 }), { recovered: true, entries: { length: 3 } }, 'position 0 needs no epoch')
  t.match(filled(3, 3).readAfter({ epoch: 'e0', seq: 0 }), { recovered: false, entries: { length: 3 } }, 'position 0 of another epoch is not recovered')
})

t.test('an append does not change the result of an earlier read', async (t) => {
  const log = filled(2, 2)
  const [recovered, all] = [log.readAfter({ seq: 0 }), log.readAfter({ epoch: 'e0', seq: 0 })]
  log.append(draft(3))
  t.strictSame([seqs(recovered.entries), seqs(all.entries)], [[1, 2], [1, 2]])
})

t.test('a replay returns the bytes of the first delivery', async (t) => {
  const log = new EventLog('e1', 3, new FrameWriter())
  const first = log.append(draft(1, 'a'))
  t.strictSame(log.readAfter({ seq: 0 }).entries[0]!.frame, first.frame)
})

t.test('a key is remembered for exactly as long as its entry', async (t) => {
  const log = new EventLog('e1', 2, new FrameWriter())
  const event = draft(1, 'a')
  log.append(event, 3)
  t.strictSame(log.find(event), { known: { seq: 1, timestamp: 1001, receivers: 3 }, key: event.keys![0] })
  t.equal(log.find(draft(9, 'a')), 'conflict', 'the same id with another payload')
  t.equal(log.find(draft(1, 'b')), undefined)
  t.equal(log.find(draft(1)), undefined, 'an event without an id is always new')
  log.append(draft(2))
  t.match(log.find(event), { known: { seq: 1 } })
  log.append(draft(3))
  t.equal(log.find(event), undefined)
  log.append(event)
  t.match(log.find(event), { known: { seq: 4 } }, 'a forgotten key can be used again')
  for (const id of ['toString', '__proto__', 'constructor']) t.equal(log.find(draft(1, id)), undefined, id)
})

t.test('an event is found by each of its keys, the idempotency key first', async (t) => {
  const log = new EventLog('e1', 2, new FrameWriter())
  const keyed = (id: string, idempotencyKey: string, n = 1) => draftEvent({ type: 'CLICKED_PAY', payload: { roomId: 'r', n }, id }, { source: 'device', timestamp: 1, idempotencyKey })
  log.append(keyed('a', 'k'))
  t.match(log.find(keyed('a', 'k')), { known: { seq: 1 }, key: { kind: 'request' } })
  t.match(log.find(keyed('a', 'another')), { known: { seq: 1 }, key: { kind: 'event' } })
  t.equal(log.find(keyed('b', 'k')), 'conflict')
  t.equal(log.find(keyed('a', 'another', 2)), 'conflict')
  log.append(draft(2))
  log.append(draft(3))
  t.equal(log.find(keyed('a', 'k')), undefined, 'both keys are forgotten with the entry')
})

/** Reference model with the same contract, over a plain list of all events. */
class NaiveLog {
  readonly #all: Array<{ seq: number, n: number, draft: EventDraft }> = []
  constructor (readonly epoch: string, readonly size: number) {}

  get seq (): number { return this.#all.length }
  get #retained () { return this.#all.slice(-this.size) }

  append (n: number, draft: EventDraft): void { this.#all.push({ seq: this.seq + 1, n, draft }) }

  find (draft: EventDraft): object | string | undefined {
    const key = draft.keys![0]!
    const found = this.#retained.find((entry) => entry.draft.keys?.[0]!.name === key.name)
    if (!found) return undefined
    return found.draft.payload.n === draft.payload.n ? { known: { seq: found.seq, timestamp: found.draft.timestamp, receivers: 0 }, key } : 'conflict'
  }

  readAfter (epoch: string | undefined, seq: number): { recovered: boolean, entries: Array<[seq: number, n: number]> } {
    const isOurs = epoch === undefined ? seq === 0 : epoch === this.epoch
    const missed = this.#all.filter((entry) => entry.seq > seq)
    const recovered = isOurs && seq >= 0 && seq <= this.seq && missed.every((entry) => this.#retained.includes(entry))
    return { recovered, entries: (recovered ? missed : this.#retained).map(({ seq, n }) => [seq, n]) }
  }
}

t.test('the log behaves like a plain list for any sequence of appends', async (t) => {
  const ids = ['a', 'b', 'c', '__proto__']
  const seen = { trimmed: 0, duplicates: 0 }
  fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.option(fc.constantFrom(...ids), { nil: undefined }), { maxLength: 25 }), (size, appended) => {
    const [log, model] = [new EventLog('e1', size, new FrameWriter()), new NaiveLog('e1', size)]
    for (const [n, id] of [undefined, ...appended].entries()) {
      const event = draft(n, id)
      // Brokers do not append an event whose key is known.
      if (log.find(event)) seen.duplicates++
      else {
        log.append(event)
        model.append(n, event)
      }
      assert.equal(log.seq, model.seq)
      for (const id of ids) for (const number of [n, 0, 1]) assert.deepEqual(log.find(draft(number, id)), model.find(draft(number, id)), `find ${id}`)
      for (const epoch of ['e1', 'e0', undefined]) {
        for (let seq = -1; seq <= log.seq + 2; seq++) {
          const { recovered, entries } = log.readAfter({ epoch, seq })
          assert.deepEqual({ recovered, entries: entries.map(({ seq, frame }) => [seq, JSON.parse(payloadOf(frame).toString()).payload.n]) }, model.readAfter(epoch, seq), `after ${epoch} ${seq}`)
        }
      }
    }
    if (model.seq > size) seen.trimmed++
  }), { numRuns: 300 })
  t.ok(seen.trimmed > 50 && seen.duplicates > 50, `logs were trimmed (${seen.trimmed}), keys repeated (${seen.duplicates})`)
})
