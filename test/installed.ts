// Programs besides Node.js that some tests need. Without them these tests are skipped with a reason; in CI they fail instead.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Path of a program that is on the PATH. */
export function pathOf (program: string): string | undefined {
  return (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program)).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch { return false }
  })
}

/**
 * Gives the `skip` option of a test.
 * @param debianPackage the package with the program
 * @returns the reason to skip the test, or false
 */
export function without (program: string, debianPackage: string): string | false {
  return pathOf(program) !== undefined || process.env.CI === 'true' ? false : `no ${program} on this machine (apt-get install ${debianPackage})`
}
