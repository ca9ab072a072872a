// nginx in front of Pix webhooks, with the file in deploy/: a request without the certificate of the bank does not pass.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ROOT } from '../../src/root.js'
import { listen } from '../build.js'
import { makeCertificates, withoutOpenssl, type Certificates } from '../certificates.js'
import { without } from '../installed.js'
import { freePort } from '../free-port.js'
import { until } from '../until.js'
import { senders, settingsOf } from './senders.js'

/** Starts nginx with the file in front of a port. */
async function startNginx (t: Test, upstream: number, own: Certificates, bank: Certificates): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'pix-'))
  const port = await freePort()
  const server = readFileSync(join(ROOT, 'deploy/nginx/pix.conf'), 'utf8').replace('listen 8443 ', `listen 127.0.0.1:${port} `)
    .replace('/etc/nginx/tls/fullchain.pem', own.cert).replace('/etc/nginx/tls/privkey.pem', own.key).replace('/etc/nginx/tls/bank.crt', bank.ca)
  t.notMatch(server, /etc\/nginx|listen 8443/, 'all addresses and paths belong to the test')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join('\n')
  writeFileSync(join(dir, 'nginx.conf'), `pid nginx.pid;\nevents {}\nhttp {\naccess_log off;\n${temporary}\nupstream brief { server 127.0.0.1:${upstream}; }\n${server}\n}\n`)
  const child = spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr', '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exit = once(child, 'exit')
  let errors = ''
  child.stderr.on('data', (chunk) => { errors += String(chunk) })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await exit
    rmSync(dir, { recursive: true, force: true })
  })
  await until(() => `nginx answers; its output: ${errors}`, () => ask(port, own, {}).then(() => true, () => false))
  return port
}

interface Request { readonly path?: string, readonly body?: string, readonly client?: Certificates }

/** Sends a request over TLS. @returns its status */
async function ask (port: number, { ca }: Certificates, { path = '/', body = '', client }: Request): Promise<number> {
  const request = https.request({
    port, path, method: 'POST', agent: false, ca: readFileSync(ca), headers: { 'content-type': 'application/json' }, ...(client && { cert: readFileSync(client.cert), key: readFileSync(client.key) })
  })
  request.end(body)
  const [response] = await once(request, 'response')
  response.resume()
  return response.statusCode as number
}

t.test('only a request with the certificate of the bank reaches the server', { skip: without('nginx', 'nginx-light') || withoutOpenssl }, async (t) => {
  const sender = (await senders(t)).find(({ name }) => name === 'pix')!
  const { app, port: upstream } = await listen(t, { env: settingsOf(sender) })
  const [own, bank, stranger] = [makeCertificates(t, 'DNS:localhost'), makeCertificates(t, 'DNS:bank'), makeCertificates(t, 'DNS:bank')]
  const port = await startNginx(t, upstream, own, bank)
  const { payload: body } = sender.deliver(sender.paid)
  const path = `/webhooks/pix/pix?token=${sender.secrets[0]}`
  t.equal(await ask(port, own, { path, body }), 400, 'no certificate')
  t.equal(await ask(port, own, { path, body, client: stranger }), 400, 'the certificate of somebody else')
  t.match(await app.broker.listRooms({ limit: 1 }), { rooms: [] })
  t.equal(await ask(port, own, { path: '/webhooks/pix?token=wrong', body, client: bank }), 401, 'the certificate without the token')
  t.equal(await ask(port, own, { path, body, client: bank }), 200, 'the bank')
  t.equal(await ask(port, own, { path: '/api/rooms', body: '{}', client: bank }), 404, 'the rest of the API is not at this host')
})
