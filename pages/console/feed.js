// @ts-check
// The changes of all rooms as a stream, read with fetch: an EventSource cannot send an API key.
import { BASE, getKey } from './server.js'

/** @typedef {import('./client/index.js').PaymentState} PaymentState */
/** @typedef {{ type: string, timestamp: string, data: { roomId: string, reference?: string, epoch: string, seq: number, state: PaymentState } }} Change */
/** @typedef {{ onChange: (change: Change) => void, onGap: () => void, onStatus: (status: 'connecting' | 'online' | 'offline') => void }} FeedListener */

/** Longest silence of the server, which sends a comment every HEARTBEAT_SECONDS, ms. */
const MAX_SILENCE = 120_000
/** Pause before a new attempt, ms: the first one, and the longest. */
const FIRST_PAUSE = 2_000
const LONGEST_PAUSE = 30_000

export class Feed {
  #listener
  #position = ''
  #pause = FIRST_PAUSE
  #abort = new AbortController()

  /** @param {FeedListener} listener */
  constructor (listener) { this.#listener = listener }

  /** Reads until `stop`, and reconnects after every loss. */
  async start () {
    const stopped = this.#abort.signal
    while (!stopped.aborted) {
      this.#listener.onStatus('connecting')
      await this.#read().catch(() => { /* a new attempt follows */ })
      if (stopped.aborted) return
      this.#listener.onStatus('offline')
      await new Promise((resolve) => setTimeout(resolve, this.#pause))
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE)
    }
  }

  stop () { this.#abort.abort() }

  async #read () {
    const key = getKey()
    const silence = new AbortController()
    let timer = setTimeout(() => silence.abort(), MAX_SILENCE)
    try {
      const response = await fetch(`${BASE}api/events`, {
        headers: { accept: 'text/event-stream', ...(key && { authorization: `Bearer ${key}` }), ...(this.#position && { 'last-event-id': this.#position }) },
        cache: 'no-store',
        signal: AbortSignal.any([this.#abort.signal, silence.signal])
      })
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`)
      this.#listener.onStatus('online')
      this.#pause = FIRST_PAUSE
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      let rest = ''
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
        clearTimeout(timer)
        timer = setTimeout(() => silence.abort(), MAX_SILENCE)
        const blocks = (rest + chunk.value).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) this.#take(block)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Takes one message of the stream: the lines before an empty one. @param {string} block */
  #take (block) {
    const fields = new Map(block.split('\n').map((line) => /** @type {[string, string]} */ ([line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trimStart()])))
    this.#position = fields.get('id') ?? this.#position
    const event = fields.get('event')
    const data = fields.get('data')
    if (event === 'gap') this.#listener.onGap()
    else if (event === undefined && data !== undefined) this.#listener.onChange(JSON.parse(data))
  }
}
