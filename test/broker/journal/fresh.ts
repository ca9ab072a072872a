// Folders and brokers of a journal for a test: a clock of its own, and a process that can end and start again.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { SYSTEM_DISK, type Disk } from '../../../src/broker/journal/disk.js'
import { openFolder, type Folder, type FolderOptions } from '../../../src/broker/journal/folder.js'
import type { JournalBroker } from '../../../src/broker/journal/journal-broker.js'
import { journalBroker, type RestoreOptions } from '../../../src/broker/journal/restore.js'
import { LATE_RESULTS, LOG_SIZE, RETENTION, STALL } from '../contract.js'

/** Folder that is deleted after the test. */
export function freshFolder (t: Pick<Test, 'teardown'>): string {
  const dir = mkdtempSync(join(tmpdir(), 'journal-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export interface Run {
  readonly broker: JournalBroker
  readonly folder: Folder
  /** Lets calls of the disk that are under way end without an answer, as those of a dead process do. */
  readonly silence: () => void
}

/** Options of a run that differ from those of the test's folder. */
export type RunOptions = Partial<FolderOptions & RestoreOptions>

/** Thrown instead of the end of the process. */
class ProcessEnded extends Error { override readonly name = 'ProcessEnded' }

/** A folder, and the processes that use it one after the other. */
export class Machine {
  /** Wall clock, ms since the epoch; the monotonic clock starts anew with each process. */
  time = 1_000_000
  bootId = 'boot-1'
  readonly #options: RunOptions
  #epochs = 0

  constructor (readonly dir: string, options: RunOptions = {}) { this.#options = options }

  /** Starts a process on the folder. */
  async start (more: RunOptions = {}): Promise<Run> {
    const begin = this.time
    const clocks = { now: () => this.time, monotonic: () => this.time - begin }
    let isOver = false
    const { disk = SYSTEM_DISK } = { ...this.#options, ...more }
    const silenced = { ...disk, fdatasync: ((fd: number, done: (error: Error | null) => void) => disk.fdatasync(fd, (error) => { if (!isOver) done(error) })) as Disk['fdatasync'] }
    const folder = await openFolder({
      dir: this.dir,
      sync: 'second',
      bootId: this.bootId,
      ballastBytes: 4_096,
      wait: 0,
      onFatal: (error) => { throw new ProcessEnded(String(error), { cause: error }) },
      ...clocks,
      ...this.#options,
      ...more,
      disk: silenced
    })
    const broker = journalBroker(folder, {
      logSize: LOG_SIZE, retention: RETENTION, lateResults: LATE_RESULTS, stall: STALL, newEpoch: () => `epoch${++this.#epochs}`, isHeld: () => false, ...clocks, ...this.#options, ...more
    })
    return { broker, folder, silence: () => { isOver = true } }
  }
}

/** Ends a process without any of its own work: only what the kernel does for it. */
export function crash ({ folder, silence }: Run): void {
  silence()
  folder.release()
  folder.segments.close()
}
