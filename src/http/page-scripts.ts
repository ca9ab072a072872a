// Scripts for the pages of shops: the client as one file, and the element <payment-status>. A build has them ready; from sources they are bundled on request.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from '../root.js'

/** Names of the scripts, without their `.js`. */
export const PAGE_SCRIPTS = ['client', 'payment-status'] as const

export interface PageScript { readonly text: string, readonly etag: string }

const BUNDLER = pathToFileURL(join(ROOT, 'scripts', 'client.mjs')).href

/** @param folder folder of the built scripts; without the file there, the script is bundled from its sources */
export async function pageScript (folder: string, name: typeof PAGE_SCRIPTS[number]): Promise<PageScript> {
  const text = await readFile(join(folder, `${name}.js`), 'utf8').catch(() => bundle(name))
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` }
}

/** Bundles a script. The bundler is imported on demand: it is installed wherever sources run, and a build needs none. */
async function bundle (name: string): Promise<string> {
  const { pageScripts } = await import(BUNDLER) as { pageScripts: () => Promise<Map<string, string>> }
  return (await pageScripts()).get(`${name}.js`)!
}

/** @returns whether `If-None-Match` names this version (RFC 9110 §13.1.2) */
export function isFresh (ifNoneMatch: string | undefined, etag: string): boolean {
  return ifNoneMatch !== undefined && ifNoneMatch.split(',').some((tag) => [etag, '*'].includes(tag.trim().replace(/^W\//, '')))
}
