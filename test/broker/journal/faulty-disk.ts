// Disk for tests that fills up, and whose calls fail on demand.
import fs from 'node:fs'
import type { Disk } from '../../../src/broker/journal/disk.js'

type Call = keyof Disk

export class FaultyDisk {
  /** Free bytes; Infinity if the disk never fills up. */
  space = Infinity
  /** Maximum bytes that one write takes. */
  chunk = Infinity
  /** Code of the error with which a call fails, by its name. */
  readonly faults = new Map<Call, string>()
  readonly disk: Disk

  constructor () {
    const calls = Object.fromEntries((Object.keys(fs) as Call[]).filter((name) => typeof fs[name] === 'function').map((name) => [name, (...args: unknown[]) => {
      this.#check(name)
      return (fs[name] as unknown as (...args: unknown[]) => unknown)(...args)
    }])) as unknown as Disk
    this.disk = {
      ...calls,
      writeSync: ((fd: number, bytes: Uint8Array, at = 0, length = bytes.length) => {
        this.#check('writeSync')
        if (this.space === 0) throw failure('ENOSPC')
        const taken = Math.min(length, this.space, this.chunk)
        this.space -= taken
        return fs.writeSync(fd, bytes, at, taken, null)
      }) as unknown as Disk['writeSync'],
      unlinkSync: (path) => {
        this.#check('unlinkSync')
        this.space += fs.statSync(path).size
        fs.unlinkSync(path)
      },
      fdatasync: ((fd: number, done: (error: Error | null) => void) => {
        const code = this.faults.get('fdatasync')
        if (code === undefined) fs.fdatasync(fd, done)
        else setImmediate(() => done(failure(code)))
      }) as Disk['fdatasync']
    }
  }

  #check (name: Call): void {
    const code = this.faults.get(name)
    if (code !== undefined) throw failure(code)
  }
}

function failure (code: string): Error { return Object.assign(new Error(`${code}: by the test`), { code }) }
