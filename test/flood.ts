// Flood of events, larger than the buffers of a peer that does not read: loopback alone holds some megabytes.
import type { Peer } from './peer.js'

/** Number of events, of about 14 KB each. */
const EVENTS = 1500
const BATCH = 50
const PADDING = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`p${i}`, 'x'.repeat(2000)]))

/** Sends the events from one peer to room `r`. @param reader is in the room, and reads @returns the number of events */
export async function flood (sender: Peer, reader: Peer): Promise<number> {
  for (let sent = 0; sent < EVENTS; sent += BATCH) {
    for (let i = 0; i < BATCH; i++) sender.send('CLICKED_PAY', { roomId: 'r', ...PADDING })
    // A batch is smaller than the outbox, so a peer that reads is never too slow.
    await sender.settled()
    await reader.settled()
  }
  return EVENTS
}
