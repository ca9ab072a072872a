// Kinds of blocks, each with its test. The first kind that fits a block is its kind; a block without a kind must be given one, or be excused.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigSchema } from '../../src/config.js'
import { ROOT } from '../../src/root.js'
import { checker, document } from '../contracts.js'
import { needsChromium } from '../chromium.js'
import type { Block } from './blocks.js'
import { faultsOfAnswer, faultsOfClaims, faultsOfState, playTranscript, sendFrames } from './frames.js'
import type { Page } from './page.js'
import { openHtml, runModule, runNginx, sourceOf, withoutNginx } from './programs.js'
import { runReact } from './react.js'
import { EXCUSED, SETTINGS } from './settings.js'
import { differences } from './shapes.js'
import { isSession, runSession } from './terminal.js'
import { faultsOfDiagram, faultsOfHead, faultsOfHeader, faultsOfLog, faultsOfMessage, faultsOfSettings, faultsOfStream, faultsOfTree } from './texts.js'

export interface Kind {
  readonly name: string
  readonly fits: (block: Block, page: Page) => boolean
  /** @returns the errors of the block */
  readonly run: (page: Page, block: Block) => string[] | Promise<string[]>
  /** Reason for which the block cannot run on this machine. */
  readonly skip?: string | false
}

const isSetting = (line: string) => (/^([A-Z_]+)=\S+$/.exec(line.replace(/\$\([^)]*\)/, 'x'))?.[1] ?? '') in ConfigSchema.properties
const json = (text: string): Record<string, unknown> | undefined => {
  try {
    return JSON.parse(text)
  } catch { return undefined }
}
const every = (block: Block, test: (line: string) => boolean) => block.lines.length > 0 && block.lines.every(test)
const isPlain = ({ language }: Block, start: RegExp, text: string) => language === '' && start.test(text)
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
/** Commands built into npm. */
const NPM = ['ci', 'pack', 'test']
const printed = new WeakMap<Page, number>()

export const excuseOf = (block: Block) => EXCUSED.find(([text]) => block.language === 'bash' && block.text.includes(text))

export const KINDS: readonly Kind[] = [
  { name: 'excused', fits: (block) => excuseOf(block) !== undefined, run: () => [] },
  {
    name: 'excerpt of a file that a test runs',
    fits: ({ language, text }) => ['javascript', 'html', 'nginx'].includes(language) && sourceOf(text) !== undefined,
    run: () => []
  },
  { name: 'part of the program that test/sdk.test.ts runs', fits: ({ file, language }) => language === 'ts' && file === 'docs/sdk.md', run: () => [] },
  {
    name: 'settings',
    fits: (block) => block.language === 'bash' && every(block, isSetting),
    // Run in a separate shell, since they are not part of the reader's session.
    run: async (page, { lines }) => {
      const { env } = await page.run(`export ${lines.join(' ')}`)
      return faultsOfSettings(Object.fromEntries(lines.map((line) => line.split('=')[0]!).map((name) => [name, env[name]])))
    }
  },
  { name: 'socket by hand', fits: ({ language, text }) => language === 'bash' && /^npx wscat -c ws:\S+$/.test(text), run: async (page) => { await page.send(); return [] } },
  {
    name: 'commands',
    fits: ({ language }) => language === 'bash',
    run: async (page, { text }) => {
      const { output } = await page.run(text)
      page.answer = text.includes('curl') ? output : undefined
      return page.scripts.filter((script) => !NPM.includes(script.split(' ')[0]!) && !(script.replace('run ', '') in scripts)).map((script) => `there is no npm ${script}`)
    }
  },
  {
    name: 'body of a webhook',
    fits: ({ language, text }) => language === 'json' && typeof json(text)?.type === 'string' && 'data' in json(text)!,
    run: (_page, { text }) => checker(document('openapi.yaml'))(['components', 'schemas', 'Notification'], JSON.parse(text))
  },
  {
    name: 'frames of a client',
    fits: (block) => block.language === 'json' && every(block, (line) => typeof json(line)?.type === 'string'),
    run: sendFrames
  },
  {
    name: 'answer to the command before',
    fits: ({ language, text }, { answer }) => language === 'json' && answer !== undefined && json(text) !== undefined,
    run: (page, { text }) => differences(JSON.parse(text), json(page.answer!.split('\r\n\r\n').at(-1)!), page.learn)
  },
  { name: 'answer', fits: ({ language, text }) => language === 'json' && 'success' in (json(text) ?? {}), run: (_page, block) => faultsOfAnswer(block) },
  { name: 'state', fits: ({ language, text }) => language === 'json' && 'step' in (json(text) ?? {}), run: (_page, block) => faultsOfState(block) },
  { name: 'claims of a token', fits: ({ language, text }) => language === 'json' && 'iss' in (json(text) ?? {}), run: (_page, block) => faultsOfClaims(block) },
  {
    name: 'program',
    fits: ({ language }) => language === 'javascript',
    run: (page, { text }) => {
      const count = printed.get(page) ?? 0
      printed.set(page, count + 1)
      const expected = SETTINGS[page.file]?.prints?.[count]
      return expected ? runModule(page, text, expected) : ['test/docs/settings.ts does not say what it prints']
    }
  },
  { name: 'page', fits: ({ language }) => language === 'html', run: (page, { text }) => openHtml(page, text), skip: needsChromium.skip ?? false },
  { name: 'React', fits: ({ language }) => language === 'tsx', run: (page, { text }) => runReact(page, text), skip: needsChromium.skip ?? false },
  { name: 'nginx', fits: ({ language }) => language === 'nginx', run: (page, { text }) => runNginx(page, text), skip: withoutNginx },
  { name: 'diagram', fits: ({ language }) => language === 'mermaid', run: (_page, block) => faultsOfDiagram(block) },
  { name: 'transcript', fits: (block) => block.language === '' && every(block, (line) => /^[<>] \{/.test(line)), run: playTranscript },
  { name: 'session', fits: isSession, run: runSession },
  { name: 'head of an answer', fits: (block) => isPlain(block, /^HTTP\/1\.1 \d/, block.text), run: ({ answer }, block) => faultsOfHead(block, answer) },
  { name: 'header', fits: (block) => isPlain(block, /^Authorization: \S+ \S+$/, block.text), run: faultsOfHeader },
  { name: 'stream', fits: (block) => isPlain(block, /^(?:: heartbeat \d+\n)?retry: \d+\n/, block.text), run: faultsOfStream },
  { name: 'log', fits: (block) => block.language === '' && every(block, (line) => /^(\[(DEBUG|INFO|WARN)\] |\{"level":)/.test(line)), run: (_page, block) => faultsOfLog(block) },
  { name: 'message', fits: (block) => isPlain(block, /^settings: /, block.text), run: (_page, block) => faultsOfMessage(block) },
  { name: 'tree of files', fits: (block) => isPlain(block, /^\S+\/\n/, block.text), run: (_page, block) => faultsOfTree(block) }
]
