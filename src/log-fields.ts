// Reduces the arguments of a log call to loggable data: errors to an allow-list of keys, text without secrets and personal data.
import { isNativeError } from 'node:util/types'

/** Fields of frequent lines whose strings are validated identifiers: scanning each of them would make a line a third more expensive. */
const IDENTIFIERS: ReadonlySet<string> = new Set(['roomId', 'clientId', 'deviceId', 'role', 'type', 'address'])

/** Error properties that are logged if they hold a number or a text that matches NAME. All other properties that a library sets on its errors are dropped. */
const ERROR_KEYS = ['code', 'statusCode', 'errno', 'syscall', 'address', 'hostname', 'port'] as const
const NAME = /^[\w$.:%|-]{1,64}$/

/** Maximum length of an error message, characters. */
const MAX_MESSAGE = 300
/** Maximum stack frames, and characters of each: a frame may name a module by its whole source (`data:` URL). */
const MAX_FRAMES = 20
const MAX_FRAME = 300
/** Maximum depth of causes below an error, and of objects below a field. */
const MAX_DEPTH = 4
/** Maximum members of an `AggregateError`, and of any array. */
const MAX_MEMBERS = 10

/** Secrets with fewer characters may be ordinary words, and match as whole words only. */
const MIN_UNMISTAKABLE = 8

const REDACTED = '[redacted]'

