// completion: prints the script with which a shell completes the commands and their options.
import { command, type Command } from './command.js'
import { PROGRAM, withCommon } from './help.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const

/** @param commands all commands, once the table has them */
export const completionOf = (commands: () => ReadonlyMap<string, Command>): Command => command({
  summary: `prints the completion script of a shell: ${SHELLS.join(', ')}`,
  words: ['<shell>'],
  note: `For bash: source <(${PROGRAM} completion bash)\nFor zsh: source <(${PROGRAM} completion zsh)\nFor fish: ${PROGRAM} completion fish | source`,
  example: 'bash',
  wordsOneOf: { '<shell>': SHELLS },
  options: {},
  run: async ([shell], _values, { stdout }) => {
    stdout.write(SCRIPTS[shell as typeof SHELLS[number]](commands()))
    return 0
  }
})

const optionsOf = ({ options }: Command): string[] => Object.keys(withCommon(options)).map((name) => `--${name}`)

/** Values after a word of a command: those of an option, or of the command's first argument. */
const valuesOf = ([name, { words, options, wordsOneOf = {} }]: [string, Command]): Array<[after: string, values: readonly string[]]> => [
  ...Object.entries(options).flatMap(([option, { oneOf }]): Array<[string, readonly string[]]> => oneOf ? [[`--${option}`, oneOf]] : []),
  ...[wordsOneOf[words[0] ?? '']].flatMap((values): Array<[string, readonly string[]]> => values ? [[name, values]] : [])
]

const SCRIPTS: Readonly<Record<typeof SHELLS[number], (commands: ReadonlyMap<string, Command>) => string>> = {
  bash: (commands) => `_ws_payment_server () {
  local words
  case "\${COMP_WORDS[1]}" in
${[...commands].map(([name, rule]) => `    ${name}) words='${optionsOf(rule).join(' ')}' ;;`).join('\n')}
    *) words='${[...commands.keys(), 'help'].join(' ')}' ;;
  esac
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD-1]}" in
${[...commands].flatMap((entry) => valuesOf(entry).map(([after, values]) => `    '${entry[0]} ${after}') words='${values.join(' ')}' ;;`)).join('\n')}
  esac
  [ "$COMP_CWORD" -gt 1 ] || words='${[...commands.keys(), 'help'].join(' ')}'
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _ws_payment_server ${PROGRAM}
`,
  // zsh runs the functions of bash.
  zsh: (commands) => `autoload -U +X bashcompinit && bashcompinit\n${SCRIPTS.bash(commands)}`,
  fish: (commands) => [...commands].flatMap(([name, rule]) => [
    `complete -c ${PROGRAM} -f -n __fish_use_subcommand -a ${name} -d '${rule.summary.replaceAll("'", "\\'")}'`,
    ...Object.entries(withCommon(rule.options)).map(([option, { help, oneOf }]) =>
      `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${name}' -l ${option}${oneOf ? ` -x -a '${oneOf.join(' ')}'` : ''} -d '${help.replaceAll("'", "\\'")}'`)
  ]).join('\n') + '\n'
}
