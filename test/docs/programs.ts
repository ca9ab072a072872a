// Programs on a page: run as a reader would run them, in their own folder, in a browser, or by nginx.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { browserModule } from '../../src/http/browser-module.js'
import { ROOT } from '../../src/root.js'
import { openPage } from '../chromium.js'
import { without } from '../installed.js'
import { Peer } from '../peer.js'
import { plainNode } from '../plain-node.js'
import { freePort } from '../free-port.js'
import { until } from '../until.js'
import type { Page } from './page.js'

export const withoutNginx = without('nginx', 'nginx-light')

/** Trims the indentation of lines: an excerpt may be less indented than its file. */
const flat = (text: string) => text.split('\n').map((line) => line.trim()).join('\n')
const SOURCES = ['deploy/nginx', ...readdirSync(join(ROOT, 'examples')).map((name) => `examples/${name}`)].flatMap((folder) =>
  readdirSync(join(ROOT, folder)).filter((name) => /\.(js|html|tsx|conf)$/.test(name)).map((name) => ({ name: `${folder}/${name}`, text: flat(readFileSync(join(ROOT, folder, name), 'utf8')) })))

/** Finds the file that contains these lines and is run by its own test. */
export const sourceOf = (text: string): string | undefined => SOURCES.find((source) => `\n${source.text}`.includes(`\n${flat(text)}\n`))?.name

function folder (t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'reader-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

/** Creates a folder in which the packages of this project and `ws` are installed. */
function project (t: Test): string {
  const path = folder(t)
  const self = join(path, 'node_modules/ws-payment-server')
  mkdirSync(self, { recursive: true })
  symlinkSync(join(ROOT, 'node_modules/ws'), join(path, 'node_modules/ws'))
  for (const name of ['dist', 'package.json']) symlinkSync(join(ROOT, name), join(self, name))
  symlinkSync(join(ROOT, 'packages/client'), join(path, 'node_modules/ws-payment-client'))
  return path
}

/** Runs a module until it has printed the expected output; it may continue after that. Node.js 20 lacks a global WebSocket. */
export async function runModule (page: Page, text: string, expected: RegExp): Promise<string[]> {
  await page.needServer()
  const file = join(project(page.t), 'example.mjs')
  writeFileSync(file, `import { WebSocket as Socket } from 'ws'\nglobalThis.WebSocket ??= Socket\n${page.real(text)}`)
  const child = spawn(...plainNode(file), { env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [output, errors] = ['', '']
  child.stdout.on('data', (chunk) => { output += String(chunk) })
  child.stderr.on('data', (chunk) => { errors += String(chunk) })
  const exit = once(child, 'close')
  await until(() => `${String(expected)} is printed; it was ${output}${errors}`, () => expected.test(output) || child.exitCode !== null).catch((error: Error) => { errors += error.message })
  // Errors after the expected line appear soon.
  await Promise.race([exit, new Promise((resolve) => setTimeout(resolve, 500))])
  child.kill('SIGKILL')
  await exit
  return [...errors ? [errors] : [], ...expected.test(output) ? [] : [`it printed ${output}`], ...child.exitCode ? [`exit code ${child.exitCode}`] : []]
}

/** Opens a page, with the client's modules beside it, until it shows that the payment is pending. */
export async function openHtml (page: Page, text: string): Promise<string[]> {
  await page.needServer()
  const site = http.createServer(async ({ url = '' }, response) => {
    const [, name] = /^\/client\/([a-z-]+)\.js$/.exec(url) ?? []
    const body = name ? await browserModule(join(ROOT, 'src/client'), name) : page.real(text).replace('<title>', '<link rel="icon" href="data:,"><title>')
    response.writeHead(200, { 'content-type': name ? 'text/javascript' : 'text/html' }).end(body)
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  page.t.teardown(() => site.close().closeAllConnections())
  const { page: browser, lines } = await openPage(page.t, `http://127.0.0.1:${(site.address() as AddressInfo).port}/`)
  await browser.getByText('pending').waitFor({ timeout: 20_000 }).catch((error: Error) => lines.push(error.message))
  return lines
}

/** Starts nginx with these blocks in front of the page's server, and opens a socket through it. */
export async function runNginx (page: Page, text: string): Promise<string[]> {
  await page.needServer()
  const [dir, port] = [folder(page.t), await freePort()]
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join('\n')
  const conf = page.real(text).replace('listen 80;', `listen 127.0.0.1:${port};`).replace('127.0.0.1:8080', `127.0.0.1:${page.port}`)
  writeFileSync(join(dir, 'nginx.conf'), `pid nginx.pid;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${conf}\n}\n`)
  const args = ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr']
  const check = spawnSync('nginx', ['-t', ...args], { encoding: 'utf8' })
  if (check.status !== 0) return [check.stderr]
  const child = spawn('nginx', [...args, '-g', 'daemon off;'], { stdio: 'ignore' })
  const exit = once(child, 'exit')
  page.t.teardown(async () => {
    child.kill('SIGTERM')
    await exit
  })
  await until('nginx answers', () => fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok, () => false))
  const peer = await Peer.connect(page.t, `ws://127.0.0.1:${port}`)
  await peer.join('through-nginx')
  peer.socket.terminate()
  return []
}
