// The journal of a fault test: events sent and frames received by publishers and watchers, as JSON lines in order of time.
import { createWriteStream, readFileSync, type WriteStream } from 'node:fs'

/** Position from which a watcher asks to resume. */
export interface Asked { readonly epoch?: string | undefined, readonly seq: number }

/** Lines of the journal. `at` is ms since the epoch, added on writing. */
export type Entry =
  /** Event sent by a publisher, for the first time or again. */
  | { what: 'sent', by: string, room: string, id: string, transactionId?: string }
  | { what: 'acked', by: string, room: string, id: string, epoch: string, seq: number, duplicate: boolean }
  /** Received ERROR: by a publisher about one event (`id`), by a watcher about its join. */
  | { what: 'refused', by: string, room: string, id?: string | undefined, code: string }
  /** Closed socket, unless the test closed it. */
  | { what: 'closed', by: string, room: string, code: number }
  | { what: 'joined', by: string, room: string, epoch: string, seq: number, asked: Asked, recovered: boolean, replayed: number, transactionId?: string | undefined }
  /** Received event. `inRoom` is the room in its payload; `digest` stands for all its bytes. */
  | { what: 'seen', by: string, room: string, epoch: string, seq: number, id: string, inRoom: string, digest: string, replayed: boolean }
  /** Watcher that had not received the whole log after everything had settled. */
  | { what: 'behind', by: string, room: string, epoch: string, seq: number, log: { epoch: string, seq: number } }
  /** Action of the test. */
  | { what: 'mark', name: string }

export type Line = Entry & { readonly at: number }

export class Journal {
  readonly #stream: WriteStream

  constructor (readonly path: string) { this.#stream = createWriteStream(path) }

  /** @returns the time of writing, ms since the epoch */
  write (entry: Entry): number {
    const at = Date.now()
    this.#stream.write(JSON.stringify({ at, ...entry }) + '\n')
    return at
  }

  mark (name: string): number { return this.write({ what: 'mark', name }) }

  /** @returns a promise that resolves once every line is in the file */
  async close (): Promise<void> { await new Promise<void>((resolve) => this.#stream.end(resolve)) }
}

export function readJournal (path: string): Line[] {
  return readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Line)
}
