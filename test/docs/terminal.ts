// Sessions at a terminal: text after `$` is run on the command line, and its output must look like the shown one.
import type { Test } from 'tap'
import { cli, type Cli } from '../cli/terminal.js'
import { until } from '../until.js'
import type { Block } from './blocks.js'
import type { Page } from './page.js'
import { differences } from './shapes.js'

const COMMAND = '$ npx ws-payment-server '
export const isSession = ({ language, text }: Block) => language === '' && text.startsWith(COMMAND)

/** Removes the varying parts of lines. */
const fixed = (text: string) => text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID').replace(/^#\d+ */, '#N ').replace(/in [\d.]+ s$/, 'in N s')
/** Returns the final content of a line that was rewritten in place. */
const linesOf = (text: string) => text.split('\n').map((line) => line.split('\r\u001b[K').at(-1)!).filter((line) => line !== '')

function faults (shown: readonly string[], real: readonly string[]): string[] {
  if (shown.length !== real.length) return [`it says ${real.join('\n')}`]
  return shown.flatMap((line, index) => {
    const other = real[index]!
    if (line.startsWith('{')) return differences(JSON.parse(line), JSON.parse(other))
    return fixed(line) === fixed(other) ? [] : [`${line} is ${other}`]
  })
}

const watching = new WeakMap<Page, { watcher: Cli, shown: readonly string[] }>()
const start = (t: Test, page: Page, command: string) => cli(t, [...command.slice(COMMAND.length).split(' '), '--url', page.url], { isTTY: true, env: { NO_COLOR: '1' } })

/** A command that keeps running is checked again after the next session. */
export async function runSession (page: Page, { text }: Block): Promise<string[]> {
  await page.needServer()
  const problems: string[] = []
  for (const part of text.split(/^(?=\$ )/m)) {
    const [command, ...shown] = part.trimEnd().split('\n') as [string, ...string[]]
    const run = start(page.t, page, command)
    if (/ (join|watch) /.test(command)) {
      await run.says(/online/)
      watching.set(page, { watcher: run, shown })
      continue
    }
    await run.exit
    problems.push(...faults(shown, linesOf(run.stdout() + run.stderr())))
  }
  const { watcher, shown } = watching.get(page) ?? {}
  if (watcher && !text.includes(' join ')) {
    watching.delete(page)
    await until('the watcher has printed all lines', () => linesOf(watcher.stdout()).length >= shown!.length, 5_000).catch(() => {})
    problems.push(...faults(shown!, linesOf(watcher.stdout())))
    watcher.stop()
  }
  return problems
}
