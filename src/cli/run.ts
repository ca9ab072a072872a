// Command line dispatcher: finds the command, runs it, and maps the result to an exit code.
import { setMaxListeners } from 'node:events'
import { VERSION } from '../root.js'
import { parse } from './command.js'
import { COMMANDS } from './commands.js'
import { EXIT, CliError, usageError } from './cli-error.js'
import { helpOn, overview, PROGRAM, usage, withCommon } from './help.js'
import { didYouMean } from './suggestion.js'
import { printable, type Terminal } from './terminal.js'

/**
 * @param args arguments after the program's name
 * @returns the exit code, or undefined if the process keeps running
 */
export async function run (args: string[], terminal: Terminal): Promise<number | undefined> {
  const [first = 'start', ...rest] = args
  const [name, words] = first.startsWith('-') ? ['start', args] : [first, rest]
  const command = COMMANDS.get(name)
  // Each of many payments waits for the signal by itself.
  setMaxListeners(0, terminal.signal)
  try {
    if (first === 'help') return print(terminal, helpFor(rest[0]))
    if (first === '--help' || first === '-h') return print(terminal, overview(COMMANDS))
    if (!command) throw unknownCommand(name)
    // Checked before parsing: --help works on a command line that is otherwise invalid.
    if (words.includes('--help') || words.includes('-h')) return print(terminal, helpOn(name, command))
    if (words.includes('--version') || words.includes('-v')) return print(terminal, `${VERSION}\n`)
    const parsed = parse(name, { ...command, options: withCommon(command.options) }, words)
    return await command.run(parsed.words, parsed.values, terminal)
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    terminal.stderr.write(`${PROGRAM}: ${printable(error.message)}${error.code === undefined ? '' : ` (${printable(error.code)})`}\n`)
    if (error.exit === EXIT.usage) terminal.stderr.write(command ? `usage: ${usage(name, command)}\nmore: ${PROGRAM} ${name} --help\n` : overview(COMMANDS))
    return error.exit
  }
}

/** Help for a command, or the list of all commands. @throws {CliError} if there is no such command */
function helpFor (name: string | undefined): string {
  if (name === undefined) return overview(COMMANDS)
  const command = COMMANDS.get(name)
  if (!command) throw unknownCommand(name)
  return helpOn(name, command)
}

const unknownCommand = (name: string) => usageError(`unknown command '${name}'${didYouMean(name, COMMANDS.keys())}`)

function print ({ stdout }: Terminal, text: string): number {
  stdout.write(text)
  return 0
}
