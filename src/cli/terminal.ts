// Interface of a command to its process, and the printer: text lines on a terminal, JSON lines for programs.
import { styleText } from 'node:util'
import type { Environment } from '../client/index.js'

export interface Output { readonly isTTY?: boolean | undefined, write: (text: string) => unknown }

export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  readonly stdout: Output
  readonly stderr: Output
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal
  /** Starts the server in this process, configured by `process.env`. */
  readonly serve: () => Promise<unknown>
  /** Overrides for the client, such as its clock and random numbers. */
  readonly platform?: Partial<Environment>
}

type Style = Parameters<typeof styleText>[0]
const LABEL_WIDTH = 8
// Control characters and bidirectional formatting characters: a payload must not control the terminal of its reader.
const STEERING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** Escapes the characters that can control a terminal. */
export function printable (text: string): string {
  return text.replace(STEERING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export class Printer {
  /** JSON lines: requested by an option, and whenever stdout is not a terminal. */
  readonly isJson: boolean
  readonly #output: Output
  readonly #hasColours: boolean
  #isUnfinished = false

  constructor ({ stdout, env }: Pick<Terminal, 'stdout' | 'env'>, json = false) {
    this.isJson = json || !stdout.isTTY
    this.#output = stdout
    this.#hasColours = !env.NO_COLOR && env.TERM !== 'dumb'
  }

  /** Prints one line. @param facts fields of the JSON line, besides `kind` @param label heading of the text line @param text text line */
  tell (kind: string, facts: object, label: string, text: string, style: Style = 'dim'): void {
    this.finish()
    this.#output.write(`${this.isJson ? printable(JSON.stringify({ kind, ...facts })) : this.#paint(style, label.padEnd(LABEL_WIDTH)) + printable(text)}\n`)
  }

  /** Prints the progress, in place of the previous one. */
  progress (text: string): void {
    if (this.isJson) return
    this.#isUnfinished = true
    this.#output.write(`\r\u001b[K${printable(text)}`)
  }

  /** Ends the progress line, which stays visible. */
  finish (): void {
    if (this.#isUnfinished) this.#output.write('\n')
    this.#isUnfinished = false
  }

  #paint (style: Style, text: string): string {
    return this.#hasColours ? styleText(style, printable(text), { validateStream: false }) : printable(text)
  }
}
