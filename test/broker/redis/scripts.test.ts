// Lua scripts: valid Lua 5.1, the version in Redis, without accidental global variables, which Redis refuses only when it executes the assignment.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, type Chunk } from 'luaparse'
import t from 'tap'
import { SCRIPTS } from '../../../src/broker/redis/scripts.js'
import { ROOT } from '../../../src/root.js'

/** Global variables that Redis provides to a script, as far as the scripts read them. */
const READABLE = new Set(['ARGV', 'KEYS', 'redis', 'ipairs', 'cjson', 'math', 'pairs', 'pcall', 'string', 'table', 'tonumber', 'tostring', 'type', 'unpack'])

/** @throws SyntaxError */
function globalsOf (lua: string): string[] {
  const { globals } = parse(lua, { luaVersion: '5.1', scope: true }) as Chunk & { globals: Array<{ name: string }> }
  return globals.map(({ name }) => name)
}

/** Finds the names that a script assigns without `local`, or as a field of a table that all scripts share. */
function globalsAssignedIn (lua: string): string[] {
  const assigned: string[] = []
  const record = (target: { type: string, isLocal?: boolean, name?: string, base?: object } | null | undefined): void => {
    if (target?.base) record(target.base as { type: string })
    else if (target?.type === 'Identifier' && !target.isLocal) assigned.push(target.name!)
  }
  parse(lua, {
    luaVersion: '5.1',
    scope: true,
    onCreateNode: (node) => {
      if (node.type === 'AssignmentStatement') node.variables.forEach(record)
      if (node.type === 'FunctionDeclaration') record(node.identifier)
    }
  })
  return assigned
}

t.test('every script is valid, assigns only local variables, and reads only names that Redis provides', async (t) => {
  for (const [name, { lua }] of Object.entries(SCRIPTS)) {
    t.strictSame(globalsAssignedIn(lua), [], `${name} assigns no global variable`)
    t.strictSame(globalsOf(lua).filter((variable) => !READABLE.has(variable)), [], `${name} reads no unknown variable`)
  }
})

t.test('every file in lua/ is a part of a script', async (t) => {
  const folder = join(ROOT, 'src/broker/redis/lua')
  const files = readdirSync(folder)
  t.ok(files.length > 10)
  const scripts = Object.values(SCRIPTS).map(({ lua }) => lua)
  for (const file of files) t.ok(scripts.some((lua) => lua.includes(readFileSync(join(folder, file), 'utf8'))), file)
})

t.test('the check finds invalid scripts and global variables', async (t) => {
  t.throws(() => globalsOf('local a = '), SyntaxError)
  t.throws(() => globalsOf('goto done'), SyntaxError, 'a statement of Lua 5.2')
  t.strictSame(globalsAssignedIn('local a\na = 1\nb, a = 2, 3\nfunction c() d = 4 end\nlocal function e() end\nstring.f = a'), ['b', 'd', 'c', 'string'])
  t.strictSame(globalsAssignedIn('local a = {}\na.b = 1\na[1].c = 2\nfunction a.d() end'), [])
  t.strictSame(globalsOf('return KEYS[1] .. KEY[2]'), ['KEYS', 'KEY'])
})
