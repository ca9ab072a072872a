// State of one page while its blocks run from the top to the end: its server, its shell, its sockets, and the names learned on the way.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { ConfigSchema } from '../../src/config.js'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { clientModules, startExample } from '../examples/example.js'
import { Peer } from '../peer.js'
import { SETTINGS } from './settings.js'

type Environment = Record<string, string>

/** Commands that do not run as shown: the server and the examples come from the test, and installed packages from npm. */
const PRELUDE = `
set -eu
unset NODE_OPTIONS # see plain-node.ts
KEY=\${KEY-}
set -a
curl () { case "$*" in *event-stream*|*Upgrade*) command curl -sS --max-time 3 "$@" || [ $? = 28 ];; *) command curl -sS --max-time 30 "$@";; esac; }
npm () { if [ "$1" = start ]; then env -0 > "$NOTES/start"; else echo "$*" >> "$NOTES/npm"; fi; }
npx () { [ "$1" = ws-payment-server ]; shift; command node dist/src/cli/index.js "$@" --url "$SERVER"; }
node () { case "$1" in examples/*) echo "$1" > "$NOTES/file"; env -0 > "$NOTES/example";; *) command node "$@";; esac; }
trap 'env -0 > "$NOTES/after"' EXIT
`
const NOT_KEPT = /^(PWD|SHLVL|_|NOTES|SERVER|PATH|OLDPWD)$/
const environment = (text: string): Environment => Object.fromEntries(text.split('\0').filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
const settingsIn = (env: Environment) => Object.fromEntries(Object.entries(env).filter(([name]) => name in ConfigSchema.properties && name !== 'PORT'))

export class Page {
  app: FastifyInstance | undefined
  port = 0
  /** Answer of the last command, until a block has shown it. */
  answer: string | undefined
  /** Shared socket of the page's transcripts. */
  peer: Peer | undefined
  /** Names of the npm scripts in the page's commands. */
  readonly scripts: string[] = []
  readonly #names = new Map<string, string>()
  #shell: Environment = {}

  constructor (readonly t: Test, readonly file: string) {}

  get url (): string { return `ws://127.0.0.1:${this.port}` }
  get origin (): string { return `http://127.0.0.1:${this.port}` }

  readonly learn = (shown: string, real: string): void => { this.#names.set(shown, real) }

  /** Replaces the names in a text of the page with the real ones. */
  real (text: string): string {
    let result = text
    for (const [shown, real] of this.#names) result = result.replaceAll(shown, real)
    return result.replaceAll('localhost:8080', `127.0.0.1:${this.port}`)
  }

  /** Starts the page's server, or replaces it. */
  async start (env: Environment = {}): Promise<void> {
    this.peer?.socket.terminate()
    this.peer = undefined
    await this.app?.close()
    const { app, port } = await listen(this.t, { env })
    this.app = app
    this.port = port
  }

  async needServer (): Promise<void> {
    const { env, shell } = SETTINGS[this.file] ?? {}
    if (this.app) return
    Object.assign(this.#shell, shell)
    await this.start(env)
  }

  /** Sends a request as a backend with the page's key. */
  async ask (method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object): Promise<any> {
    const authorization = this.#shell.KEY ? { authorization: `Bearer ${this.#shell.KEY}` } : {}
    const response = await this.app!.inject({ method, url: path, headers: authorization, ...(payload && { payload }) })
    return response.body && response.json()
  }

  /** @returns the output; rejects on failure */
  async run (commands: string): Promise<{ output: string, env: Environment }> {
    await this.needServer()
    const notes = mkdtempSync(join(tmpdir(), 'docs-'))
    const child = spawn('bash', ['-c', `${PRELUDE}${this.real(commands)}`], { cwd: ROOT, env: { PATH: process.env.PATH, ...this.#shell, NOTES: notes, SERVER: this.url }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk) => { output += String(chunk) })
    child.stderr.on('data', (chunk) => { errors += String(chunk) })
    const [code] = await once(child, 'close')
    const note = (name: string) => existsSync(join(notes, name)) ? readFileSync(join(notes, name), 'utf8') : undefined
    const [after, started, example, file, npm] = ['after', 'start', 'example', 'file', 'npm'].map(note)
    rmSync(notes, { recursive: true })
    if (code !== 0) throw new Error(`exit code ${code}: ${errors}${output}`)
    const env = environment(after ?? '')
    this.#shell = Object.fromEntries(Object.entries(env).filter(([name]) => !NOT_KEPT.test(name)))
    this.scripts.push(...(npm ?? '').split('\n').filter(Boolean))
    if (started !== undefined) await this.start(settingsIn(environment(started)))
    if (example !== undefined) await this.#startExample(file!.trim(), environment(example))
    return { output, env }
  }

  async #startExample (file: string, { KEY = '', WEBHOOK_SECRET = '', TOKEN_SECRET = '' }: Environment): Promise<void> {
    const { origin } = await startExample(this.t, file, { KEY, WEBHOOK_SECRET, TOKEN_SECRET, SERVER: this.origin, CLIENT: await clientModules(this.t) })
    const port = /PORT = (\d+)/.exec(readFileSync(join(ROOT, file), 'utf8'))![1]!
    this.learn(`http://localhost:${port}`, origin)
  }

  /** Opens a socket and sends these frames, none of which may be refused. */
  async send (...frames: string[]): Promise<Peer> {
    await this.needServer()
    const peer = await Peer.connect(this.t, this.url)
    for (const frame of frames) peer.socket.send(this.real(frame))
    await peer.settled()
    return peer
  }

  get shell (): Readonly<Environment> { return this.#shell }
}
