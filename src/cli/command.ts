// Definition of a command (arguments, options, handler), and the parser for its command line.
import { parseArgs } from 'node:util'
import { usageError } from './cli-error.js'
import { didYouMean } from './suggestion.js'
import type { Terminal } from './terminal.js'

export interface Option {
  /** A decimal is a number, or text where it has more digits than a number holds. */
  readonly type: 'string' | 'number' | 'decimal' | 'boolean'
  /** Placeholder for the value in the help. */
  readonly value?: string
  readonly help: string
  readonly oneOf?: readonly string[]
  /** Smallest number allowed. Default: 0. */
  readonly min?: number
  readonly max?: number
  /** Allows whole numbers only. */
  readonly integer?: boolean
}
export type Options = Readonly<Record<string, Option>>

type ValueOf<O extends Option> = O['type'] extends 'boolean' ? boolean : O['type'] extends 'number' ? number : O['type'] extends 'decimal' ? number | string : O['oneOf'] extends readonly string[] ? O['oneOf'][number] : string
export type Values<O extends Options> = { readonly [K in keyof O]?: ValueOf<O[K]> | undefined }

export interface Command<O extends Options = Options> {
  readonly summary: string
  /** Arguments after the command's name, such as `<room>`. */
  readonly words: readonly string[]
  readonly options: O
  /** Values that an argument may have, by its name in `words`. */
  readonly wordsOneOf?: Readonly<Record<string, readonly string[]>>
  /** Additional paragraph of the help. */
  readonly note?: string
  /** Arguments of the example in the help. */
  readonly example: string
  /** @returns the exit code, or undefined if the process keeps running @throws {CliError} */
  readonly run: (words: string[], values: Values<O>, terminal: Terminal) => Promise<number | undefined>
}

/** Defines a command whose values have the types that its options declare. */
export function command<const O extends Options> (rule: Command<O>): Command { return rule as unknown as Command }

/** Parses the arguments after a command's name. @throws {CliError} if they are invalid */
export function parse (name: string, { words, options, wordsOneOf = {} }: Pick<Command, 'words' | 'options' | 'wordsOneOf'>, args: string[]): { words: string[], values: Values<Options> } {
  const types = Object.entries(options).map(([key, { type }]) => [key, { type: type === 'boolean' ? 'boolean' as const : 'string' as const }] as const)
  const parsed = attempt(Object.keys(options), () => parseArgs({ args, allowPositionals: true, options: Object.fromEntries(types) }))
  const { positionals, values } = parsed
  if (positionals.length < words.length) throw usageError(`${name} requires ${words.slice(positionals.length).join(' ')}`)
  if (positionals.length > words.length) throw usageError(`unexpected argument '${positionals[words.length]}'`)
  for (const [i, word] of words.entries()) {
    const allowed = wordsOneOf[word]
    if (allowed && !allowed.includes(positionals[i]!)) throw usageError(`${word} must be ${allowed.join(' or ')}`)
  }
  const checked = Object.entries(values).map(([key, value]) => [key, check(key, options[key]!, value!)] as const)
  // The cast is safe: `check` has converted each value to the type of its option.
  return { words: positionals, values: Object.fromEntries(checked) as Values<Options> }
}

/** @param names of the options, for a suggestion */
function attempt<T> (names: readonly string[], run: () => T): T {
  try {
    return run()
  } catch (error) {
    // Node's advice on arguments that begin with a dash is removed: it does not help with a mistyped option.
    const message = (error as Error).message.replace(/\. To specify a positional[^]*/, '').replaceAll('\n', ' ')
    const [, unknown] = /^Unknown option '--(.+)'$/.exec(message) ?? []
    throw usageError(`${message}${unknown === undefined ? '' : didYouMean(unknown, names, '--')}`)
  }
}

function check (key: string, { type, oneOf, min = 0, max = Infinity, integer = false }: Option, value: string | boolean): string | number | boolean {
  if (typeof value === 'boolean') return value
  if (value === '') throw usageError(`--${key} must not be empty`)
  if (oneOf && !oneOf.includes(value)) throw usageError(`--${key} must be ${oneOf.join(' or ')}`)
  if (type === 'string') return value
  const number = (integer ? /^\d+$/ : /^\d+(\.\d+)?$/).test(value) ? Number(value) : NaN
  if (!(number >= min && number <= max)) throw usageError(`--${key} must be a ${integer ? 'whole ' : ''}number from ${min}${max === Infinity ? '' : ` to ${max}`}`)
  return type === 'decimal' && !holds(number, value) ? value : number
}

/** True if the number prints as it was written, apart from zeros at either end. */
function holds (number: number, written: string): boolean {
  return String(number) === written.replace(/^0+(?=\d)/, '').replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
}
