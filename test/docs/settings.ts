// Assumptions of a page: the server that it was written against, the events before a section, and the output of its programs.
import type { Page } from './page.js'

interface PageSettings {
  /** Settings of the server, if the page does not start it itself. */
  readonly env?: Record<string, string>
  /** Variables of the reader's shell. */
  readonly shell?: Record<string, string>
  /** Actions before the first block under a heading, or before the block with this first line. */
  readonly before?: Record<string, (page: Page) => Promise<void>>
  /** Output of its programs, in order. */
  readonly prints?: readonly RegExp[]
}

const DEVICE_1 = '{"type":"JOIN_ROOM","payload":{"roomId":"payment_123","deviceId":"device_1"}}'
const METHOD = '{"type":"PAYMENT_METHOD_CHANGED","payload":{"roomId":"payment_123","deviceId":"device_2","method":"pix"}}'
const PAY = '{"type":"CLICKED_PAY","payload":{"roomId":"payment_123","deviceId":"device_2"},"id":"evt-2"}'
const SUCCESS = { type: 'PAYMENT_SUCCESS', payload: { transactionId: 'tx_456789', amount: 99.9, currency: 'BRL' }, id: 'psp-42' }

const meet = async (page: Page) => {
  await page.send(DEVICE_1)
  await page.send(METHOD, PAY)
}
const KEYS = { API_KEYS: 'change-me,old-key' }
const KEYED: PageSettings = { env: KEYS, shell: { KEY: 'change-me' } }

const report = async (page: Page) => { await page.ask('POST', '/api/rooms/payment_123/events', SUCCESS) }

/** Creates a payment whose phone has failed, as in the tutorial's playground. */
const pay = async (page: Page) => {
  const { data: { roomId, tokens } } = await page.ask('POST', '/api/rooms', {})
  const frame = (type: string, deviceId: string, more: object = {}) => JSON.stringify({ type, payload: { roomId, deviceId, ...more } })
  await page.send(frame('JOIN_ROOM', 'device_1', { token: tokens?.device1 }))
  await page.send(frame('JOIN_ROOM', 'phone', { role: 'device2', token: tokens?.device2 }), ...[
    ['ENTERED_SUMMARY'], ['CLICKED_PROCEED'], ['PAYMENT_METHOD_CHANGED', { method: 'pix' }], ['DATA_FILLED', { fields: ['name', 'cpf'] }], ['CLICKED_PAY'],
    ['PAYMENT_ERROR', { error: 'Card declined', code: 'DECLINED' }]
  ].map(([type, more]) => frame(type as string, 'phone', more as object)))
}

const GUARDED = (key: string) => ({ API_KEYS: key, TOKEN_SECRET: 's'.repeat(32) })
const README = { prints: [/connected|conectado[^]*ROOM_JOINED/, /online/] }
const cli = (key: string): PageSettings => ({ before: { [`export API_KEY=${key}`]: (page) => page.start(GUARDED(key)) } })

export const SETTINGS: Readonly<Record<string, PageSettings>> = {
  'README.md': README,
  'README.pt-BR.md': README,
  'docs/client.md': { before: { 'The result': report }, prints: [/online/, /the payer says/] },
  'docs/client.pt-BR.md': { before: { 'O resultado': report }, prints: [/online/, /quem paga diz/] },
  'docs/how-to/migrate.md': { prints: [/pending/, /pending/] },
  'docs/how-to/migrate.pt-BR.md': { prints: [/pending/, /pending/] },
  'docs/reference/cli.md': cli('your-key'),
  'docs/reference/cli.pt-BR.md': cli('sua-chave'),
  'docs/rest.md': {
    ...KEYED,
    before: {
      listRooms: meet,
      getRoom: report,
      createRoomToken: async (page) => {
        await page.start({ ...KEYS, TOKEN_SECRET: 's'.repeat(32) })
        await page.ask('POST', '/api/rooms', { roomId: 'payment_123' })
      },
      listRoomEvents: async (page) => {
        await page.start(KEYS)
        await meet(page)
        const { data } = await page.ask('POST', '/api/rooms/payment_123/events', SUCCESS)
        page.learn('yhKhDhBWRLJq', data.epoch)
      }
    }
  },
  'docs/payment.md': KEYED,
  'docs/payment.pt-BR.md': KEYED,
  'docs/protocol.md': {
    before: {
      'Catching up': async (page) => { page.peer!.send('PAYMENT_ERROR', { roomId: 'payment_123', deviceId: 'device_2', error: 'Card declined', code: 'DECLINED' }) },
      'The deadline of a payment link': async (page) => {
        await page.ask('POST', '/api/rooms', { roomId: 'payment_124', ttlSeconds: 1 })
        await page.peer!.join('payment_124')
      },
      'The end of a room': async (page) => {
        await page.peer!.join('payment_123')
        await page.ask('DELETE', '/api/rooms/payment_123')
      }
    }
  },
  'docs/tutorial.md': { before: { '5. Look into the room': pay, '8. Pay again': pay } },
  'docs/tutorial.pt-BR.md': { before: { '5. Consulte a sala': pay, '8. Pague de novo': pay } },
  'docs/how-to/backend.md': { prints: [/^pending 0$/m] }
}

/** Commands that cannot run here, with the reason. Each must be on some page. */
export const EXCUSED: ReadonlyArray<readonly [text: string, reason: string]> = [
  ['npm ci && npm test', 'these are the tests themselves; .ci/run gives this command from a clean clone'],
  ['stripe listen', 'it needs an account at Stripe; the block after it sends the same webhook'],
  ['docker build', 'there is no Docker here; test/deploy.test.ts holds the Dockerfile against the server'],
  ['docker compose', 'there is no Docker here; test/deploy.test.ts holds the file against the server, and test/e2e/balancer.test.ts runs its nginx and its nodes'],
  ['systemctl restart', 'there is no systemd here; test/e2e/faults/durable.test.ts restarts a server in this way'],
  ['ws-payment-server backup', 'test/cli/journal.test.ts runs it'],
  ['ws-payment-server inspect --room', 'test/cli/journal.test.ts runs it'],
  ['git clone https://github.com/your-org/', 'the address is the reader\'s'],
  ['npm install ws-payment-client', 'it needs a registry; test/client/package.test.ts packs what it installs'],
  ['npm install ../ws-payment-server/ws-payment-server-sdk', 'it needs a registry; test/sdk.test.ts runs what it installs'],
  ['npm install @fastify/otel ', 'it needs a registry; test/plugins/tracing.test.ts runs with these packages'],
  ['openapi-generator-cli', 'it downloads a generator, and the page says that this was not tried']
]
