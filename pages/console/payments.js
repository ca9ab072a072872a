// @ts-check
// The live payments as this page knows them: read from the list of rooms lap by lap, and kept up to date by the changes between.

/** @typedef {import('./client/index.js').PaymentState} PaymentState */
/**
 * A payment of the list. `members` is unknown until the list was read.
 * @typedef {{ roomId: string, seq: number, status: PaymentState['status'], step: PaymentState['step'], stalled: boolean, verified?: boolean, amount?: number,
 *   currency?: string, reference?: string, members: number | undefined, updatedAt: number, createdAt: number, lap: number }} Payment
 */
/** @typedef {{ view: string, status: string, step: string, text: string }} Filter */

/** Payments that are kept: the newest ones. */
export const MAX_PAYMENTS = 10_000

/** Selections that an operator needs most, by their names. @type {Record<string, (payment: Payment) => boolean>} */
export const VIEWS = {
  all: () => true,
  paying: ({ status, step }) => status === 'pending' && step !== null,
  stalled: ({ stalled }) => stalled,
  unconfirmed: ({ verified }) => verified === false,
  failures: ({ status }) => status === 'failed',
  paid: ({ status }) => status === 'succeeded'
}

export class Payments {
  /** @type {Map<string, Payment>} */
  #byId = new Map()
  /** Rooms that were closed in this lap: a page that was read before must not bring them back. @type {Set<string>} */
  #closed = new Set()
  #lap = 0
  /** True if there are older payments than those that are kept. */
  isPartial = false

  get size () { return this.#byId.size }

  /** @param {string} roomId */
  get (roomId) { return this.#byId.get(roomId) }

  clear () {
    this.#byId.clear()
    this.#closed.clear()
  }

  /** Begins another reading of the whole list. */
  beginLap () {
    this.#lap++
    this.#closed.clear()
  }

  /** Takes a page of the list. @param {Omit<Payment, 'lap'>[]} rooms @returns {boolean} false if no more payments are kept */
  takePage (rooms) {
    for (const room of rooms) {
      const known = this.#byId.get(room.roomId)
      if (this.#closed.has(room.roomId)) continue
      if (!known && this.#byId.size >= MAX_PAYMENTS) return false
      // The change of a later event was faster than this page.
      const isOld = known !== undefined && known.createdAt >= room.createdAt && known.seq > room.seq
      this.#byId.set(room.roomId, { ...(isOld ? known : room), members: room.members, lap: this.#lap })
    }
    return true
  }

  /** Ends the reading: payments that it did not meet have ended. @param {boolean} isPartial */
  endLap (isPartial) {
    this.isPartial = isPartial
    for (const [roomId, { lap }] of this.#byId) if (lap !== this.#lap) this.#byId.delete(roomId)
  }

  /** @param {import('./feed.js').Change} change */
  apply ({ type, timestamp, data: { roomId, reference, seq, state } }) {
    const known = this.#byId.get(roomId)
    if (type === 'room.closed') {
      this.#byId.delete(roomId)
      this.#closed.add(roomId)
      return
    }
    if (type === 'room.created') this.#closed.delete(roomId)
    else if (known && known.seq > seq) return
    const { status, step, outcome, expected, currency, updatedAt } = state
    this.#byId.set(roomId, {
      ...{ roomId, seq, status, step, stalled: type === 'payment.stalled', members: undefined, updatedAt, lap: this.#lap, createdAt: Date.parse(timestamp) },
      ...(known && type !== 'room.created' && { createdAt: known.createdAt, members: known.members }),
      ...(outcome && { verified: outcome.verified }),
      ...(expected !== undefined && { amount: expected }),
      ...(currency !== undefined && { currency }),
      ...(reference !== undefined && { reference })
    })
    if (this.#byId.size > MAX_PAYMENTS) this.#dropOldest()
  }

  /** Number of payments in each view. @returns {Record<string, number>} */
  counts () {
    const counts = Object.fromEntries(Object.keys(VIEWS).map((name) => [name, 0]))
    for (const payment of this.#byId.values()) for (const [name, matches] of Object.entries(VIEWS)) if (matches(payment)) counts[name] = (counts[name] ?? 0) + 1
    return counts
  }

  /** Payments that pass a filter, the newest first. @param {Filter} filter */
  select ({ view, status, step, text }) {
    const matches = VIEWS[view] ?? VIEWS.all
    const sought = text.trim().toLowerCase()
    const found = []
    for (const payment of this.#byId.values()) {
      const { roomId, reference = '' } = payment
      if (!matches?.(payment) || (status && payment.status !== status) || (step && payment.step !== step)) continue
      if (sought === '' || roomId.toLowerCase().includes(sought) || reference.toLowerCase().includes(sought)) found.push(payment)
    }
    return found.sort((a, b) => b.createdAt - a.createdAt || (a.roomId < b.roomId ? 1 : -1))
  }

  #dropOldest () {
    let oldest
    for (const payment of this.#byId.values()) if (!oldest || payment.createdAt < oldest.createdAt) oldest = payment
    if (oldest) this.#byId.delete(oldest.roomId)
    this.isPartial = true
  }
}
