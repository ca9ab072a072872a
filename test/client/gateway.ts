// One origin for a page and the server behind it, as a reverse proxy makes it; its sockets and requests can be made to fail.
import http from 'node:http'
import net from 'node:net'
import type { Test } from 'tap'

export interface Gateway {
  readonly origin: string
  /** Fate of sockets: they pass, frames of clients are swallowed, or no upgrade succeeds. */
  sockets: 'pass' | 'swallow' | 'refuse'
  /** Fate of requests to publish. */
  publishing: 'pass' | 'refuse'
  /** Bodies of the requests to publish, unchanged. */
  readonly published: string[]
  /** Number of requests to publish that are not answered yet. */
  publishingNow: number
  /** True: connections are cut, and new ones too, as without a network. */
  isDown: boolean
  /** Number of requests for an upgrade. */
  upgrades: number
}

/** @param files the files that the gateway itself serves, by path */
export async function gateway (t: Test, serverPort: number, files: Record<string, string>): Promise<Gateway> {
  const connections = new Set<net.Socket>()
  let isDown = false
  const server = http.createServer((request, response) => {
    const { url = '/', method, headers } = request
    const file = files[url.split('?')[0]!]
    if (file !== undefined) {
      // A page in a sandbox has an origin of its own.
      response.setHeader('access-control-allow-origin', '*')
      response.setHeader('content-type', /^[^?]*\.js\b/.test(url) ? 'text/javascript' : 'text/html')
      return response.end(file)
    }
    const forward = () => {
      const onward = http.request({ port: serverPort, host: '127.0.0.1', path: url, method, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(response)
      })
      onward.on('error', () => response.destroy())
      response.on('close', () => onward.destroy())
      return onward
    }
    if (method !== 'POST') return forward().end()
    state.publishingNow++
    response.on('close', () => { state.publishingNow-- })
    let body = ''
    request.on('data', (chunk) => { body += chunk })
    request.on('end', () => {
      state.published.push(body)
      if (state.publishing === 'pass') forward().end(body)
      else response.destroy()
    })
  })
  server.on('connection', (socket) => {
    if (isDown) return socket.destroy()
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
  })
  server.on('upgrade', (request, socket: net.Socket, head) => {
    state.upgrades++
    socket.on('error', () => socket.destroy())
    if (state.sockets === 'refuse') return socket.destroy()
    const onward = net.connect(serverPort, '127.0.0.1', () => {
      onward.write(`GET ${request.url} HTTP/1.1\r\n${request.rawHeaders.map((text, i) => i % 2 === 0 ? `${text}: ` : `${text}\r\n`).join('')}\r\n`)
      onward.write(head)
      socket.on('data', (data) => { if (state.sockets === 'pass') onward.write(data) })
      onward.pipe(socket)
    })
    onward.on('error', () => socket.destroy())
    onward.on('close', () => socket.destroy())
    socket.on('close', () => onward.destroy())
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    for (const socket of connections) socket.destroy()
    return new Promise((resolve) => { server.close(resolve) })
  })
  const state: Gateway = {
    origin: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    sockets: 'pass',
    publishing: 'pass',
    published: [],
    publishingNow: 0,
    upgrades: 0,
    get isDown () { return isDown },
    set isDown (value) {
      isDown = value
      if (isDown) for (const socket of connections) socket.destroy()
    }
  }
  return state
}
