// Comments name their subject: none begins with a pronoun or a question word, and none uses a vague phrase.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../src/root.js'

const FIRST_WORD = /^\s*(?:\/\/|\/\*\*|\/\*\*\n\s*\*) *(?:Who|What|How|Where|Why|Whether|Whoever|Whatever|That|Of)\b/
const RIDDLE = /\bwhoever\b|\bwhatever\b|what becomes of|\bhears? of\b|\b(?:is|are) told\b/i
/** A JSDoc block up to its first line of text, or a run of line comments. */
const COMMENTS = /\/\*\*[^]*?\*\/|(?:^[ \t]*\/\/.*\n)+/gm

t.test('a comment begins with its subject or a verb, and uses no vague phrase', async (t) => {
  let checked = 0
  for (const folder of ['src', 'plugins', 'routes']) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ts|lua)$/.test(name))) {
      const source = readFileSync(join(ROOT, folder, name), 'utf8')
      const comments = name.endsWith('.lua') ? source.replace(/^( *)--/gm, '$1//') : source
      for (const [comment] of comments.matchAll(COMMENTS)) {
        t.notMatch(comment, FIRST_WORD, `${folder}/${name}`)
        t.notMatch(comment, RIDDLE, `${folder}/${name}`)
        checked++
      }
    }
  }
  t.ok(checked > 1_000, `${checked} comments`)
})
