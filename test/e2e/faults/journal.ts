// The journal of a fault test: what publishers and watchers sent, saw and were told, as JSON lines in the order in which it happened.
import { createWriteStream, readFileSync, type WriteStream } from 'node:fs'

/** Where a watcher asks to be taken up again. */
export interface Asked { readonly epoch?: string | undefined, readonly seq: number }

/** What can be written down. `at` is ms since the epoch, added on writing. */
export type Entry =
  /** A publisher sent an event, for the first time or again. */
  | { what: 'sent', by: string, room: string, id: string, transactionId?: string }
  | { what: 'acked', by: string, room: string, id: string, epoch: string, seq: number, duplicate: boolean }
  /** An ERROR: to a publisher about one event (`id`), to a watcher about its join. */
  | { what: 'refused', by: string, room: string, id?: string | undefined, code: string }
  /** The socket closed, other than by our own wish. */
  | { what: 'closed', by: string, room: string, code: number }
  | { what: 'joined', by: string, room: string, epoch: string, seq: number, asked: Asked, recovered: boolean, replayed: number, transactionId?: string | undefined }
  /** An event arrived. `inRoom` is what its payload says; `digest` stands for all its bytes. */
  | { what: 'seen', by: string, room: string, epoch: string, seq: number, id: string, inRoom: string, digest: string, replayed: boolean }
  /** After everything had settled a watcher had still not been told of all that is in the log. */
  | { what: 'behind', by: string, room: string, epoch: string, seq: number, log: { epoch: string, seq: number } }
  /** What the test did. */
  | { what: 'mark', name: string }

export type Line = Entry & { readonly at: number }

export class Journal {
  readonly #stream: WriteStream

  constructor (readonly path: string) { this.#stream = createWriteStream(path) }

  /** @returns when it was written, ms since the epoch */
  write (entry: Entry): number {
    const at = Date.now()
    this.#stream.write(JSON.stringify({ at, ...entry }) + '\n')
    return at
  }

  mark (name: string): number { return this.write({ what: 'mark', name }) }

  /** @returns when every line is in the file */
  async close (): Promise<void> { await new Promise<void>((resolve) => this.#stream.end(resolve)) }
}

export function readJournal (path: string): Line[] {
  return readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Line)
}
