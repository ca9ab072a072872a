// The shop's backend: serves two pages and the client's modules, and gives each page a token for its side of the payment.
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { payments } from './payments.js'

const { PORT = 3000, SERVER = 'http://127.0.0.1:8080', PUBLIC_SERVER = SERVER, KEY, CLIENT = '../../dist/src/client/' } = process.env
const { create, token } = payments({ server: SERVER, key: KEY })
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript' }

async function answer (method, path) {
  // Your shop checks the login here: a user who may create a payment may also watch it.
  if (method === 'POST' && path === '/payments') {
    const { roomId } = await create()
    return { roomId }
  }
  const [, roomId, action] = /^\/payments\/([\w-]{22})\/(watch|token)$/.exec(path) ?? []
  // Your shop checks the login here, too, and that the payment is its own.
  if (method === 'POST' && action === 'watch') return { url: PUBLIC_SERVER, ...await token(roomId, 'device1') }
  // The payer is the person with the link. The link contains the id of the room and no token.
  if (method === 'POST' && action === 'token') return { url: PUBLIC_SERVER, ...await token(roomId, 'device2') }
  const [, page] = /^\/(shop|pay)\.html$/.exec(path) ?? []
  if (page) return readFile(new URL(`${page}.html`, import.meta.url))
  const [, name] = /^\/client\/([a-z-]+\.js)$/.exec(path) ?? []
  if (name) return readFile(new URL(name, new URL(CLIENT, import.meta.url)))
  throw Object.assign(new Error('The route does not exist.'), { status: 404 })
}

http.createServer(async ({ method, url }, response) => {
  const { pathname } = new URL(url, 'http://shop')
  try {
    const body = await answer(method, pathname)
    const isFile = Buffer.isBuffer(body)
    response.writeHead(200, { 'content-type': isFile ? types[pathname.split('.').pop()] : 'application/json' }).end(isFile ? body : JSON.stringify(body))
  } catch ({ status = 502, message }) {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: message }))
  }
}).listen(PORT, function () { console.log(`the shop is at http://localhost:${this.address().port}/shop.html`) })