/** Matches a JWT (the length limit on its header keeps the search linear), the query string of a URL, and the user and password of a URL. */
const CREDENTIALS = /eyJ[\w-]{5,512}\.[\w-]+\.[\w-]*|(?<=[\w/*])\?[\w.~%-]+=[^\s"']*|(?<=:\/\/)[^\s/]*(?=@)/g

/** Quoted input in a library's message, to its end: `Unexpected token 'x', "…" is not valid JSON`, `unknown command 'EVALSHA', with args beginning with: '…'`. */
const QUOTATION = /(?:["`{]|\[(?!redacted\])|(?<!\w)')[^]*$/

/** E-mail addresses (up to 64 characters before the `@`, RFC 5321 §4.5.3.1.1), Brazilian tax numbers (CPF, CNPJ), and every number of nine or more digits. */
const PERSONAL = /[^\s@]{1,64}@[^\s@]+|\d{3}\.\d{3}\.\d{3}-\d{2}|\d{2}\.\d{3}\.\d{3}\/\d{4}-\d{2}|\d{9,}/g

const FRAME = /^ {4}at .*$/gm

/** Reduces the log calls of one process. Arguments that need no reduction are returned uncopied, since every relayed event may log a line. */
export class LogFields {
  readonly #secrets: RegExp | undefined
  readonly #shortest: number

  /** @param secrets values in the settings that must not be logged */
  constructor (secrets: readonly string[]) {
    // Longest first: one secret may begin with another.
    const patterns = [...secrets].sort((a, b) => b.length - a.length).map((secret) => {
      const literal = secret.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
      return secret.length < MIN_UNMISTAKABLE ? String.raw`(?<!\w)${literal}(?!\w)` : literal
    })
    if (patterns.length > 0) this.#secrets = new RegExp(patterns.join('|'), 'g')
    this.#shortest = Math.min(...secrets.map(({ length }) => length))
  }

  /** @param args arguments of a pino method: fields or an error and then a message, or a message alone; then the values of the message's placeholders */
  ofCall (args: readonly unknown[]): unknown[] {
    const [first, sentence] = args
    if (args.length === 2 && typeof sentence === 'string' && isPlain(first)) return [this.of(first), this.#sentence(sentence, first)]
    const texts = args.slice(1).map((value) => this.#isError(value) ? this.#summary(value) : this.#value(value, 0))
    if (!this.#isError(first)) return [this.of(first), ...texts]
    const err = this.#error(first, 0)
    return [{ err }, ...(texts.length > 0 ? texts : [err.message])]
  }

  /** @param fields fields of a line or bindings of a child logger; a class instance is logged as its class name */
  of (fields: unknown): unknown {
    if (typeof fields !== 'object' || fields === null) return this.#value(fields, 0)
    if (!isPlain(fields)) return { value: this.#value(fields, 0) }
    let written = fields
    for (const key in fields) {
      const value = fields[key]
      if (typeof value === 'string' ? IDENTIFIERS.has(key) : typeof value !== 'object') continue
      const reduced = this.#field(key, value as string | object | null)
      if (reduced === value) continue
      if (written === fields) written = { ...fields }
      written[key] = reduced
    }
    return written
  }

  #field (key: string, value: string | object | null): unknown {
    switch (key) {
      case 'err':
      case 'error': return typeof value === 'string' ? this.#messageText(value) : value && this.#error(value, 0)
      case 'req': return value && this.#request(value as object)
      case 'res': return value && { statusCode: (value as { statusCode?: unknown }).statusCode }
      default: return this.#value(value, 0)
    }
  }

  /** Reduces the message of a line, which is sometimes a copy of the message of its error. */
  #sentence (sentence: string, { err }: { err?: unknown }): string {
    return err !== undefined && (err as Error | null)?.message === sentence ? this.#messageText(sentence) : this.#text(sentence)
  }

  #value (value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.#text(value)
    if (typeof value !== 'object' || value === null || value instanceof Date) return value
    if (this.#isError(value)) return this.#error(value, depth)
    // A class instance may hold anything, such as a request body or command arguments, and may define its own `toJSON`.
    if (depth >= MAX_DEPTH || !(Array.isArray(value) || isPlain(value))) return `[${className(value) ?? 'Object'}]`
    if (Array.isArray(value)) return value.slice(0, MAX_MEMBERS).map((member) => this.#value(member, depth + 1))
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.#value(member, depth + 1)]))
  }

  /** A thrown value may be any object; one with a stack counts as an error, including one from another realm. */
  #isError (value: unknown): value is Error {
    if (typeof value !== 'object' || value === null) return false
    return isNativeError(value) || value instanceof Error || typeof (value as Error).stack === 'string'
  }

  #error (error: object, depth: number): Record<string, unknown> {
    const { name, message, stack, command, cause, errors } = error as Record<string, unknown>
    const type = [name, className(error)].find((text) => typeof text === 'string' && text !== 'Error' && NAME.test(text)) ?? 'Error'
    const written: Record<string, unknown> = { type, message: this.#messageText(message) }
    for (const key of ERROR_KEYS) {
      const value = (error as Record<string, unknown>)[key]
      if (Number.isFinite(value) || (typeof value === 'string' && NAME.test(value))) written[key] = this.#value(value, depth)
    }
    // Log a Redis command by its name, without its arguments.
    const commandName = (command as { name?: unknown } | null | undefined)?.name
    if (typeof commandName === 'string' && NAME.test(commandName)) written.command = this.#text(commandName)
    if (typeof stack === 'string') written.stack = this.#stack(`${type}: ${written.message}`, stack, message)
    if (depth >= MAX_DEPTH) return written
    if (typeof cause === 'object' && cause !== null) written.cause = this.#error(cause, depth + 1)
    else if (cause !== undefined && cause !== null) written.cause = this.#messageText(cause)
    if (Array.isArray(errors)) {
      written.aggregateErrors = errors.filter((member) => this.#isError(member)).slice(0, MAX_MEMBERS).map((member) => this.#error(member, depth + 1))
    }
    return written
  }

  #summary (error: object): string {
    const { type, message } = this.#error(error, MAX_DEPTH)
    return `${type}: ${message}`
  }

  /** Keeps the stack frames only: an original stack begins with the unreduced message. */
  #stack (head: string, stack: string, message: unknown): string {
    const frames = (typeof message === 'string' ? stack.replace(message, () => '') : stack).match(FRAME) ?? []
    return this.#text([head, ...frames.slice(0, MAX_FRAMES).map((frame) => frame.slice(0, MAX_FRAME))].join('\n'))
  }

  /** Cuts an error message at its first quotation and redacts personal data. */
  #messageText (message: unknown): string {
    if (typeof message !== 'string') return ''
    return this.#text(message).replace(QUOTATION, '…').replace(PERSONAL, REDACTED).slice(0, MAX_MESSAGE)
  }

  #request ({ method, url, ip }: { method?: unknown, url?: unknown, ip?: unknown }): object {
    return { method: this.#value(method, 0), url: typeof url === 'string' ? this.#text(url.split('?', 1)[0]!) : undefined, remoteAddress: ip }
  }

  #text (text: string): string {
    const redacted = this.#secrets && text.length >= this.#shortest ? text.replace(this.#secrets, REDACTED) : text
    return redacted.includes('?') || redacted.includes('://') || redacted.includes('eyJ') ? redacted.replace(CREDENTIALS, REDACTED) : redacted
  }
}

/** @returns undefined for an object without a prototype */
function className (value: object): string | undefined { return (value.constructor as { name?: string } | undefined)?.name }

function isPlain (value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
