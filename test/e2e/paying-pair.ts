// A process of its own in which a till and a phone pay repeatedly during attacks: it records the latency of each event and every failure.
// Started with the server's address, the room and the two tokens as arguments; answers each message of its parent with the figures since the last one.
import { WebSocket } from 'ws'
import type { Frame } from '../peer.js'

/** Interval, ms: what waits while a busy machine does not run the server for seconds is still within the burst of a socket (40). */
const PAUSE = 150

export interface PairFigures {
  sent: number
  delivered: number
  /** Time from the phone's send to the till's receipt, ms. */
  latencies: number[]
  troubles: string[]
}

const [url = '', roomId = '', till = '', phone = ''] = process.argv.slice(2)
const newFigures = (): PairFigures => ({ sent: 0, delivered: 0, latencies: [], troubles: [] })
let figures = newFigures()
let seq = 0
const sentAt = new Map<string, number>()

function open (token: string, take: (frame: Frame) => void): Promise<WebSocket> {
  const socket = new WebSocket(url)
  socket.on('error', (error) => figures.troubles.push(String(error)))
  socket.on('close', (code) => figures.troubles.push(`closed with ${code}`))
  return new Promise((resolve) => socket.on('message', (data) => {
    const frame = JSON.parse(String(data)) as Frame
    if (frame.type === 'CONNECTION_ESTABLISHED') socket.send(JSON.stringify({ type: 'JOIN_ROOM', payload: { roomId, token } }))
    else if (frame.type === 'ROOM_JOINED') resolve(socket)
    else if (frame.type === 'ERROR') figures.troubles.push(`refused: ${frame.payload.code}`)
    else take(frame)
  }))
}

await open(till, (frame) => {
  if (frame.seq !== ++seq) figures.troubles.push(`${frame.seq} came in place of ${seq}`)
  figures.latencies.push(performance.now() - (sentAt.get(frame.id!) ?? NaN))
  sentAt.delete(frame.id!)
  figures.delivered++
})
const payer = await open(phone, () => {})
let number = 0
setInterval(() => {
  const id = String(++number)
  sentAt.set(id, performance.now())
  figures.sent++
  payer.send(JSON.stringify({ type: 'CLICKED_PAY', payload: { roomId }, id }))
}, PAUSE)

process.on('message', () => {
  process.send!(figures)
  figures = newFigures()
})
process.send!('ready')
