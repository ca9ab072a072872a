// The command line: its arguments, its help, and its errors on invalid arguments.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from '../../src/cli/command.js'
import { COMMANDS } from '../../src/cli/commands.js'
import { CliError, reasonOf } from '../../src/cli/cli-error.js'
import { withCommon } from '../../src/cli/help.js'
import { printable, Printer } from '../../src/cli/terminal.js'
import { ROOT, VERSION } from '../../src/root.js'
import { without } from '../installed.js'
import { cli } from './terminal.js'

t.test('--help names every command, and each command\'s help every option and an example', async (t) => {
  for (const help of ['--help', '-h']) {
    const all = cli(t, [help])
    t.equal(await all.exit, 0)
    for (const name of COMMANDS.keys()) t.match(all.stdout(), new RegExp(`^  ${name} .+`, 'm'))
  }
  for (const [name, command] of COMMANDS) {
    for (const args of [[name, '--help'], [name, 'x', '--nonsense', '-h']]) {
      const one = cli(t, args)
      t.equal(await one.exit, 0)
      t.ok(one.stdout().startsWith(`ws-payment-server ${[name, ...command.words].join(' ')} [options]\n`))
      for (const option of Object.keys(command.options)) t.match(one.stdout(), new RegExp(`^  --${option} .+`, 'm'))
      t.ok(one.stdout().endsWith(`Example:\n  ws-payment-server ${name} ${command.example}\n`))
      t.equal(one.stderr(), '')
    }
    t.doesNotThrow(() => parse(name, command, command.example.split(' ')), `the example of ${name}`)
  }
})

t.test('help prints the list of commands, or the help of one', async (t) => {
  for (const [args, flags] of [[['help'], ['--help']], [['help', 'send'], ['send', '--help']]] as const) {
    const [asked, expected] = [cli(t, [...args]), cli(t, [...flags])]
    t.equal(await asked.exit, 0)
    await expected.exit
    t.equal(asked.stdout(), expected.stdout())
  }
})

t.test('The completion script of each shell names every command and option', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { exit, stdout } = cli(t, ['completion', shell])
    t.equal(await exit, 0)
    for (const [name, { options }] of COMMANDS) {
      t.match(stdout(), new RegExp(`\\b${name}\\b`))
      for (const option of Object.keys(options)) t.match(stdout(), new RegExp(shell === 'fish' ? `-l ${option} ` : `--${option}\\b`))
    }
  }
})

t.test('bash completes a command, an option and its values', { skip: without('bash', 'bash') }, async (t) => {
  const { exit, stdout } = cli(t, ['completion', 'bash'])
  await exit
  const complete = (...words: string[]) => spawnSync('bash', ['-c', `${stdout()}
    COMP_WORDS=(ws-payment-server "$@") COMP_CWORD=$#
    _ws_payment_server
    echo "\${COMPREPLY[@]}"`, 'bash', ...words], { encoding: 'utf8' }).stdout.trim()
  t.equal(complete('sim'), 'simulate')
  t.equal(complete('report', '--trans'), '--transaction-id')
  t.equal(complete('rooms', '--status', 'p'), 'pending processing partially_refunded')
  t.equal(complete('rooms', '--status', 'paid', '--sta'), '--status --stalled')
  t.equal(complete('completion', ''), 'bash zsh fish')
  t.equal(complete('help', 'clo'), 'close')
})

t.test('A decimal is a number, or text where a number would have other digits', async (t) => {
  const rule = { words: [], options: { amount: { type: 'decimal', help: '' } } } as const
  for (const [written, value] of [
    ['99.90', 99.9], ['1', 1], ['1.00', 1], ['007.50', 7.5], ['0', 0], ['0.10', 0.1], ['100', 100], ['999999999999999', 999999999999999],
    ['12345678901234567.89', '12345678901234567.89'], ['9007199254740993', '9007199254740993'], ['0.10000000000000000001', '0.10000000000000000001'],
    ['0.0000001', '0.0000001']
  ] as const) t.strictSame(parse('send', rule, ['--amount', written]).values, { amount: value }, written)
})

t.test('The reference has every command, in both languages', async (t) => {
  for (const file of ['docs/reference/cli.md', 'docs/reference/cli.pt-BR.md']) {
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const [name, { words }] of COMMANDS) t.ok(text.includes(`| \`${[name, ...words].join(' ')}\` |`), `${name} in ${file}`)
  }
})

