// What a command is: its words, its options, and what it does with them; and how a command line becomes these.
import { parseArgs } from 'node:util'
import { usageError } from './cli-error.js'
import type { Terminal } from './terminal.js'

export interface Option {
  readonly type: 'string' | 'number' | 'boolean'
  /** Stands for its value in the help. */
  readonly value?: string
  readonly help: string
  readonly oneOf?: readonly string[]
  /** 0 where it is left out. */
  readonly min?: number
  readonly max?: number
  /** A number without a fraction. */
  readonly whole?: boolean
}
export type Options = Readonly<Record<string, Option>>

type ValueOf<O extends Option> = O['type'] extends 'boolean' ? boolean : O['type'] extends 'number' ? number : O['oneOf'] extends readonly string[] ? O['oneOf'][number] : string
export type Values<O extends Options> = { readonly [K in keyof O]?: ValueOf<O[K]> | undefined }

export interface Command<O extends Options = Options> {
  readonly summary: string
  /** What follows its name, such as `<room>`. */
  readonly words: readonly string[]
  readonly options: O
  /** What else its help says. */
  readonly note?: string
  /** What follows its name in an example. */
  readonly example: string
  /** @returns the exit code, or undefined where the process goes on by itself. @throws {Fault} */
  readonly run: (words: string[], values: Values<O>, terminal: Terminal) => Promise<number | undefined>
}

/** A command whose values have the types that its options say. */
export function command<const O extends Options> (rule: Command<O>): Command { return rule as unknown as Command }

/** Reads what follows a command's name. @throws {Fault} where it makes no sense */
export function parse (name: string, { words, options }: Pick<Command, 'words' | 'options'>, args: string[]): { words: string[], values: Values<Options> } {
  const types = Object.entries(options).map(([key, { type }]) => [key, { type: type === 'boolean' ? 'boolean' as const : 'string' as const }] as const)
  const parsed = attempt(() => parseArgs({ args, allowPositionals: true, options: Object.fromEntries(types) }))
  const { positionals, values } = parsed
  if (positionals.length < words.length) throw usageError(`${name} needs ${words.slice(positionals.length).join(' ')}`)
  if (positionals.length > words.length) throw usageError(`${name} does not know what to do with '${positionals[words.length]}'`)
  const checked = Object.entries(values).map(([key, value]) => [key, check(key, options[key]!, value!)] as const)
  // Their types are those that the options say, which nothing but `command` knows.
  return { words: positionals, values: Object.fromEntries(checked) as Values<Options> }
}

function attempt<T> (run: () => T): T {
  try {
    return run()
  } catch (error) {
    // Its advice on words that begin with a dash helps nobody who merely mistyped.
    throw usageError((error as Error).message.replace(/\. To specify a positional[^]*/, '').replaceAll('\n', ' '))
  }
}

function check (key: string, { type, oneOf, min = 0, max = Infinity, whole = false }: Option, value: string | boolean): string | number | boolean {
  if (typeof value === 'boolean') return value
  if (value === '') throw usageError(`--${key} is empty`)
  if (oneOf && !oneOf.includes(value)) throw usageError(`--${key} must be ${oneOf.join(' or ')}`)
  if (type === 'string') return value
  const number = (whole ? /^\d+$/ : /^\d+(\.\d+)?$/).test(value) ? Number(value) : NaN
  if (!(number >= min && number <= max)) throw usageError(`--${key} must be a ${whole ? 'whole ' : ''}number from ${min}${max === Infinity ? '' : ` to ${max}`}`)
  return number
}
