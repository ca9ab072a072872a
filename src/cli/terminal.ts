// What a command sees of the process that it runs in, and how it prints: lines for people on a terminal, JSON lines for programs.
import { styleText } from 'node:util'
import type { Environment } from '../client/index.js'

export interface Output { readonly isTTY?: boolean | undefined, write: (text: string) => unknown }

export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  readonly stdout: Output
  readonly stderr: Output
  /** Aborted once the user wants it to stop. */
  readonly signal: AbortSignal
  /** Becomes the server, with the settings in `process.env`. */
  readonly serve: () => Promise<unknown>
  /** What the client is given in place of its own clock and chance. */
  readonly platform?: Partial<Environment>
}

type Style = Parameters<typeof styleText>[0]
const LABEL_WIDTH = 8
// Control characters, and those that turn the direction of writing: a payload must not steer the terminal of who looks at it.
const STEERING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** A text without the power to do anything to a terminal. */
export function printable (text: string): string {
  return text.replace(STEERING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export class Printer {
  /** For programs: where it was asked for, and wherever nobody looks at it. */
  readonly isJson: boolean
  readonly #output: Output
  readonly #hasColours: boolean
  #isUnfinished = false

  constructor ({ stdout, env }: Pick<Terminal, 'stdout' | 'env'>, json = false) {
    this.isJson = json || !stdout.isTTY
    this.#output = stdout
    this.#hasColours = !env.NO_COLOR && env.TERM !== 'dumb'
  }

  /** Tells one thing. @param facts the line for programs, beside its `kind` @param label what it is, and @param text the line for people */
  tell (kind: string, facts: object, label: string, text: string, style: Style = 'dim'): void {
    this.finish()
    this.#output.write(`${this.isJson ? printable(JSON.stringify({ kind, ...facts })) : this.#paint(style, label.padEnd(LABEL_WIDTH)) + printable(text)}\n`)
  }

  /** Shows how far it is, in place of what it showed before. */
  progress (text: string): void {
    if (this.isJson) return
    this.#isUnfinished = true
    this.#output.write(`\r\u001b[K${printable(text)}`)
  }

  /** Lets the progress line stand. */
  finish (): void {
    if (this.#isUnfinished) this.#output.write('\n')
    this.#isUnfinished = false
  }

  #paint (style: Style, text: string): string {
    return this.#hasColours ? styleText(style, printable(text), { validateStream: false }) : printable(text)
  }
}
