// The arguments of a log call, reduced to what may be written: errors to an allow-list of their keys, texts without secrets.
import { isNativeError } from 'node:util/types'

/** Fields of the everyday lines, whose texts are validated names: reading each of them would make a line a third more expensive. */
const IDENTIFIERS: ReadonlySet<string> = new Set(['roomId', 'clientId', 'deviceId', 'role', 'type', 'address'])

/** Keys of an error that are written where they hold a name or a number of this form. Everything else that a library puts on its errors is left out. */
const ERROR_KEYS = ['code', 'statusCode', 'errno', 'syscall', 'address', 'hostname', 'port'] as const
const NAME = /^[\w$.:%|-]{1,64}$/

/** Characters of an error's message. */
const MAX_MESSAGE = 300
/** Frames of a stack, and characters of each: a module may be named by its source (`data:`). */
const MAX_FRAMES = 20
const MAX_FRAME = 300
/** Levels of causes below an error, and of objects below a field. */
const MAX_DEPTH = 4
/** Members of an `AggregateError`, and of any array. */
const MAX_MEMBERS = 10

/** Shorter secrets are ordinary words, and are looked for as whole words only. */
const MIN_UNMISTAKABLE = 8

const REDACTED = '[redacted]'

/** A signed token (its first part is short, and an end keeps the search linear), the query of an address, and the user and password of one. */
const CREDENTIALS = /eyJ[\w-]{5,512}\.[\w-]+\.[\w-]*|(?<=[\w/*])\?[\w.~%-]+=[^\s"']*|(?<=:\/\/)[^\s/]*(?=@)/g

/** Libraries quote their input in messages: `Unexpected token 'x', "…" is not valid JSON`, `unknown command 'EVALSHA', with args beginning with: '…'`. */
const QUOTATION = /(?:["`{]|\[(?!redacted\])|(?<!\w)')[^]*$/

/** E-mail addresses (64 characters before the `@`, RFC 5321 §4.5.3.1.1), the numbers of people and companies (CPF, CNPJ), and every long number. */
const PERSONAL = /[^\s@]{1,64}@[^\s@]+|\d{3}\.\d{3}\.\d{3}-\d{2}|\d{2}\.\d{3}\.\d{3}\/\d{4}-\d{2}|\d{9,}/g

const FRAME = /^ {4}at .*$/gm

/** Reduces log calls for one process. What needs no reduction is passed on as it is, since a relayed event may be a line. */
export class LogFields {
  readonly #secrets: RegExp | undefined
  readonly #shortest: number

  /** @param secrets texts of the settings that must not be written */
  constructor (secrets: readonly string[]) {
    // The longest first: one may begin with another.
    const patterns = [...secrets].sort((a, b) => b.length - a.length).map((secret) => {
      const literal = secret.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
      return secret.length < MIN_UNMISTAKABLE ? String.raw`(?<!\w)${literal}(?!\w)` : literal
    })
    if (patterns.length > 0) this.#secrets = new RegExp(patterns.join('|'), 'g')
    this.#shortest = Math.min(...secrets.map(({ length }) => length))
  }

  /** @param args of a pino method: fields or an error and then a sentence, or a sentence; and what the sentence's placeholders stand for */
  ofCall (args: readonly unknown[]): unknown[] {
    const [first, sentence] = args
    if (args.length === 2 && typeof sentence === 'string' && isPlain(first)) return [this.of(first), this.#sentence(sentence, first)]
    const texts = args.slice(1).map((value) => this.#isError(value) ? this.#summary(value) : this.#value(value, 0))
    if (!this.#isError(first)) return [this.of(first), ...texts]
    const err = this.#error(first, 0)
    return [{ err }, ...(texts.length > 0 ? texts : [err.message])]
  }

  /** @param fields of a line or of a child logger; anything that is no plain object is named by its class */
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

  /** A sentence is sometimes the message of the error beside it. */
  #sentence (sentence: string, { err }: { err?: unknown }): string {
    return err !== undefined && (err as Error | null)?.message === sentence ? this.#messageText(sentence) : this.#text(sentence)
  }

  #value (value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.#text(value)
    if (typeof value !== 'object' || value === null || value instanceof Date) return value
    if (this.#isError(value)) return this.#error(value, depth)
    // A class may hold anything, a request's body or a command's arguments, and may write itself as it likes (`toJSON`).
    if (depth >= MAX_DEPTH || !(Array.isArray(value) || isPlain(value))) return `[${className(value) ?? 'Object'}]`
    if (Array.isArray(value)) return value.slice(0, MAX_MEMBERS).map((member) => this.#value(member, depth + 1))
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.#value(member, depth + 1)]))
  }

  /** A thrown value may be any object; one with a stack is an error, wherever it was made. */
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
    // A command of Redis: its name without its arguments.
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

  /** The frames alone: an original stack begins with the message as it was thrown. */
  #stack (head: string, stack: string, message: unknown): string {
    const frames = (typeof message === 'string' ? stack.replace(message, () => '') : stack).match(FRAME) ?? []
    return this.#text([head, ...frames.slice(0, MAX_FRAMES).map((frame) => frame.slice(0, MAX_FRAME))].join('\n'))
  }

  /** A message up to where it begins to quote. */
  #messageText (message: unknown): string {
    if (typeof message !== 'string') return ''
    return this.#text(message).replace(QUOTATION, '…').replace(PERSONAL, REDACTED).slice(0, MAX_MESSAGE)
  }

  #request ({ method, url, ip }: { method?: unknown, url?: unknown, ip?: unknown }): object {
    return { method: this.#value(method, 0), url: typeof url === 'string' ? this.#text(url.split('?', 1)[0]!) : undefined, remoteAddress: ip }
  }

  #text (text: string): string {
    const known = this.#secrets && text.length >= this.#shortest ? text.replace(this.#secrets, REDACTED) : text
    return known.includes('?') || known.includes('://') || known.includes('eyJ') ? known.replace(CREDENTIALS, REDACTED) : known
  }
}

/** Undefined for an object without a prototype. */
function className (value: object): string | undefined { return (value.constructor as { name?: string } | undefined)?.name }

function isPlain (value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
