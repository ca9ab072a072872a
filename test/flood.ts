// More events than a peer that does not read can be sent: loopback itself swallows some megabytes before the server notices.
import type { Peer } from './peer.js'

/** Events of about 14 KB each. */
const EVENTS = 1500
const BATCH = 50
const PADDING = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`p${i}`, 'x'.repeat(2000)]))

/** Sends them from one peer to room `r`. @param reader is in the room, and reads @returns how many there were */
export async function flood (sender: Peer, reader: Peer): Promise<number> {
  for (let sent = 0; sent < EVENTS; sent += BATCH) {
    for (let i = 0; i < BATCH; i++) sender.send('CLICKED_PAY', { roomId: 'r', ...PADDING })
    // A batch is less than the outbox may hold, so whoever reads at all is never too slow.
    await sender.settled()
    await reader.settled()
  }
  return EVENTS
}
