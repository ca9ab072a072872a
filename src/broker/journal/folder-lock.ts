// Lock of a folder: one process uses it at a time. Owners have numbers, and the highest one whose process listens on its socket owns the folder: the kernel stops
// the listening with the process, however it ends. A claim is made by `link`, which is atomic, and is never renamed.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { JournalError } from './segment-header.js'

/** Time for the previous owner to end, ms: in a deploy the next process may start before. */
const WAIT = 8_000

/** Interval between two looks at the previous owner, ms. */
const INTERVAL = 50

const CLAIM = /^owner\.(\d+)$/

export interface LockOptions {
  /** Monotonic clock, ms. */
  readonly monotonic: () => number
  /** Time for the previous owner to end, ms. */
  readonly wait?: number | undefined
}

/**
 * Waits until no other process of this host owns the folder, and takes it. Processes of other hosts are not seen.
 * @returns a function that gives the folder back
 * @throws {JournalError} if the other process does not end in time
 */
export async function lockFolder (dir: string, { monotonic, wait = WAIT }: LockOptions): Promise<() => void> {
  const fd = fs.openSync(dir, 'r')
  // The path of a socket has at most 107 bytes; that of a descriptor is short.
  const base = fs.existsSync(`/proc/self/fd/${fd}`) ? `/proc/self/fd/${fd}` : dir
  const own = `claim.${randomBytes(9).toString('base64url')}`
  const server = await listen(join(base, own))
  const release = () => {
    fs.rmSync(join(dir, own), { force: true })
    server.close()
    fs.closeSync(fd)
  }
  try {
    const end = monotonic() + wait
    while (!await claim({ dir, base, own })) {
      if (monotonic() >= end) throw new JournalError(`another process uses ${dir}`)
      await delay(INTERVAL)
    }
    return release
  } catch (error) {
    release()
    throw error
  }
}

/** Takes the next number, unless the highest one belongs to a living process. */
async function claim ({ dir, base, own }: { readonly dir: string, readonly base: string, readonly own: string }): Promise<boolean> {
  const [highest = 0] = claimsIn(dir)
  if (highest > 0 && await answers(join(base, `owner.${highest}`))) return false
  const mine = join(dir, `owner.${highest + 1}`)
  try {
    fs.linkSync(join(dir, own), mine)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  const [last, ...earlier] = claimsIn(dir)
  // Another process may have had this number, and later ones, since the folder was read.
  if (last !== highest + 1) {
    fs.rmSync(mine, { force: true })
    return false
  }
  fs.rmSync(join(dir, own), { force: true })
  // The highest claim always stays, so that no number comes twice.
  for (const number of earlier) fs.rmSync(join(dir, `owner.${number}`), { force: true })
  return true
}

/** @returns numbers of the claims, from the highest */
function claimsIn (dir: string): number[] {
  return fs.readdirSync(dir).flatMap((name) => CLAIM.test(name) ? [Number(CLAIM.exec(name)![1])] : []).sort((a, b) => b - a)
}

function answers (path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy()
      resolve(true)
    })
    // A full queue of connections belongs to a living process.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EAGAIN'))
  })
}

function listen (path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', reject).listen({ path }, () => resolve(server.unref()))
  })
}
