// Types of the client's package. They come from the schemas of the protocol, whose library the package does not depend on: each type of the protocol is
// written out, and the rest is what TypeScript emits.
import { basename, join } from 'node:path'
import ts from 'typescript'

/**
 * Returns the declaration files of the package, by their names.
 * @param entries sources of the entries, by name
 */
export function declarations (root, entries) {
  const program = ts.createProgram(Object.values(entries), {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    newLine: ts.NewLineKind.LineFeed,
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: root,
    paths: { 'ws-payment-client': [entries.index] }
  })
  const emitted = new Map()
  program.emit(undefined, (file, text) => emitted.set(basename(file), text), undefined, true)
  const files = new Map()
  const names = new Set()
  for (const entry of Object.keys(entries)) collect(`${entry}.d.ts`, emitted, { files, names })
  files.set('protocol.d.ts', protocolTypes(program, join(root, 'src', 'client', 'frames.ts'), names))
  return files
}

/** Adds a file and the files that it imports, and the names that it takes from the protocol. */
function collect (name, emitted, { files, names }) {
  if (files.has(name)) return
  const text = emitted.get(name)
  if (text === undefined) throw new Error(`no types were emitted for ${name}`)
  for (const [, list] of text.matchAll(/import type \{([^}]*)\} from '\.\.\/protocol\/[^']*'/g)) for (const imported of list.split(',')) names.add(imported.trim())
  files.set(name, text.replace(/'\.\.\/protocol\/[^']*'/g, "'./protocol.js'").replaceAll("'ws-payment-client'", "'./index.js'").replace(/^\/\/# sourceMappingURL.*\n?/m, ''))
  for (const [, next] of text.matchAll(/from '\.\/([\w-]+)\.js'/g)) collect(`${next}.d.ts`, emitted, { files, names })
}

/** Writes out the types that a file imports from the protocol. */
function protocolTypes (program, file, names) {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const imports = source.statements.filter(ts.isImportDeclaration).flatMap(({ importClause }) => importClause.namedBindings.elements)
  const lines = imports.filter(({ name }) => names.has(name.text)).map((element) => {
    const symbol = checker.getAliasedSymbol(checker.getSymbolAtLocation(element.name))
    const name = element.name.text
    return symbol.flags & ts.SymbolFlags.TypeAlias
      ? `export type ${name} = ${written(checker, checker.getDeclaredTypeOfSymbol(symbol))};`
      : `export declare const ${name}: ${staticTypes(checker, checker.getTypeOfSymbol(symbol))};`
  })
  if (lines.length !== names.size) throw new Error(`${file} does not import all of ${[...names].join(', ')}`)
  return `// Types of the protocol, written out from its schemas.\n${lines.join('\n')}\n`
}

/** The table of events as far as types need it: the payload of each. */
function staticTypes (checker, table) {
  const at = (type, key) => checker.getTypeOfSymbol(type.getProperty(key))
  return `{ ${table.getProperties().map((event) => `readonly ${event.name}: { readonly schema: { readonly static: ${written(checker, at(at(checker.getTypeOfSymbol(event), 'schema'), 'static'))} } }`).join('; ')} }`
}

/** Writes a type without any name in it. @throws for a kind of type that the protocol does not use so far */
function written (checker, type) {
  const inner = (part) => written(checker, part)
  if (type.flags & (ts.TypeFlags.Boolean | ts.TypeFlags.Literal | ts.TypeFlags.Unknown | ts.TypeFlags.StringLike | ts.TypeFlags.NumberLike | ts.TypeFlags.BooleanLike |
    ts.TypeFlags.Null | ts.TypeFlags.Undefined)) return checker.typeToString(type)
  if (type.isUnion()) return type.types.map(inner).join(' | ').replace('false | true', 'boolean')
  if (checker.isArrayType(type)) return `Array<${inner(checker.getTypeArguments(type)[0])}>`
  const index = type.getStringIndexType()
  const properties = checker.getPropertiesOfType(type).map((property) => {
    const { flags } = property
    const text = inner(checker.getTypeOfSymbol(property))
    return flags & ts.SymbolFlags.Optional ? `readonly ${property.name}?: ${text.replace('undefined | ', '')}` : `readonly ${property.name}: ${text}`
  })
  if (properties.length === 0 && !index) throw new Error(`a type of a new kind: ${checker.typeToString(type)}`)
  return `{ ${[...properties, ...(index ? [`readonly [key: string]: ${inner(index)}`] : [])].join('; ')} }`
}
