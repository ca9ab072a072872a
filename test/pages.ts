// Files of a page for tests: its own folder and what the pages share, and a check of its texts.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ROOT } from '../src/root.js'

const SHARED = join(ROOT, 'pages', 'shared')

/** Files that a page is served from, with their texts. */
export function filesOf (folder: string): Map<string, string> {
  return new Map([folder, SHARED].flatMap((from) => readdirSync(from).map((name): [string, string] => [name, readFileSync(join(from, name), 'utf8')])))
}

type Texts = Record<'en' | 'pt', Record<string, string>>

/** Texts of a page, with the shared ones, of which it may have its own words. */
export async function textsOf (folder: string): Promise<Texts> {
  const { SHARED: shared } = await import(join(SHARED, 'shared-texts.js')) as { SHARED: Texts }
  const { TEXTS: own } = await import(join(folder, 'texts.js')) as { TEXTS: Texts }
  return { en: { ...shared.en, ...own.en }, pt: { ...shared.pt, ...own.pt } }
}

/** Keys that the code builds: statuses of a connection, of a delivery and of a node, methods, names of views, of fields and of periods. */
const BUILT = /^(?:connecting|online|offline|closed|running|draining|pix|boleto|(?:delivery|view|field|window)_\w+|step\w+ToCome)$/

/** Checks that neither language lacks a text, that each is used, and that the page shows the English ones before its modules load. */
export async function checkTexts (t: Test, folder: string): Promise<void> {
  const { en, pt } = await textsOf(folder)
  t.strictSame(Object.keys(pt), Object.keys(en))
  const placeholders = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(String).sort()
  const files = [...filesOf(folder)]
  const page = files.filter(([name]) => !name.endsWith('texts.js')).map(([, text]) => text).join('\n')
  for (const [key, words] of Object.entries(en)) {
    t.ok(words && pt[key], key)
    t.strictSame(placeholders(pt[key]!), placeholders(words), key)
    t.ok(BUILT.test(key) || new RegExp(`\\b${key}\\b`).test(page), `${key} is used`)
  }
  const markup = files.filter(([name]) => name.endsWith('.html')).map(([, text]) => text).join('\n')
  for (const [, key, words] of markup.matchAll(/data-t="(\w+)"[^>]*>([^<]*)</g)) t.equal(words, en[key!]?.replace(/ ?\{\w+\}/, ''), `the page shows the text ${key} before its modules load`)
  for (const [, key, label] of markup.matchAll(/data-t-label="(\w+)" aria-label="([^"]*)"/g)) t.equal(label, en[key!], `the label ${key}`)
}
