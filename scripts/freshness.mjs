// Age of a build beside its sources.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** @returns whether a file, written at the end of a build, is at least as new as all sources; folders count with all that is in them */
export function isNewest (stamp, sources) {
  const builtAt = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs
  return builtAt !== undefined && sources.every((source) => newest(source) <= builtAt)
}

/** Folders count themselves too: their mtime changes when a file in them is deleted. */
function newest (path) {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) return 0
  return stats.isDirectory() ? Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name)))) : stats.mtimeMs
}
