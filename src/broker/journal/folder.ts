// Opens the folder of a journal: takes it for this process, reads what is there, and proves that nothing acknowledged is missing, or gives all rooms new epochs.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Clocks } from '../../clock.js'
import { Ballast } from './ballast.js'
import type { DataSync } from './data-sync.js'
import { syncFolder, SYSTEM_DISK, writeAll, type Disk } from './disk.js'
import { isMarked, markingFailures, removeMark, writeAnew } from './failed-sync.js'
import { lockFolder } from './folder-lock.js'
import { Journal, type JournalOptions } from './journal.js'
import { KeptValues } from './kept-values.js'
import { KIND } from './records.js'
import type { RoomIndex } from './room-index.js'
import { readFolder, type FolderContent } from './read-folder.js'
import { segmentName } from './segment-header.js'
import { Segments } from './segments.js'

/** Size of the ballast, bytes: more than one round of the event loop records. */
const BALLAST_BYTES = 16_777_216

/** Name of the file that exists from a clean stop to the next start. */
export const CLEAN = 'clean'

export interface FolderOptions extends Clocks, Pick<JournalOptions, 'onFatal' | 'onSpace' | 'segmentBytes'> {
  readonly dir: string
  readonly sync: DataSync
  readonly disk?: Disk | undefined
  /** Boot of the machine; empty if it is not known, and then no boot proves anything. Default: that of Linux. */
  readonly bootId?: string | undefined
  /** Called if the end of an interrupted write was cut off. */
  readonly onTorn?: ((tail: NonNullable<FolderContent['torn']>) => void) | undefined
  readonly ballastBytes?: number | undefined
  /** Time for the previous process to give the folder back, ms. */
  readonly wait?: number | undefined
}

export interface Folder {
  readonly journal: Journal
  readonly segments: Segments
  readonly index: RoomIndex
  /** Values of other parts of the server. */
  readonly kept: KeptValues
  /** True if the rooms keep their epochs: nothing that was acknowledged can be missing. */
  readonly isComplete: boolean
  /** True if the last process could not write to its disk. All segments are written anew. */
  readonly hasFailed: boolean
  /** Gives the folder to the next process. */
  readonly release: () => void
}

/**
 * @throws {JournalError} if another process uses the folder, or if this version cannot read it
 */
export async function openFolder (options: FolderOptions): Promise<Folder> {
  const { dir, monotonic, wait } = options
  const disk = markingFailures(options.disk ?? SYSTEM_DISK, dir)
  const { bootId = linuxBootId(disk) } = options
  disk.mkdirSync(dir, { recursive: true, mode: 0o700 })
  const release = await lockFolder(dir, { monotonic, wait })
  try {
    const hasFailed = isMarked(disk, dir)
    const isClean = !hasFailed && disk.existsSync(join(dir, CLEAN))
    const content = readFolder({ dir, disk, bootId, isClean, hasFailed })
    if (content.torn) {
      cutTail(disk, dir, content.torn)
      options.onTorn?.(content.torn)
    }
    bringOntoDisk({ dir, disk, isClean, hasFailed }, content)
    const started = start({ ...options, disk, bootId }, content)
    // On a full disk the new epochs are not written yet: the next start begins others.
    if (hasFailed && started.segments.isOpen) removeMark(disk, dir)
    return { ...started, hasFailed, release }
  } catch (error) {
    release()
    throw error
  }
}

type StartOptions = FolderOptions & { readonly disk: Disk, readonly bootId: string }

function start (options: StartOptions, { index, sizes, base, isComplete, isOnDisk }: FolderContent): Omit<Folder, 'release' | 'hasFailed'> {
  const { dir, disk, bootId, sync, ballastBytes = BALLAST_BYTES } = options
  const next = Math.max(0, ...sizes.keys()) + 1
  const segments = new Segments({ dir, disk, sizes, header: { always: sync === 'always', bootId, base: isOnDisk || !isComplete ? next : base } })
  const journal = new Journal({ ...options, segments, ballast: new Ballast(dir, disk, ballastBytes), onClean: () => markClean(disk, dir) })
  if (disk.existsSync(join(dir, CLEAN))) {
    disk.unlinkSync(join(dir, CLEAN))
    syncFolder(disk, dir)
  }
  journal.open()
  if (!isComplete) {
    const epochs = { prefix: randomBytes(9).toString('base64url') }
    index.renewEpochs(epochs)
    journal.json(KIND.epochs, epochs)
    journal.flush()
    // Before a client gets one of them: after the next start it must be known as the last one.
    if (segments.isOpen) segments.sync()
  }
  const kept = new KeptValues({ journal, segments, restored: index.kept, count: index.keptCount })
  index.kept.clear()
  return { journal, segments, index, kept, isComplete }
}

function cutTail (disk: Disk, dir: string, { segment, at }: NonNullable<FolderContent['torn']>): void {
  if (at === 0) return disk.unlinkSync(join(dir, segmentName(segment)))
  const fd = disk.openSync(join(dir, segmentName(segment)), 'r+')
  disk.ftruncateSync(fd, at)
  disk.fdatasyncSync(fd)
  disk.closeSync(fd)
}

interface Read { readonly dir: string, readonly disk: Disk, readonly isClean: boolean, readonly hasFailed: boolean }

/** Brings onto the disk what this process will tell as if it were there. */
function bringOntoDisk ({ dir, disk, isClean, hasFailed }: Read, { sizes, isComplete, isOnDisk }: FolderContent): void {
  if (hasFailed) return writeAnew(disk, dir, sizes)
  // A copied folder may be in the memory of the kernel alone.
  if (!isComplete) return syncSegments(disk, dir, sizes.keys())
  // In mode `always` the last process may have been killed between a write and its sync.
  if (isOnDisk && !isClean) syncSegments(disk, dir, [...sizes.keys()].slice(-1))
}

function syncSegments (disk: Disk, dir: string, numbers: Iterable<number>): void {
  for (const number of numbers) {
    const fd = disk.openSync(join(dir, segmentName(number)), 'r+')
    disk.fdatasyncSync(fd)
    disk.closeSync(fd)
  }
}

function markClean (disk: Disk, dir: string): void {
  const fd = disk.openSync(join(dir, CLEAN), 'w', 0o600)
  writeAll(disk, fd, Buffer.from('stopped\n'))
  disk.fdatasyncSync(fd)
  disk.closeSync(fd)
  syncFolder(disk, dir)
}

function linuxBootId (disk: Disk): string {
  const path = '/proc/sys/kernel/random/boot_id'
  return disk.existsSync(path) ? disk.readFileSync(path, 'latin1').trim() : ''
}