t.test('--version prints the version, alone or with a command', async (t) => {
  for (const args of [['--version'], ['-v'], ['join', '--version'], ['join', '-v']]) {
    const { exit, stdout } = cli(t, args)
    t.equal(await exit, 0)
    t.equal(stdout(), `${VERSION}\n`)
  }
})

t.test('Invalid arguments print a sentence and the usage on standard error, nothing else, and exit with 64', async (t) => {
  const nonsense: Array<[string[], RegExp]> = [
    [['dance'], /unknown command 'dance'\n.+\n\nCommands:/],
    [['toString'], /unknown command/],
    [['simulat'], /unknown command 'simulat'; did you mean simulate\?\n/],
    [['help', 'jion'], /unknown command 'jion'; did you mean join\?\n/],
    [['send', 'a', 'CLICKED_PAI'], /; did you mean CLICKED_PAY\?\n/],
    [['report', 'a', 'sucess'], /the result must be one of success, .+; did you mean success\?\n/],
    [['report', 'a', 'pending', '--amount', '1'], /--amount does not apply to PAYMENT_PENDING/],
    [['completion', 'tcsh'], /<shell> must be bash or zsh or fish/],
    [['--nope'], /Unknown option '--nope'\nusage: ws-payment-server start/],
    [['join'], /join requires <room>\nusage: ws-payment-server join <room> \[options\]\nmore: ws-payment-server join --help\n$/],
    [['join', 'a', 'b'], /unexpected argument 'b'/],
    [['join', 'a', '--rol', 'device1'], /Unknown option '--rol'; did you mean --role\?\n/],
    [['join', 'a', '--role', 'device3'], /--role must be device1 or device2/],
    [['join', 'a', '--device-id'], /'--device-id <value>' argument missing/],
    [['join', 'a', '--json=1'], /'--json' does not take an argument/],
    [['join', 'a', '--url', ''], /--url must not be empty/],
    [['join', 'a', '--url', 'localhost:8080'], /--url must be a URL such as ws:/],
    [['join', 'a', '--url', 'ws://'], /--url must be a URL/],
    [['watch', 'a', '--timeout', '0'], /--timeout must be a number from 0\.05 to 3600/],
    [['start', '--port', '65536'], /--port must be a whole number from 0 to 65535/],
    [['start', '--port', '80.5'], /--port must be/],
    [['send', 'a'], /send requires <event>/],
    [['send', 'a', 'JOIN_ROOM'], /the event must be one of ENTERED_SUMMARY, /],
    [['send', 'a', 'CLICKED_PAY', '--amount', '1'], /--amount does not apply to CLICKED_PAY/],
    [['send', 'a', 'PAYMENT_ERROR', '--transaction-id', 'tx'], /--transaction-id does not apply to PAYMENT_ERROR/],
    [['send', 'a', 'PAYMENT_SUCCESS', '--amount', '1e3'], /--amount must be a number from 0\n/],
    [['send', 'a', 'PAYMENT_SUCCESS', '--amount', '-5'], /'--amount' argument is ambiguous\. Did you forget/],
    [['send', 'a', 'PAYMENT_EXPIRED', '--api-key', 'k'], /the event must be one of .+ PAYMENT_DISPUTED\n/],
    [['send', 'a', 'PAYMENT_PENDING'], /only a backend sends PAYMENT_PENDING: pass --api-key, or set API_KEY in the environment\n/],
    [['send', 'a', 'PAYMENT_REFUNDED', '--reason', 'x', '--api-key', 'k'], /--reason does not apply to PAYMENT_REFUNDED/],
    [['send', 'a', 'PAYMENT_DISPUTED', '--outcome', 'draw', '--api-key', 'k'], /--outcome must be opened or won or lost/],
    [['send', 'a', 'PAYMENT_PENDING', '--expires-at', 'tomorrow', '--api-key', 'k'], /--expires-at must be a whole number/],
    [['send', 'a', 'CLICKED_PAY', '--token', 't', '--api-key', 'k'], /--token does not apply to an event of a backend/],
    [['send', 'a', 'CLICKED_PAY', '--device-id', 'd', '--api-key', 'k'], /--device-id does not apply to an event of a backend/],
    [['simulate', 'a', '--fail', 'often'], /--fail must be once or always/],
    [['simulate', 'a', '--payments', '1.5'], /--payments must be a whole number from 1 to 1000/],
    [['token', 'a'], /token requires --role/],
    [['token', 'a', '--role', 'device1'], /token requires TOKEN_SECRET or API_KEY in the environment/],
    [['token', 'a b', '--role', 'device1'], /the room must have/],
    [['token', 'a', '--role', 'device1', '--device-id', '\u0007'], /--device-id must have/],
    [['token', 'a', '--role', 'device1', '--token-secret', 'x'], /Unknown option/]
  ]
  for (const [args, sentence] of nonsense) {
    const { exit, stdout, stderr } = cli(t, args, { serve: async () => t.fail('it started') })
    t.equal(await exit, 64, args.join(' '))
    t.match(stderr(), /^ws-payment-server: /)
    t.match(stderr(), sentence)
    t.equal(stdout(), '')
  }
})

