// The bare disk: the time of one sync, which limits a journal that syncs before it answers.
import fs, { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from './process.js'

/** Syncs that are measured, an odd number. */
const SYNCS = 301

/** Folder for the files of a measurement: that of the setting BENCH_DIR, or a temporary one. */
export function measuredFolder (): string { return mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'journal-bench-')) }

/** Appends 300 bytes and syncs them, again and again. @returns median time of a sync, ms */
export function syncTime (): number {
  const dir = measuredFolder()
  const fd = fs.openSync(join(dir, 'disk'), 'a')
  try {
    const bytes = Buffer.alloc(300)
    return median(Array.from({ length: SYNCS }, () => {
      const begin = performance.now()
      fs.writeSync(fd, bytes)
      fs.fdatasyncSync(fd)
      return performance.now() - begin
    }))
  } finally {
    fs.closeSync(fd)
    rmSync(dir, { recursive: true })
  }
}

export function showDisk (): string {
  const time = syncTime()
  return `the disk alone: ${time.toFixed(2)} ms for one fdatasync, ${(1000 / time).toFixed(0)} in a second`
}
