// Blocks that are neither commands nor programs: complete answers, log lines, a message, a tree of files, a diagram.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../src/config.js'
import { RESERVED_TYPES } from '../../src/protocol/server-frames.js'
import { ROOT } from '../../src/root.js'
import type { Block } from './blocks.js'
import { faultsOfServerFrame } from './frames.js'
import type { Page } from './page.js'
import { differences } from './shapes.js'
import type { Frame } from '../peer.js'

/** Tests the head of an answer, as `curl -i` writes it: its status and its headers are among those of the real one. */
export function faultsOfHead ({ lines }: Block, answer = ''): string[] {
  const real = answer.split('\r\n')
  const names = real.map((line) => line.split(':')[0]!.toLowerCase())
  return [
    ...lines[0] === real[0] ? [] : [`it is ${real[0]}`],
    ...lines.slice(1).filter((line) => !names.includes(line.split(':')[0]!.toLowerCase())).map((line) => `there is no header ${line}`)
  ]
}

/** Tests a header that a request must have: with it the page's server answers. */
export async function faultsOfHeader (page: Page, { text }: Block): Promise<string[]> {
  await page.needServer()
  const [name, value] = text.split(': ') as [string, string]
  const { status } = await fetch(`${page.origin}/api/rooms`, { headers: { [name]: value } })
  return status === 200 ? [] : [`with ${text} the answer is ${status}`]
}

/** Position in the changes of all rooms, which differs for each server. */
const POSITION = /^id: \d+-\d+$/

/** Tests a stream, as `curl -N` writes it. */
export function faultsOfStream (page: Page, { lines }: Block): string[] {
  const real = (page.answer ?? '').split('\n').filter((line) => line !== ': ping')
  return lines.flatMap((line, index) => {
    if (POSITION.test(line)) return POSITION.test(real[index] ?? '') ? [] : [`${line} is ${real[index]}`]
    if (!line.startsWith('data: ')) return page.real(line) === real[index] ? [] : [`${line} is ${real[index]}`]
    const frame = JSON.parse(line.slice(6)) as Frame
    // A message without content has its meaning in its event.
    if (Object.keys(frame).length === 0) return line === real[index] ? [] : [`${line} is ${real[index]}`]
    return [...faultsOfServerFrame(frame), ...differences(frame, JSON.parse(real[index]!.slice(6)), page.learn, frame.type)]
  })
}

const sources = ['src', 'plugins'].flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(ROOT, folder, name)))
  .filter((file) => file.endsWith('.ts')).map((file) => readFileSync(file, 'utf8')).join('\n')

/** Messages composed at run time, such as `room ${change}`. */
const templates = [...sources.matchAll(/`(\w[^`\n]*\$\{[^`\n]*)`/g)].map(([, text]) => new RegExp(`^${text!.replace(/\$\{[^}]*\}/g, '\0').replace(/[^\w\s\0]/g, '\\$&').replaceAll('\0', '.+')}$`))

/** Tests log lines: the sentence of each is in the sources, up to an address that it may end with. */
export function faultsOfLog ({ lines }: Block): string[] {
  return lines.flatMap((line) => {
    const sentence = line.startsWith('{') ? JSON.parse(line).msg as string : /^\[(?:DEBUG|INFO|WARN)\] \S+Z - ([^{]+)/.exec(line)?.[1]?.trim()
    if (sentence === undefined) return [`${line} has not the form of a log line`]
    const text = sentence.split(/(?<= at )ws:/)[0]!.trim()
    return sources.includes(text) || templates.some((template) => template.test(text)) ? [] : [`nothing logs: ${text}`]
  })
}

const BAD: Record<string, string> = { 'must be integer': 'x', 'must be equal to one of': 'x', 'must be >= 1': '0' }

/** Tests the message for invalid settings: exactly this message appears with these settings. */
export function faultsOfMessage ({ text }: Block): string[] {
  const env = Object.fromEntries(text.replace('settings: ', '').split('; ').map((part) => {
    const [name] = part.split(' ') as [string]
    return [name, Object.entries(BAD).find(([rule]) => part.includes(rule))?.[1] ?? '']
  }))
  try {
    loadConfig(env)
    return ['these settings are accepted']
  } catch (error) {
    const message = `settings: ${(error as Error).message}`
    return message === text ? [] : [`it says ${message}`]
  }
}

/** Tests settings of a server: it starts with them. */
export function faultsOfSettings (env: NodeJS.ProcessEnv): string[] {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}

/** Tests a tree of files: each exists. An indented name is in the folder above it. */
export function faultsOfTree ({ lines }: Block): string[] {
  let folder = ''
  return lines.flatMap((line) => {
    const [, indentation, name] = /^( *)(\S+)/.exec(line)!
    if (indentation === '') folder = name!.endsWith('/') ? name! : ''
    const path = indentation === '' ? name! : folder + name!
    return existsSync(join(ROOT, path)) ? [] : [`there is no ${path}`]
  })
}

/** Tests a diagram: the names of frames in it are those of the protocol, except the backend's own. */
export function faultsOfDiagram ({ text }: Block): string[] {
  return [...text.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([name]) => name).filter((name) => !RESERVED_TYPES.has(name) && name !== 'PAYMENT_UPDATE')
    .map((name) => `${name} is no frame`)
}
