// Text of --help.
import type { Command, Options } from './command.js'

export const PROGRAM = 'ws-payment-server'

const COMMON: Options = { help: { type: 'boolean', help: 'prints this help' }, version: { type: 'boolean', help: 'prints the version; also -v' } }

/** Returns a command's own options and the common ones. */
export const withCommon = (options: Options): Options => ({ ...options, ...COMMON })

/** Returns the usage line of a command. */
export const usage = (name: string, { words }: Command): string => [PROGRAM, name, ...words, '[options]'].join(' ')

/** Returns the help for one command. */
export function helpOn (name: string, command: Command): string {
  const rows = Object.entries(withCommon(command.options)).map(([key, { value, help }]): [string, string] => [`--${key}${value ? ` ${value}` : ''}`, help])
  return `${usage(name, command)}\n\n${name} ${command.summary}.\n${command.note ? `\n${command.note}\n` : ''}\nOptions:\n${table(rows)}\n\nExample:\n  ${PROGRAM} ${name} ${command.example}\n`
}

/** Returns the list of all commands. */
export function overview (commands: ReadonlyMap<string, Command>): string {
  const rows = [...commands].map(([name, { words, summary }]): [string, string] => [[name, ...words].join(' '), summary])
  return `${PROGRAM} [command] [options]\n\nCommands:\n${table(rows)}\n\nRun ${PROGRAM} help <command> for details. The server reads its settings from the environment.\n`
}

function table (rows: Array<[string, string]>): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
