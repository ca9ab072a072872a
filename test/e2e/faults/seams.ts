// Code loaded into a server that ends it by SIGKILL at a write of the journal: just before it, or just after it, before any socket is written to.

export interface SeamOptions {
  /** Writes of the journal after which the process ends; a random number between the two. */
  readonly from: number
  readonly to: number
  /** A fault that the checker must find: each write happens one turn of the event loop after it has returned, so behind the sends. */
  readonly isMutant?: boolean
}

/** @returns source of a module that runs before the server */
export function killAtWrite ({ from, to, isMutant = false }: SeamOptions): string {
  return `
    import fs from 'node:fs'
    const { writeSync } = fs
    let left = ${from} + Math.floor(Math.random() * ${to - from})
    const end = () => process.kill(process.pid, 'SIGKILL')
    fs.writeSync = (fd, bytes, at, length, position) => {
      // Records come from a buffer of 256 KiB; lines of the log, headers and the ballast do not.
      if (bytes.length !== 262_144) return writeSync(fd, bytes, at, length, position)
      const isLast = --left === 0
      if (${isMutant}) {
        const copy = Buffer.from(bytes.subarray(at, at + length))
        setImmediate(() => isLast ? end() : writeSync(fd, copy))
        return length
      }
      if (isLast && Math.random() < 0.5) end()
      const written = writeSync(fd, bytes, at, length, position)
      if (isLast) end()
      return written
    }`
}
