// An example as its README runs it: a Node process of its own, in front of a server of the test.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { browserModule } from '../../src/http/browser-module.js'
import { ROOT } from '../../src/root.js'
import { plainNode } from '../plain-node.js'
import { until } from '../until.js'

/**
 * Starts a program that prints the address on which it listens.
 * @param file path within the project
 * @returns its origin, and its output so far
 */
export async function startExample (t: Test, file: string, env: Record<string, string>): Promise<{ origin: string, output: () => string }> {
  const child = spawn(...plainNode(join(ROOT, file)), { cwd: ROOT, env: { PATH: process.env.PATH, PORT: '0', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += String(chunk) })
  const exit = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exit
  })
  const origin = () => /http:\/\/localhost:\d+/.exec(output)?.[0]
  await until(() => `${file} listens; its output: ${output}`, () => origin() !== undefined)
  return { origin: origin()!.replace('localhost', '127.0.0.1'), output: () => output }
}

/** Builds the client's modules in a folder that is removed with the test, and returns its address, which ends with a slash. */
export async function clientModules (t: Test): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'client-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const target = join(folder, 'client')
  mkdirSync(target)
  for (const name of readdirSync(join(ROOT, 'src/client'))) {
    const module = name.replace(/\.ts$/, '')
    writeFileSync(join(target, `${module}.js`), (await browserModule(join(ROOT, 'src/client'), module))!)
  }
  return `file://${target}/`
}
