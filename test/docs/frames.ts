// Frames and answers on a page: client frames are sent, server frames are compared with the schemas or with the server's answers.
import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js'
import type { TObject } from '@sinclair/typebox'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import { SYSTEM_CLOCKS } from '../../src/clock.js'
import { ERRORS } from '../../src/errors.js'
import { decodeFrame } from '../../src/protocol/decode.js'
import { EVENTS, type EventType } from '../../src/protocol/events.js'
import * as server from '../../src/protocol/server-frames.js'
import { ROOT } from '../../src/root.js'
import { RoomTokens } from '../../src/auth/room-tokens.js'
import { PaymentState } from '../../src/protocol/payment-state.js'
import { Peer, type Frame } from '../peer.js'
import type { Block } from './blocks.js'
import type { Page } from './page.js'
import { differences } from './shapes.js'

const SERVER_FRAMES: Record<string, TObject> = {
  CONNECTION_ESTABLISHED: server.ConnectionEstablished,
  ROOM_JOINED: server.RoomJoined,
  ACK: server.Ack,
  DEVICE_JOINED: server.DevicePresence,
  DEVICE_LEFT: server.DevicePresence,
  PAYMENT_STALLED: server.PaymentStalled,
  ROOM_LEFT: server.RoomLeft,
  PONG: server.Pong,
  ROOM_CLOSED: server.RoomClosed,
  ERROR: server.ErrorFrame
}
const ENTRY = ['type', 'payload', 'seq', 'timestamp', 'source', 'id']

/** Made anew for each use: schemas with a name may be parts of others. */
function faults (schema: AnySchema, value: unknown): string[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema({ $id: 'api', components: document.components } as AnySchema)
  return ajv.validate(schema, value) ? [] : ajv.errorsText(ajv.errors).split(', ')
}
const unknown = (value: object, known: string[]) => Object.keys(value).filter((key) => !known.includes(key)).map((key) => `${key} is not known`)

/** Returns the errors in a frame that the page shows as sent by the server. */
export function faultsOfServerFrame (frame: Frame): string[] {
  const own = SERVER_FRAMES[frame.type]
  if (own) return [...faults(own, frame.payload), ...unknown(frame.payload, Object.keys(own.properties)), ...unknown(frame, ['type', 'payload'])]
  const lacking = ['seq', 'timestamp', 'source'].filter((key) => !(key in frame)).map((key) => `${key} is missing`)
  const event = EVENTS[frame.type as EventType]
  const payload = event ? faults(event.schema, frame.payload) : unknown(frame.payload, ['roomId', 'message', 'idSeguro', 'timestamp', 'source'])
  return [...lacking, ...unknown(frame, ENTRY), ...payload]
}

/** Tests frames that a page tells readers to send: valid, and accepted by the page's server. */
export async function sendFrames (page: Page, block: Block): Promise<string[]> {
  const refused = block.lines.flatMap((line) => {
    const frame = decodeFrame(Buffer.from(line))
    return 'failure' in frame ? [`${line}: ${frame.failure.message}`] : []
  })
  const peer = await page.send(...block.lines)
  return [...refused, ...peer.frames.filter(({ type }) => type === 'ERROR').map(({ payload }) => payload.message as string)]
}

/** Tests a transcript: lines after `>` are sent, and the answers must look like the lines after `<`. */
export async function playTranscript (page: Page, { lines }: Block): Promise<string[]> {
  await page.needServer()
  const isPlayed = lines.some((line) => line.startsWith('> '))
  if (isPlayed) page.peer ??= await Peer.connect(page.t, page.url)
  const problems: string[] = []
  for (const line of lines) {
    if (line.startsWith('> ')) {
      page.peer!.socket.send(page.real(line.slice(2)))
      continue
    }
    const shown = JSON.parse(line.slice(2)) as Frame
    problems.push(...faultsOfServerFrame(shown))
    if (isPlayed) problems.push(...differences(shown, await page.peer!.next(shown.type), page.learn, shown.type))
  }
  // Other effects of the frame arrive before the next block begins.
  await sleep(50)
  return problems
}

const document = parse(readFileSync(join(ROOT, 'openapi.yaml'), 'utf8')) as { paths: Record<string, Record<string, { operationId: string, responses: Record<string, any> }>>, components: object }
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))

/** Tests an answer that stands alone, without its request, against the contract. */
export function faultsOfAnswer ({ text, heading }: Block): string[] {
  const answer = JSON.parse(text)
  if (answer.success === false) {
    const error = ERRORS[answer.code as keyof typeof ERRORS]
    if (!error) return [`${answer.code} is no error code`]
    const isExact = answer.details || answer.error === error.message
    return [...isExact ? [] : [`${answer.code} says: ${error.message}`], ...unknown(answer, ['success', 'error', 'code', 'requestId', 'timestamp', 'details'])]
  }
  const responses = operations.find(({ operationId }) => operationId === heading)?.responses
  if (!responses) return [`an answer without a request stands under the name of its operation, and not under ${heading}`]
  const [, { content }] = Object.entries(responses).find(([status]) => status.startsWith('2'))!
  return faults({ $ref: `api${content['application/json'].schema.$ref}` }, answer)
}

export const faultsOfState = ({ text }: Block): string[] => [...faults(PaymentState, JSON.parse(text)), ...unknown(JSON.parse(text), Object.keys(PaymentState.properties))]

/** Compares the claims of a token with those of a real one. */
export async function faultsOfClaims ({ text }: Block): Promise<string[]> {
  const { token } = await new RoomTokens('s'.repeat(32), SYSTEM_CLOCKS).sign({ roomId: 'payment_123', role: 'device2' }, 900_000)
  return differences(JSON.parse(text), JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()))
}