t.test('No command, or start, starts the server, with the options in place of the settings', async (t) => {
  let starts = 0
  const serve = async () => { starts++ }
  for (const [args, expected] of [
    [[], { PORT: '1', HOST: 'h', LOG_LEVEL: 'warn' }],
    [['--port', '3000'], { PORT: '3000', HOST: 'h', LOG_LEVEL: 'warn' }],
    [['start', '--port=0', '--host', '::1'], { PORT: '0', HOST: '::1', LOG_LEVEL: 'warn' }]
  ] as Array<[string[], Record<string, string>]>) {
    const env: Record<string, string> = { PORT: '1', HOST: 'h', LOG_LEVEL: 'warn' }
    t.equal(await cli(t, args, { env, serve }).exit, undefined, 'the process goes on')
    t.strictSame(env, expected)
  }
  t.equal(starts, 3)
})

t.test('A bug is not reported as a fault: the error is thrown', async (t) => {
  const args: Parameters<typeof COMMANDS['get']>[0] = 'start'
  await t.rejects(COMMANDS.get(args)!.run([], {}, { env: {}, serve: () => { throw new Error('bug') } } as never), /bug/)
  const { exit } = cli(new FakeTest() as never, ['start'], { serve: async () => { throw new Error('bug') } })
  await t.rejects(exit, /bug/)
})

/** Test that does not wait for the run, which is expected to fail. */
class FakeTest { teardown (): void {} }

t.test('Colours are printed only on a terminal, and not with NO_COLOR or TERM=dumb', async (t) => {
  const line = (isTTY: boolean, env: Record<string, string> = {}, json = false) => {
    let written = ''
    const printer = new Printer({ stdout: { isTTY, write: (text) => { written += text } }, env }, json)
    printer.progress('half')
    printer.tell('state', { a: '\u009b' }, 'state', 'done \u001b[2J', 'red')
    printer.finish()
    return written
  }
  t.equal(line(true), '\r\u001b[Khalf\n\u001b[31mstate   \u001b[39mdone \\u001b[2J\n')
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) t.equal(line(true, env), '\r\u001b[Khalf\nstate   done \\u001b[2J\n')
  for (const json of [line(false), line(true, {}, true)]) {
    t.equal(json, '{"kind":"state","a":"\\u009b"}\n')
    t.strictSame(JSON.parse(json), { kind: 'state', a: '\u009b' }, 'the JSON still holds the same value')
  }
})

t.test('Printed text cannot steer a terminal', async (t) => {
  t.equal(printable('Pagamento: ✓ ção'), 'Pagamento: ✓ ção')
  t.equal(printable('\u001b]0;x\u0007\r\n\u0085\u202e\u2066'), '\\u001b]0;x\\u0007\\u000d\\u000a\\u0085\\u202e\\u2066')
})

t.test('An error of the network is printed with its most specific reason', async (t) => {
  t.equal(reasonOf(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })), 'connect ECONNREFUSED')
  t.equal(reasonOf(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })), 'ECONNREFUSED')
  t.equal(reasonOf(new Error('')), 'Error')
})

t.test('help and version are options of every command, and hide none of its own', async (t) => {
  for (const [name, { options }] of COMMANDS) t.strictSame(Object.keys(options).filter((option) => ['help', 'version'].includes(option)), [], name)
  t.strictSame(Object.keys(withCommon({})), ['help', 'version'])
  t.ok(new CliError(64, '') instanceof Error)
})
